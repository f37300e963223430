"""Adds a provider or changes one: its kind, a live check of its server, its models and limits.

Nothing here reloads the entry: the update listener follows, and the other providers' traffic goes on.
"""

from collections.abc import Iterable, Mapping
from typing import Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, SubentryFlowResult
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util

from ..const import SUBENTRY_PROVIDER, Conf
from ..hub import RouterConfigEntry
from ..plug_ins import kinds
from ..providers.endpoint import InvalidEndpoint, checked_key
from ..providers.presets import PRESETS
from ..providers.registry import Kind, ProviderSetup
from ..routing.model import Model
from ..stored_models import CALL_PRICE, model_as_listed
from ..stored_settings import read_subentry
from .fields import household
from .key_renewal import running
from .limit_forms import limits_to_show, limits_to_store
from .loading import LOADING, loading_to_store
from .model import ModelSteps
from .provider_check import (
    API_KEY,
    BASE,
    EXTRAS,
    NAME,
    URL,
    FieldProblem,
    ask_server,
    encrypted,
    encrypted_extra,
    same_server,
)
from .provider_forms import (
    LOCAL,
    MODELS,
    PRESET,
    SHARED,
    chosen_models,
    demo_form,
    kind_form,
    models_form,
    options_to_store,
    preset_to_show,
    provider_to_show,
    provider_to_store,
    server_form,
    unlisted_model,
)
from .subentry import free_name


