"""Numbers: a provider's priority, weight and budgets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import override

from homeassistant.components.number import DOMAIN as NUMBER_DOMAIN
from homeassistant.components.number import NumberDeviceClass, NumberEntity, NumberEntityDescription, NumberMode
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .changes import change_provider
from .const import CURRENCY, MOST_DOLLARS, Conf
from .control import ControlEntity
from .entity import StatusDevice, async_follow_providers
from .hub import RouterConfigEntry
from .routing.tickets import Window
from .status import ProviderStatus

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ProviderNumberDescription(NumberEntityDescription):
    """A number, what it reads from a status, and the setting that it changes."""

    value_fn: Callable[[ProviderStatus], int | float | Decimal | None]
    setting: Conf
    whole: bool = False


def _budget(setting: Conf, window: Window) -> ProviderNumberDescription:
    return ProviderNumberDescription(
        key=setting.value,
        device_class=NumberDeviceClass.MONETARY,
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=CURRENCY,
        native_min_value=0,
        native_max_value=MOST_DOLLARS,
        native_step=0.01,
        mode=NumberMode.BOX,
        setting=setting,
        value_fn=lambda status: status.budgets.get(window),
    )


PROVIDER_NUMBERS: tuple[ProviderNumberDescription, ...] = (
    ProviderNumberDescription(
        key="priority",
        entity_category=EntityCategory.CONFIG,
        native_min_value=0,
        native_max_value=1_000,
        native_step=1,
        mode=NumberMode.BOX,
        setting=Conf.PRIORITY,
        value_fn=lambda status: status.priority,
        whole=True,
    ),
    ProviderNumberDescription(
        key="weight",
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=False,
        native_min_value=0,
        native_max_value=1_000,
        native_step=0.1,
        mode=NumberMode.BOX,
        setting=Conf.WEIGHT,
        value_fn=lambda status: status.weight,
    ),
    _budget(Conf.BUDGET_DAY, Window.DAY),
    _budget(Conf.BUDGET_MONTH, Window.MONTH),
)


async def async_setup_entry(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the numbers of each provider as it comes."""
    hub = entry.runtime_data

    def numbers_of(provider: StatusDevice[ProviderStatus]) -> Iterator[Entity]:
        yield from (ProviderNumber(hub, provider, description) for description in PROVIDER_NUMBERS)

    await async_follow_providers(entry, async_add_entities, numbers_of)


class ProviderNumber(ControlEntity[ProviderStatus, ProviderNumberDescription], NumberEntity):
    """One setting of a provider that is a number."""

    entity_description: ProviderNumberDescription

    @property
    @override
    def native_value(self) -> float | None:
        """Return what is in force; None is no budget."""
        value = self.entity_description.value_fn(self.status)
        return float(value) if isinstance(value, Decimal) else value

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Change it. Raises `Unauthorized`, and `ServiceValidationError` for what is no number."""
        await self.check_admin()
        if not isfinite(value):
            # Home Assistant's own comparison lets NaN pass.
            raise ServiceValidationError(
                translation_domain=NUMBER_DOMAIN,
                translation_key="out_of_range",
                translation_placeholders={
                    "value": str(value),
                    "entity_id": self.entity_id,
                    "min_value": str(self.min_value),
                    "max_value": str(self.max_value),
                },
            )
        setting = round(value) if self.entity_description.whole else value
        await change_provider(self.hub, self._context, self.about, {self.entity_description.setting: setting})
        self.show_now()
