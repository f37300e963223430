"""Adds a provider or changes one: its kind, a live check of its server, its models and limits.

Nothing here reloads the entry: the update listener follows, and the other providers' traffic goes on.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .const import SUBENTRY_PROVIDER, Conf
from .hub import RouterConfigEntry
from .provider_check import API_KEY, BASE, NAME, URL, FieldProblem, decrypted, encrypted, listed_models
from .provider_forms import (
    LIMITS,
    LOCAL,
    MODELS,
    chosen_models,
    demo_form,
    kind_form,
    models_form,
    options_to_store,
    provider_to_show,
    provider_to_store,
    server_form,
    unlisted_model,
)
from .providers.endpoint import InvalidEndpoint, base_url, checked_key, is_in_the_house
from .providers.registry import KINDS, Need, ProviderSetup
from .routing.model import Model
from .settings import model_from_stored


class ProviderFlow(ConfigSubentryFlow):
    """One flow; what was typed lives as long as it does. The key is held only in the form in which it is stored."""

    def __init__(self) -> None:
        """Begin with nothing stored and nothing typed."""
        self._kind = ""
        self._stored: Mapping[str, Any] = {}
        self._shown: dict[str, Any] = {}
        self._typed_key: str | None = None
        self._listed: dict[str, Model] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the kind of a new provider."""
        self._loaded()
        if user_input is not None:
            self._kind = user_input[Conf.KIND]
            return await self._first_step()
        return self.async_show_form(step_id="user", data_schema=kind_form())

    async def async_step_reconfigure(
        self,
        user_input: dict[str, Any] | None = None,  # noqa: ARG002 - there is no form of its own
    ) -> SubentryFlowResult:
        """Go through the same steps with what is stored."""
        self._loaded()
        self._kind = self._stored[Conf.KIND]
        if self._kind not in KINDS:
            return self.async_abort(reason="kind_unknown")
        self._shown = provider_to_show(self._get_reconfigure_subentry().title, self._stored)
        return await self._first_step()

    async def _first_step(self) -> SubentryFlowResult:
        return await (self.async_step_demo() if self._kind == "demo" else self._server_step())

    async def async_step_demo(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for everything about a simulated provider."""
        entry = self._loaded()
        kind = KINDS[self._kind]
        errors: dict[str, str] = {}
        if user_input is not None:
            self._shown = user_input
            try:
                name = self._free_name(entry)
                options = options_to_store(kind, user_input, self._stored.get(Conf.OPTIONS, {}))
            except FieldProblem as problem:
                errors[problem.field] = problem.error
            else:
                setup = ProviderSetup(id=self.flow_id, kind=kind.id, options=options)
                models = await kind.build(setup, async_get_clientsession(self.hass)).models()
                data = provider_to_store(kind, options, models, user_input[LIMITS], before=self._stored)
                return self._finish(entry, name, data)
        return self.async_show_form(
            step_id="demo",
            data_schema=self.add_suggested_values_to_schema(demo_form(kind), self._shown),
            errors=errors,
            last_step=True,
        )

    async def _server_step(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask where a server is, and check it live."""
        entry = self._loaded()
        if user_input is None:
            return self._show_server(None)
        typed_key = user_input.pop(API_KEY, "")
        self._shown = {name: value for name, value in self._shown.items() if name != URL} | user_input
        try:
            self._free_name(entry)
            self._listed = await self._ask_server(entry, typed_key)
        except FieldProblem as problem:
            if problem.about_key:
                self._typed_key = None
            return self._show_server(problem)
        return await self.async_step_models()

    async_step_openai_compatible = async_step_ollama = _server_step
    async_step_openai = async_step_anthropic = async_step_gemini = async_step_cloudflare = _server_step

    def _show_server(self, problem: FieldProblem | None) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=self._kind,
            data_schema=self.add_suggested_values_to_schema(server_form(KINDS[self._kind]), self._shown),
            errors={problem.field: problem.error} if problem else None,
            description_placeholders=problem.placeholders if problem else None,
            last_step=False,
        )

    async def async_step_models(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the models to use and for limits."""
        entry = self._loaded()
        kind = KINDS[self._kind]
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                name = self._free_name(entry)
                models = chosen_models(user_input)
                form = self._shown_options() | user_input
                options = options_to_store(kind, form, self._stored.get(Conf.OPTIONS, {}))
            except FieldProblem as problem:
                if problem.field == NAME:  # another flow was faster
                    return self._show_server(problem)
                errors[problem.field] = problem.error
            else:
                data = provider_to_store(
                    kind,
                    options,
                    [self._model(model_id, options) for model_id in models],
                    user_input[LIMITS],
                    url=self._url(),
                    credential=self._credential(),
                    before=self._stored,
                )
                return self._finish(entry, name, data)
        shown = self._shown_models() if user_input is None else user_input
        return self.async_show_form(
            step_id="models",
            data_schema=self.add_suggested_values_to_schema(models_form(kind, self._offered()), shown),
            errors=errors,
            last_step=True,
        )

    def _loaded(self) -> RouterConfigEntry:
        """Return the entry, and look at what is stored now. Aborts where the entry or the provider is gone."""
        entry: RouterConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded")
        if self.source == SOURCE_RECONFIGURE:
            if self._reconfigure_subentry_id not in entry.subentries:
                raise AbortFlow("provider_removed")
            self._stored = self._get_reconfigure_subentry().data
        return entry

    def _credential(self) -> str | None:
        return self._typed_key or self._stored.get(Conf.CREDENTIAL)

    def _free_name(self, entry: RouterConfigEntry) -> str:
        """Return the name that was typed. Raises `FieldProblem`: people refer to providers by name."""
        name = str(self._shown[NAME]).strip()
        if not name:
            raise FieldProblem(NAME, "name_missing")
        for subentry in entry.get_subentries_of_type(SUBENTRY_PROVIDER):
            is_this = subentry.subentry_id == self.context.get("subentry_id")
            if not is_this and subentry.title.casefold() == name.casefold():
                raise FieldProblem(NAME, "name_taken")
        return name

    async def _ask_server(self, entry: RouterConfigEntry, typed_key: str) -> dict[str, Model]:
        """Check the server as typed and return its models. Raises `FieldProblem`."""
        hub = entry.runtime_data
        kind = KINDS[self._kind]
        try:
            if typed := checked_key(typed_key):
                self._typed_key = await encrypted(hub.vault, typed)
            key = await decrypted(hub.vault, self._credential())
            host = base_url(self._url() or kind.default_url or "", key=key).host or ""
        except InvalidEndpoint as err:
            raise FieldProblem.of_endpoint(err) from None
        if key is None and kind.key is Need.REQUIRED:
            raise FieldProblem(API_KEY, "key_missing")
        if entry.options.get(Conf.LOCAL_ONLY) and not (self._shown.get(LOCAL) or is_in_the_house(host)):
            raise FieldProblem(LOCAL, "local_only") if kind.local_choice else FieldProblem(BASE, "never_local")
        options = {**self._stored.get(Conf.OPTIONS, {}), **self._shown_options()}
        setup = ProviderSetup(id=self.flow_id, kind=kind.id, url=self._url(), key=key, options=options)
        return await listed_models(kind, setup, async_get_clientsession(self.hass), hub.redactor)

    def _url(self) -> str | None:
        return self._shown.get(URL, "").strip() or None

    def _shown_options(self) -> dict[str, Any]:
        kind = KINDS[self._kind]
        local = {LOCAL: self._shown[LOCAL]} if kind.local_choice else {}
        return local | {name: self._shown[name].strip() for name in kind.asks}

    def _stored_models(self) -> dict[str, Model]:
        """Return the models stored for the server that is shown; none where it is another one."""
        if self._url() != self._stored.get(Conf.URL):
            return {}
        return {model["id"]: model_from_stored(model) for model in self._stored.get(Conf.MODELS, ())}

    def _offered(self) -> list[Model]:
        return list((self._listed | self._stored_models()).values())

    def _shown_models(self) -> dict[str, Any]:
        """Return what the form of models suggests: of another server, only those models that it has too."""
        shown = dict(self._shown)
        known = self._listed.keys() | self._stored_models().keys()
        if not (still := [model for model in shown.pop(MODELS, []) if model in known]):
            return shown
        return shown | {MODELS: still}

    def _model(self, model_id: str, options: Mapping[str, Any]) -> Model:
        """Return what the server says of a model, else what is stored of it, else what its name says."""
        known = self._stored_models() if options == self._stored.get(Conf.OPTIONS) else {}
        known |= self._listed
        return known.get(model_id) or unlisted_model(model_id, options, KINDS[self._kind])

    def _finish(self, entry: RouterConfigEntry, name: str, data: Mapping[str, Any]) -> SubentryFlowResult:
        if self.source == SOURCE_RECONFIGURE:
            # It has just been checked live, or simulates: what had set it aside is mended, also when nothing changed.
            entry.runtime_data.router.mend(self._get_reconfigure_subentry().subentry_id)
            return self.async_update_and_abort(entry, self._get_reconfigure_subentry(), title=name, data=data)
        return self.async_create_entry(title=name, data=data)
