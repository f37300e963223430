"""Sets the router up, offering an Ollama that is already there, and changes its options."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, override

import voluptuous as vol
from aiohttp import ClientSession
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.core import callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import BooleanSelector
from yarl import URL

from .const import DOMAIN, SUBENTRY_PROVIDER, Conf
from .form_fields import budget_fields, budgets_to_show, budgets_to_store, choice, decimal_text, dollars, whole
from .provider_check import FieldProblem, listed_models
from .provider_flow import ProviderFlow
from .provider_forms import LOCAL, provider_to_store
from .providers.registry import KINDS, ProviderSetup
from .providers.transport import Transport
from .redaction import Redactor
from .routing.config import DEFAULT_BOUNDS, DEFAULT_MAX_OUTPUT
from .routing.failures import AttemptFailed
from .routing.model import Capability, Model
from .settings import DEFAULT_UNKNOWN_PRICE_HOLD

OLLAMA_ADDRESSES: Final = ["http://127.0.0.1:11434", "http://ollama:11434"]
_LOOK_SECONDS = 1.0

ADD_OLLAMA = "add_ollama"
UNKNOWN_PRICE = "unknown_price"
CEILING, REFUSE = "ceiling", "refuse"


class RouterFlow(ConfigFlow, domain=DOMAIN):
    """Sets the router up; nothing needs to be filled in."""

    def __init__(self) -> None:
        """Begin before anything was looked for."""
        self._ollama: tuple[str, int] | None = None

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer an Ollama that answers, and create the entry."""
        errors: dict[str, str] = {}
        if user_input is None:
            self._ollama = await _find_ollama(async_get_clientsession(self.hass))
        else:
            try:
                subentries = await self._first_providers(user_input)
            except FieldProblem as problem:
                errors[problem.field] = problem.error
            else:
                return self.async_create_entry(title="AI Router", data={}, options={}, subentries=subentries)
        fields: dict[vol.Marker, Any] = {}
        placeholders: dict[str, str] = {}
        if self._ollama is not None:
            fields[vol.Optional(ADD_OLLAMA, default=True)] = BooleanSelector()
            placeholders = {"address": self._ollama[0], "models": str(self._ollama[1])}
        return self.async_show_form(
            step_id="user", data_schema=vol.Schema(fields), errors=errors, description_placeholders=placeholders
        )

    async def _first_providers(self, user_input: Mapping[str, Any]) -> list[ConfigSubentryData]:
        """Return the Ollama that was found, if it is wanted. Raises `FieldProblem`."""
        if self._ollama is None or not user_input[ADD_OLLAMA]:
            return []
        kind, url, options = KINDS["ollama"], self._ollama[0], {LOCAL: False}
        setup = ProviderSetup(id=self.flow_id, kind=kind.id, url=url, options=options)
        try:
            listed = await listed_models(kind, setup, async_get_clientsession(self.hass), Redactor())
        except FieldProblem as err:
            raise FieldProblem(ADD_OLLAMA, "no_models" if err.error == "no_models" else "ollama_gone") from None
        if models := _best_first(model for model in listed.values() if model.local):
            data = provider_to_store(kind, options, models, {}, url=url)
            return [ConfigSubentryData(data=data, subentry_type=SUBENTRY_PROVIDER, title="Ollama", unique_id=None)]
        raise FieldProblem(ADD_OLLAMA, "no_models")

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the flow that changes the router's options."""
        return RouterOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """Name what can be added to the router."""
        return {SUBENTRY_PROVIDER: ProviderFlow}


async def _find_ollama(session: ClientSession) -> tuple[str, int] | None:
    """Return the address of the first Ollama that answers, with the number of its models; they are asked together."""
    counts = await asyncio.gather(*(_count_models(session, address) for address in OLLAMA_ADDRESSES))
    return next(((address, count) for address, count in zip(OLLAMA_ADDRESSES, counts, strict=True) if count), None)