class ProviderFlow(ModelSteps):
    """One flow; what was typed lives as long as it does. The key is held only in the form in which it is stored."""

    def __init__(self) -> None:
        """Begin with nothing stored and nothing typed."""
        super().__init__()
        self._kind = ""
        self._stored: Mapping[str, Any] = {}
        self._shown: dict[str, Any] = {}
        self._typed_key: str | None = None
        self._typed_extras: dict[str, str | None] = {}
        self._listed: dict[str, Model] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the kind of a new provider."""
        self._loaded()
        if user_input is not None:
            self._kind = user_input[Conf.KIND]
            if preset := PRESETS.get(self._kind):
                self._kind, self._shown = SHARED, preset_to_show(preset)
            elif limits := self._of_kind().limits:
                self._shown = limits_to_show(limits)
            return await self._first_step()
        return self.async_show_form(step_id="user", data_schema=kind_form(kinds(self.hass)))

    async def async_step_reconfigure(
        self,
        user_input: dict[str, Any] | None = None,  # noqa: ARG002 - there is no form of its own
    ) -> SubentryFlowResult:
        """Ask what is to be changed."""
        self._loaded()
        return self.async_show_menu(step_id="reconfigure", menu_options=["connection", "choose_model"])

    async def async_step_connection(
        self,
        user_input: dict[str, Any] | None = None,  # noqa: ARG002 - there is no form of its own
    ) -> SubentryFlowResult:
        """Go through the same steps as for a new provider with what is stored."""
        self._loaded()
        self._kind = self._stored.get(Conf.KIND, "")
        self._shown = provider_to_show(self._of_kind(), self._get_reconfigure_subentry().title, self._stored)
        return await self._first_step()

    def _of_kind(self) -> Kind:
        """Return the provider's kind. Aborts where what brought it is gone."""
        if (kind := kinds(self.hass).get(self._kind)) is None:
            raise AbortFlow("kind_unknown")
        return kind

    async def _first_step(self) -> SubentryFlowResult:
        return await (self.async_step_demo() if self._kind == "demo" else self._server_step())

    async def async_step_demo(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for everything about a simulated provider."""
        entry = self._loaded()
        kind = self._of_kind()
        errors: dict[str, str] = {}
        if user_input is not None:
            self._shown = user_input
            try:
                name = self._free_name(entry)
                options = options_to_store(kind, user_input, self._stored.get(Conf.OPTIONS, {}))
                limits = limits_to_store(user_input)
                setup = ProviderSetup(id=self.flow_id, kind=kind.id, options=options)
                models = await kind.build(setup, async_get_clientsession(self.hass)).models()
                data = provider_to_store(kind, options, models, limits, before=self._stored)
            except FieldProblem as problem:
                errors[problem.field] = problem.error
            else:
                return self._finish(entry, name, data)
        return self.async_show_form(
            step_id="demo",
            data_schema=self.add_suggested_values_to_schema(demo_form(kind, await self._people()), self._shown),
            errors=errors,
            last_step=True,
        )

    async def _server_step(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask where a server is, or what else its kind needs, and check it live."""
        entry = self._loaded()
        kind = self._of_kind()
        if user_input is None:
            return await self._show_server(None)
        typed_key = user_input.pop(API_KEY, "")
        extras = {name: text for name in EXTRAS if (text := user_input.pop(name, "").strip())}
        asked = {URL, *LOADING, *(option.label for option in kind.options())}
        before = {name: value for name, value in self._shown.items() if name not in asked} if kind.chosen else {}
        self._shown = before | user_input
        try:
            name = self._free_name(entry)
            self._listed = await self._ask_server(entry, typed_key, extras)
            if not kind.chosen:
                return self._finish(entry, name, self._to_store(kind, self._shown, list(self._listed)))
        except FieldProblem as problem:
            if problem.about_key:
                self._typed_key = None
            return await self._show_server(problem)
        return await self.async_step_models()

    async_step_openai_compatible = async_step_ollama = _server_step
    async_step_openai = async_step_anthropic = async_step_gemini = async_step_cloudflare = _server_step
    async_step_ai_task = async_step_plug_in = _server_step

    async def _show_server(self, problem: FieldProblem | None) -> SubentryFlowResult:
        kind = self._of_kind()
        form = server_form(kind, await self._people())
        errors = {}
        if problem is not None:
            errors[problem.field if problem.field in set(map(str, form.schema)) else BASE] = problem.error
        return self.async_show_form(
            # Other integrations cannot bring texts for a page of ours: their kinds share one.
            step_id="plug_in" if kind.name else kind.id,
            data_schema=self.add_suggested_values_to_schema(form, self._shown),
            errors=errors,
            description_placeholders={
                **({"kind": kind.name} if kind.name else {}),
                **(problem.placeholders if problem else {}),
            },
            last_step=not kind.chosen,
        )

    async def async_step_models(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the models to use and for limits."""
        entry = self._loaded()
        kind = self._of_kind()
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                name = self._free_name(entry)
                models = chosen_models(user_input, self._known())
                labels = {option.label for option in kind.options()} & self._shown.keys()
                typed = self._shown_options() | {label: self._shown[label] for label in labels} | user_input
                return self._finish(entry, name, self._to_store(kind, typed, models))
            except FieldProblem as problem:
                if problem.field == NAME:  # another flow was faster
                    return await self._show_server(problem)
                errors[problem.field] = problem.error
        shown = self._shown_models() if user_input is None else user_input
        form = models_form(kind, self._offered(), await self._people())
        return self.async_show_form(
            step_id="models",
            data_schema=self.add_suggested_values_to_schema(form, shown),
            errors=errors,
            last_step=True,
        )

    def _to_store(self, kind: Kind, form: Mapping[str, Any], models: Iterable[str]) -> dict[str, Any]:
        """Return the provider's data: what is typed, and of what was stored what no form asks for. Raises `FieldProblem`."""
        options = options_to_store(kind, form, self._stored.get(Conf.OPTIONS, {}))
        limits = limits_to_store(form)
        return provider_to_store(
            kind,
            options,
            [self._model(model_id, options) for model_id in models],
            limits,
            url=self._url(),
            credential=self._credential(),
            since=dt_util.utcnow().isoformat(timespec="seconds") if self._typed_key else None,
            secrets=self._secrets(),
            call_price=form.get(CALL_PRICE),
            before=self._stored,
        )

    @override
    def _loaded(self) -> RouterConfigEntry:
        """Return the entry, and look at what is stored now and can be read. Aborts where it or the provider is gone."""
        entry = running(self.hass.config_entries.async_get_entry(self._entry_id))
        if self.source == SOURCE_RECONFIGURE:
            if self._reconfigure_subentry_id not in entry.subentries:
                raise AbortFlow("provider_removed")
            self._stored = read_subentry(SUBENTRY_PROVIDER, self._get_reconfigure_subentry().data).shown
        return entry

    async def _people(self) -> dict[str, str]:
        return await household(self.hass, *(self._stored.get(Conf.USERS) or ()))

    def _credential(self) -> str | None:
        return self._typed_key or self._stored.get(Conf.CREDENTIAL)

    def _secrets(self) -> dict[str, str]:
        """Return what the household adds as it is stored: what was typed, else what was stored before."""
        secrets = {**self._stored.get(Conf.SECRETS, {}), **self._typed_extras}
        return {name: token for name, token in secrets.items() if token is not None}

    def _free_name(self, entry: RouterConfigEntry) -> str:
        """Return the name that was typed. Raises `FieldProblem`."""
        own_id = self._reconfigure_subentry_id if self.source == SOURCE_RECONFIGURE else None
        return free_name(entry, SUBENTRY_PROVIDER, self._shown[NAME], own_id)

    async def _ask_server(
        self, entry: RouterConfigEntry, typed_key: str, extras: Mapping[str, str]
    ) -> dict[str, Model]:
        """Check the server as typed and return its models. Raises `FieldProblem`."""
        try:
            if typed := checked_key(typed_key):
                self._typed_key = await encrypted(entry.runtime_data.vault, typed)
        except InvalidEndpoint as err:
            raise FieldProblem.of_endpoint(err) from None
        for name, text in extras.items():
            self._typed_extras[name] = await encrypted_extra(entry.runtime_data.vault, name, text)
        kind = self._of_kind()
        theirs = LOADING | {option.name for option in kind.options()}
        stored = {name: value for name, value in self._stored.get(Conf.OPTIONS, {}).items() if name not in theirs}
        options = {**stored, **self._shown_options()}
        return await ask_server(
            entry,
            self.flow_id,
            kind,
            options,
            url=self._url(),
            credential=self._credential(),
            secrets=self._secrets(),
        )

    def _url(self) -> str | None:
        return self._shown.get(URL, "").strip() or None

    def _shown_options(self) -> dict[str, Any]:
        kind = self._of_kind()
        local = {LOCAL: self._shown[LOCAL]} if kind.local_choice else {}
        preset = {PRESET: self._shown[PRESET]} if kind.extras and PRESET in self._shown else {}
        theirs = {option.name: self._shown[option.label] for option in kind.options() if option.label in self._shown}
        asked = {name: self._shown[name].strip() for name in kind.asks}
        return theirs | local | preset | asked | loading_to_store(self._shown)

    def _stored_models(self) -> dict[str, Model]:
        """Return the models stored for the server that is shown; none where it is another one."""
        if not same_server(self._url(), self._stored.get(Conf.URL)):
            return {}
        return {model["id"]: model_as_listed(model) for model in self._stored.get(Conf.MODELS, ())}

    def _offered(self) -> list[Model]:
        return list((self._listed | self._stored_models()).values())

    def _known(self) -> set[str]:
        return self._listed.keys() | self._stored_models().keys()

    def _shown_models(self) -> dict[str, Any]:
        """Return what the form of models suggests: of another server, only those models that it has too."""
        shown = dict(self._shown)
        known = self._known()
        if not (still := [model for model in shown.pop(MODELS, []) if model in known]):
            return shown
        return shown | {MODELS: still}

    def _model(self, model_id: str, options: Mapping[str, Any]) -> Model:
        """Return what the server says of a model, else what is stored of it, else what its name says."""
        known = self._stored_models() if options == self._stored.get(Conf.OPTIONS) else {}
        known |= self._listed
        return known.get(model_id) or unlisted_model(model_id, options, self._of_kind())

    def _finish(self, entry: RouterConfigEntry, name: str, data: Mapping[str, Any]) -> SubentryFlowResult:
        if self.source == SOURCE_RECONFIGURE:
            # It has just been checked live, or simulates: what had set it aside is mended, also when nothing changed.
            entry.runtime_data.router.mend(self._get_reconfigure_subentry().subentry_id)
            return self.async_update_and_abort(entry, self._get_reconfigure_subentry(), title=name, data=data)
        return self.async_create_entry(title=name, data=data)
