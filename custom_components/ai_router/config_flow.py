"""Sets the router up, offering what the house already has, and changes its options."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, override

import voluptuous as vol
from aiohttp import ClientSession
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigEntry,
    ConfigEntryState,
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

from .ai_task_target import ENTITY, ai_task_kind, entities
from .const import DOMAIN, SUBENTRY_POOL, SUBENTRY_PROVIDER, SUBENTRY_RULE
from .flows.fields import named
from .flows.key_renewal import KEY_FORM, form_errors, provider_of, renew_key
from .flows.options import RouterOptionsFlow
from .flows.pool import PoolFlow
from .flows.provider import ProviderFlow
from .flows.provider_check import API_KEY, FieldProblem, listed_models
from .flows.provider_forms import LOCAL, provider_to_store
from .flows.rule import RuleFlow
from .hub import RouterConfigEntry
from .migration import MINOR_VERSION, VERSION
from .providers.registry import KINDS, ProviderSetup
from .providers.transport import Transport
from .redaction import Redactor
from .routing.failures import AttemptFailed
from .routing.model import Capability, Model

OLLAMA_ADDRESSES: Final = ["http://127.0.0.1:11434", "http://ollama:11434"]
_LOOK_SECONDS = 1.0

ADD_OLLAMA = "add_ollama"
ADD_AI_TASKS = "add_ai_tasks"


class RouterFlow(ConfigFlow, domain=DOMAIN):
    """Sets the router up; nothing needs to be filled in."""

    VERSION = VERSION
    MINOR_VERSION = MINOR_VERSION

    def __init__(self) -> None:
        """Begin before anything was looked for."""
        self._ollama: tuple[str, int] | None = None
        self._entities: dict[str, str] = {}
        self._provider_id = ""

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer an Ollama that answers and the AI Task entities of other integrations, and create the entry."""
        errors: dict[str, str] = {}
        if user_input is None:
            self._ollama = await _find_ollama(async_get_clientsession(self.hass))
            self._entities = entities(self.hass)
        else:
            try:
                subentries = [*await self._first_ollama(user_input), *await self._first_ai_tasks(user_input)]
            except FieldProblem as problem:
                errors[problem.field] = problem.error
            else:
                return self.async_create_entry(title="AI Router", data={}, options={}, subentries=subentries)
        fields: dict[vol.Marker, Any] = {}
        placeholders: dict[str, str] = {}
        if self._ollama is not None:
            fields[vol.Optional(ADD_OLLAMA, default=True)] = BooleanSelector()
            placeholders = {"address": self._ollama[0], "models": str(self._ollama[1])}
        if self._entities:
            # None by itself: they may cost money, and nobody has said that they stay in the house.
            fields[vol.Optional(ADD_AI_TASKS, default=[])] = named(self._entities, several=True)
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(vol.Schema(fields), user_input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _first_ollama(self, user_input: Mapping[str, Any]) -> list[ConfigSubentryData]:
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

    async def _first_ai_tasks(self, user_input: Mapping[str, Any]) -> list[ConfigSubentryData]:
        """Return the AI Task entities that are wanted; what has gone meanwhile is left out."""
        kind = ai_task_kind(self.hass)
        subentries: list[ConfigSubentryData] = []
        names = {"ollama"} if self._ollama is not None else set()
        for entity in user_input.get(ADD_AI_TASKS, ()):
            options = {ENTITY: entity, LOCAL: False}
            setup = ProviderSetup(id=self.flow_id, kind=kind.id, options=options)
            try:
                models = await kind.build(setup, async_get_clientsession(self.hass)).models()
            except AttemptFailed:
                continue
            title = self._entities[entity]
            if title.casefold() in names:
                title = f"{title} ({models[0].id})"
            names.add(title.casefold())
            data = provider_to_store(kind, options, models, kind.limits)
            subentries.append(
                ConfigSubentryData(data=data, subentry_type=SUBENTRY_PROVIDER, title=title, unique_id=None)
            )
        return subentries

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin to ask for one provider's key."""
        self._provider_id = str(entry_data["subentry_id"])
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the key, and check it before it takes the old one's place."""
        entry: RouterConfigEntry = self._get_reauth_entry()
        subentry = provider_of(entry, self._provider_id)
        problem: FieldProblem | None = None
        if user_input is not None:
            try:
                await renew_key(entry, self._provider_id, user_input.get(API_KEY, ""))
            except FieldProblem as err:
                problem = err
            else:
                # Nothing of the entry itself has changed, and a reload would drop the others' traffic.
                return self.async_update_and_abort(entry)
        errors, placeholders = form_errors(problem, (API_KEY,))
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=KEY_FORM,
            errors=errors,
            description_placeholders={"provider": subentry.title, **placeholders},
        )

    @callback
    @override
    def async_remove(self) -> None:
        """Give the turn to the next provider when a re-authentication ends, however it does."""
        if self.source == SOURCE_REAUTH:
            entry = self.hass.config_entries.async_get_entry(self._reauth_entry_id)
            if entry is not None and entry.state is ConfigEntryState.LOADED:
                self.hass.loop.call_soon(entry.runtime_data.issues.reauthentication.ended, self._provider_id)

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
        return {SUBENTRY_PROVIDER: ProviderFlow, SUBENTRY_POOL: PoolFlow, SUBENTRY_RULE: RuleFlow}


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
