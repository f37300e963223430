"""Providers of a household that are servers which want a key, with everything stored as a flow would store it."""

from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant

from custom_components.ai_router.const import SUBENTRY_PROVIDER, Conf
from custom_components.ai_router.credentials import Vault
from custom_components.ai_router.routing.model import Capability, Model
from custom_components.ai_router.stored_models import model_to_stored
from tests.fakes.openai_compatible import CHAT_MODEL, FakeOpenAI
from tests.household import subentry

SECRET = "sk-canary-5d1f7a90c3"


async def at_server(
    hass: HomeAssistant,
    server: FakeOpenAI,
    provider_id: str,
    title: str = "Server",
    *,
    key: str = SECRET,
    prices: tuple[str, str] | None = ("1", "1"),
    models: tuple[str, ...] = (CHAT_MODEL,),
    **settings: Any,
) -> ConfigSubentry:
    """Describe a provider at a server; prices are dollars per million tokens in and out, None are not known."""
    caps = Capability.CHAT | Capability.STREAMING
    data = {
        Conf.KIND.value: "openai_compatible",
        Conf.URL.value: server.url,
        Conf.CREDENTIAL.value: await Vault(hass).encrypt(key),
        Conf.OPTIONS.value: {"local": False},
        Conf.MODELS.value: [model_to_stored(Model(name, caps), *(prices or ())) for name in models],
        **settings,
    }
    return subentry(provider_id, SUBENTRY_PROVIDER, title, **data)
