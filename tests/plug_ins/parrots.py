"""The neighbour `parrots`, an integration with an entry of its own, and what it brings."""

from collections.abc import Callable
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import DOMAIN, SUBENTRY_PROVIDER, Conf
from custom_components.ai_router.plug_ins import Kind, Need, Registration
from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.routing.call import Call
from custom_components.ai_router.routing.model import Message, Model, Role, Text
from custom_components.ai_router.routing.request import Caller, Request
from custom_components.ai_router.stored_models import model_to_stored
from tests.household import subentry

PARROT = "01PARROT"
DEMO_CHAT = "demo-chat"


def provider(kind: str, *, prices: tuple[str, str] | tuple[()] = (), model: str = "grey") -> ConfigSubentry:
    data = {
        Conf.KIND.value: kind,
        Conf.MODELS.value: [model_to_stored(Model(model, local=True), *prices)],
        Conf.OPTIONS.value: {"times": 2},
    }
    return subentry(PARROT, SUBENTRY_PROVIDER, "Polly", **data)


async def parrots(hass: HomeAssistant) -> MockConfigEntry:
    entry = MockConfigEntry(domain="parrots", title="Parrots")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def kind(kind_id: str = "macaw", build: Callable[..., Any] = Demo, **more: Any) -> Kind:
    return Kind(kind_id, build, **({"url": Need.NONE, "key": Need.NONE, "name": "Macaw"} | more))


def brings(*brought: Any) -> Callable[[Registration], None]:
    def register(registration: Registration) -> None:
        for each in brought:
            registration.add_provider_kind(each)

    return register


def raises(err: BaseException) -> Callable[[Call], Any]:
    def answer(call: Call) -> Any:
        raise err

    return answer


async def ask_all(entry: MockConfigEntry) -> Any:
    request = Request(id="all", caller=Caller(), messages=(Message(Role.USER, (Text("Hi"),)),))
    return await entry.runtime_data.router.process(request)


def problems(hass: HomeAssistant) -> set[str]:
    return {issue_id for domain, issue_id in ir.async_get(hass).issues if domain == DOMAIN}