async def _count_models(session: ClientSession, address: str) -> int:
    """Count the models of an Ollama; 0 for whatever else answers there, or nothing."""
    try:
        data = await Transport(session, "an Ollama server", None).json(URL(address) / "api/tags", seconds=_LOOK_SECONDS)
    except AttemptFailed:
        return 0
    models = data.get("models") if isinstance(data, dict) else None
    if not isinstance(models, list):
        return 0
    return sum(isinstance(model, dict) and isinstance(model.get("name"), str) for model in models)


def _best_first(models: Iterable[Model]) -> list[Model]:
    """Return the models that chat, those that see pictures and call tools first; equals stay in the server's order."""
    chats = [model for model in models if Capability.CHAT in model.caps]
    return sorted(
        chats, key=lambda model: (Capability.VISION in model.caps) + (Capability.TOOLS in model.caps), reverse=True
    )


class RouterOptionsFlow(OptionsFlow):
    """Changes the router's options; the update listener follows without a reload."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all options at once."""
        errors: dict[str, str] = {}
        shown = _options_to_show(self.config_entry.options)
        if user_input is not None:
            shown = user_input
            if user_input[UNKNOWN_PRICE] == CEILING and not user_input.get(Conf.UNKNOWN_PRICE_HOLD):
                errors[Conf.UNKNOWN_PRICE_HOLD.value] = "hold_missing"
            else:
                return self.async_create_entry(data=_options_to_store(user_input, self.config_entry.options))
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_options_form(), shown),
            errors=errors,
        )


def _options_form() -> vol.Schema:
    return vol.Schema(
        {
            vol.Optional(Conf.FAILOVER.value, default=True): BooleanSelector(),
            vol.Optional(Conf.LOCAL_ONLY.value, default=False): BooleanSelector(),
            **budget_fields(),
            vol.Optional(UNKNOWN_PRICE, default=CEILING): choice((CEILING, REFUSE), UNKNOWN_PRICE),
            vol.Optional(Conf.UNKNOWN_PRICE_HOLD.value): dollars(),
            vol.Optional(Conf.TIMEOUT.value): whole(1, 3_600, "s"),
            vol.Optional(Conf.MAX_TOKENS.value): whole(1, 1_000_000),
        }
    )


_PLAIN = (Conf.FAILOVER, Conf.LOCAL_ONLY, Conf.TIMEOUT, Conf.MAX_TOKENS)
_STORED_BY_FORM = frozenset({*_PLAIN, Conf.BUDGET_DAY, Conf.BUDGET_MONTH, Conf.UNKNOWN_PRICE_HOLD})


def _options_to_show(stored: Mapping[str, Any]) -> dict[str, Any]:
    hold = stored.get(Conf.UNKNOWN_PRICE_HOLD, DEFAULT_UNKNOWN_PRICE_HOLD)
    return {
        Conf.TIMEOUT.value: DEFAULT_BOUNDS.timeout,
        Conf.MAX_TOKENS.value: DEFAULT_MAX_OUTPUT,
        **{key.value: stored[key] for key in _PLAIN if key in stored},
        **budgets_to_show(stored),
        UNKNOWN_PRICE: REFUSE if hold is None else CEILING,
        Conf.UNKNOWN_PRICE_HOLD.value: float(DEFAULT_UNKNOWN_PRICE_HOLD if hold is None else hold),
    }


def _options_to_store(form: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options: None as the hold of an unknown price refuses such calls; what no form asks for is kept."""
    refused = form[UNKNOWN_PRICE] == REFUSE
    return {
        **{key: value for key, value in before.items() if key not in _STORED_BY_FORM},
        **{key.value: form[key] for key in _PLAIN if key in form},
        **budgets_to_store(form),
        Conf.UNKNOWN_PRICE_HOLD.value: None if refused else decimal_text(form[Conf.UNKNOWN_PRICE_HOLD]),
    }
