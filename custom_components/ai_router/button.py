"""Buttons: check a provider, let it begin anew, clear the cache."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .control import ControlEntity
from .entity import StatusDevice, async_follow_providers, router_device
from .hub import Hub, RouterConfigEntry
from .status import ProviderStatus

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class PressDescription(ButtonEntityDescription):
    """A button, and what pressing it does to the router or to a provider (its id)."""

    press_fn: Callable[[Hub, str], Awaitable[None]]


async def _check(hub: Hub, provider_id: str) -> None:
    failure = await hub.router.check(provider_id)
    if failure is not None:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="check_failed",
            translation_placeholders={
                "provider": hub.provider_name(provider_id),
                "failure": hub.wording.failure(failure.cls),
                "detail": failure.detail,
            },
        )


async def _reset(hub: Hub, provider_id: str) -> None:
    hub.router.reset_limits(provider_id)
    hub.router.mend(provider_id)


async def _clear_cache(hub: Hub, _: str) -> None:
    await hub.router.answers.drop()


CHECK = PressDescription(key="check", entity_category=EntityCategory.DIAGNOSTIC, press_fn=_check)
RESET = PressDescription(
    key="reset", entity_category=EntityCategory.CONFIG, entity_registry_enabled_default=False, press_fn=_reset
)
CLEAR_CACHE = PressDescription(key="clear_cache", entity_category=EntityCategory.CONFIG, press_fn=_clear_cache)


async def async_setup_entry(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    entry: RouterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons of the router, and of each provider as it comes."""
    hub = entry.runtime_data

    def buttons_of(provider: StatusDevice[ProviderStatus]) -> Iterator[Entity]:
        yield Press(hub, provider, CHECK)
        yield Press(hub, provider, RESET)

    async_add_entities([Press(hub, router_device(entry), CLEAR_CACHE)])
    await async_follow_providers(entry, async_add_entities, buttons_of)


class Press[S](ControlEntity[S, PressDescription], ButtonEntity):
    """One thing to do."""

    entity_description: PressDescription

    @override
    async def async_press(self) -> None:
        """Do it. Raises `Unauthorized`, and `HomeAssistantError` where a check fails."""
        await self.check_admin()
        try:
            await self.entity_description.press_fn(self.hub, self.about)
        finally:
            self.show_now()
