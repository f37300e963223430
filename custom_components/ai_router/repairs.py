"""Mends what is shown under Repairs: each problem with the one thing that ends it, checked before it is stored."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol
from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import SelectSelector, SelectSelectorConfig, SelectSelectorMode
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN, SUBENTRY_POOL, Conf
from .flows.fields import decimal_text, dollars
from .flows.key_renewal import KEY_FORM, ask_stored, form_errors, provider_of, renew_key, running
from .flows.pool_forms import with_successor
from .flows.provider_check import API_KEY, FieldProblem, decrypted
from .flows.provider_forms import model_to_store
from .hub import RouterConfigEntry
from .issues import budget_keys, goes_soon
from .plug_ins import kinds
from .problems import Problem
from .routing.budgets import MoneyBucket
from .routing.model import Capability, Model
from .routing.money import to_dollars, to_picodollars
from .routing.tickets import Window
from .settings import provider_models
from .stored_models import CALL_PRICE, OWN, token_prices
from .stored_settings import BUDGET_WINDOWS

AMOUNT = "amount"
MODEL = "model"
BUDGETS = {window: key for key, window in BUDGET_WINDOWS.items()}
"""The budgets that can be set, and so be raised."""

# There is nothing left to mend: somebody else was faster, or time was.
_OVER = "over"

type _Data = dict[str, str | int | float | None]


class Repair(RepairsFlow):
    """One form, shown until what is typed ends the problem."""

    def __init__(self, data: _Data) -> None:
        """Take what the issue knows."""
        self.about = str(data.get("about", ""))
        self.model_id = str(data.get(MODEL, ""))
        self.scope, self.window = str(data.get("scope", "")), str(data.get("window", ""))
        self._named: Mapping[str, str] = {}

    async def async_step_init(self, _: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show the form; what comes with the first call is no answer to it."""
        return await self.async_step_mend()

    async def async_step_mend(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask, and mend."""
        problem: FieldProblem | None = None
        form = await self.form()
        if user_input is not None:
            try:
                await self.mend(user_input)
            except FieldProblem as err:
                problem = err
            else:
                return self.async_create_entry(data={})
        # It may be over meanwhile, mended elsewhere: what the form says needs its names all the same.
        issue = ir.async_get(self.hass).async_get_issue(self.handler, self.issue_id)
        self._named = self._named if issue is None else issue.translation_placeholders or {}
        errors, placeholders = form_errors(problem, (str(field) for field in form.schema))
        return self.async_show_form(
            step_id="mend",
            data_schema=self.add_suggested_values_to_schema(form, user_input),
            errors=errors,
            description_placeholders={**self._named, **placeholders},
        )

    def entry(self) -> RouterConfigEntry:
        """Return the running entry. Raises `AbortFlow`."""
        return running(next(iter(self.hass.config_entries.async_entries(DOMAIN)), None))

    def provider(self) -> ConfigSubentry:
        """Return the provider as it is stored now. Raises `AbortFlow`."""
        return provider_of(self.entry(), self.about)

    async def form(self) -> vol.Schema:
        """Return the fields. Raises `AbortFlow` where there is nothing left to mend."""
        self.provider()
        return vol.Schema({})

    @abstractmethod
    async def mend(self, typed: dict[str, Any]) -> None:
        """End the problem. Raises `FieldProblem`."""

    def store(self, changes: dict[str, Any]) -> None:
        """Change what is stored of the provider."""
        subentry = self.provider()
        self.hass.config_entries.async_update_subentry(self.entry(), subentry, data={**subentry.data, **changes})

    def stored_model(self) -> Mapping[str, Any]:
        """Return the issue's model as it is stored now. Raises `AbortFlow` where the provider does not use it any more."""
        for model in self.provider().data[Conf.MODELS]:
            if model["id"] == self.model_id:
                return dict(model)
        raise AbortFlow(_OVER)

    def used_model(self) -> Model:
        """Return the issue's model as it is used now. Raises `AbortFlow` where the provider does not use it any more."""
        self.stored_model()
        models = provider_models(self.provider().data, self.entry().runtime_data.table)
        return next(model for model in models if model.id == self.model_id)

    def store_model(self, stored: dict[str, Any]) -> None:
        """Put a model in the place of the issue's; if it is used already, the issue's only goes."""
        before: list[dict[str, Any]] = self.provider().data[Conf.MODELS]
        others = [model for model in before if model["id"] == self.model_id or model["id"] != stored["id"]]
        self.store({Conf.MODELS.value: [stored if model["id"] == self.model_id else model for model in others]})


class KeyRepair(Repair):
    """Takes a new key."""

    @override
    async def form(self) -> vol.Schema:
        self.provider()
        return KEY_FORM

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        await renew_key(self.entry(), self.about, typed.get(API_KEY, ""))


class OldKeyRepair(KeyRepair):
    """Takes a key that is not the old one."""

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        if not (key := typed.get(API_KEY, "").strip()):
            raise FieldProblem(API_KEY, "key_missing")
        if key == await decrypted(self.entry().runtime_data.vault, self.provider().data.get(Conf.CREDENTIAL)):
            raise FieldProblem(API_KEY, "key_same")
        await super().mend(typed)


class CreditRepair(Repair):
    """Takes a person's word that there is credit again, if the account lets itself be asked."""

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        await ask_stored(self.entry(), self.provider())
        self.entry().runtime_data.router.mend(self.about)


class ModelRepair(Repair):
    """Puts a model that the provider lists in the place of one that is gone, or about to go; in the pools too."""

    def __init__(self, data: _Data) -> None:
        """Begin before the provider was asked."""
        super().__init__(data)
        self._models: dict[str, Model] = {}

    @override
    async def form(self) -> vol.Schema:
        used = self.used_model()
        # It may have answered meanwhile.
        if ir.async_get(self.hass).async_get_issue(self.handler, self.issue_id) is None:
            raise AbortFlow(_OVER)
        if not self._models:
            self._models = await self._successors(used)
        options = SelectSelectorConfig(options=list(self._models), mode=SelectSelectorMode.DROPDOWN)
        return vol.Schema({vol.Required(MODEL): SelectSelector(options)})

    async def _successors(self, gone: Model) -> dict[str, Model]:
        """Return what does the same work; what goes soon too only where nothing stays. Raises `AbortFlow`."""
        named = {"provider": self.provider().title, MODEL: gone.id}
        try:
            listed = await ask_stored(self.entry(), self.provider())
        except FieldProblem as err:
            raise AbortFlow("not_listed", {**named, "detail": await _in_words(self.hass, err)}) from None
        work = Capability.CHAT if Capability.CHAT in gone.caps else Capability.EMBEDDINGS
        able = {model.id: model for model in listed.values() if work in model.caps}
        staying = {name: model for name, model in able.items() if not goes_soon(model)}
        found = staying or {name: model for name, model in able.items() if name != gone.id}
        if not found:
            raise AbortFlow("no_successor", named)
        return found

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        chosen, data = self._models[typed[MODEL]], self.provider().data
        # Of a model that is used already, the household's word goes on.
        own = next((model.get(OWN) for model in data[Conf.MODELS] if model["id"] == chosen.id), None)
        self.store_model(model_to_store(chosen, data.get(Conf.OPTIONS, {}), own))
        entry = self.entry()
        for pool in entry.get_subentries_of_type(SUBENTRY_POOL):
            members = with_successor(pool.data.get(Conf.MEMBERS, ()), self.about, self.model_id, chosen.id)
            change = {**pool.data, Conf.MEMBERS.value: members}
            self.hass.config_entries.async_update_subentry(entry, pool, data=change)
        entry.runtime_data.router.mend(self.about)


async def _in_words(hass: HomeAssistant, problem: FieldProblem) -> str:
    """Return the sentence that the form would have shown, in the household's language."""
    texts = await async_get_translations(hass, hass.config.language, "issues", [DOMAIN])
    text = texts.get(f"component.{DOMAIN}.issues.{Problem.MODEL_RETIRED}.fix_flow.error.{problem.error}")
    return str(problem.placeholders.get("detail", "")) if text is None else text.format(**problem.placeholders)


class PriceRepair(Repair):
    """Takes what a model costs: in USD for a million tokens, or for a call where its kind tells of no tokens."""

    @override
    async def form(self) -> vol.Schema:
        if self.used_model().prices is not None:
            raise AbortFlow(_OVER)
        # The frontend fills a required number in with 0, and nobody means that by pressing a button.
        return vol.Schema({vol.Optional(name): dollars(unit) for name, unit in self._asked().items()})

    def _asked(self) -> dict[str, str]:
        """Return the units by the names of the fields."""
        if kinds(self.hass)[self.provider().data[Conf.KIND]].call_price:
            return {CALL_PRICE: "USD"}
        return dict.fromkeys(sorted(token_prices(self.used_model().caps)), "USD / 1M tokens")

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        asked = self._asked()
        for name in asked:
            if typed.get(name) is None:
                raise FieldProblem(name, "price_missing")
        prices = {name: decimal_text(typed[name]) for name in asked}
        model = self.stored_model()
        self.store_model({**model, OWN: {**model.get(OWN, {}), **prices}})


class BudgetRepair(Repair):
    """Takes a larger budget: a provider's, a pool's or the router's."""

    @property
    def _key(self) -> Conf:
        return BUDGETS[Window(self.window)]

    def _holder(self) -> ConfigSubentry | None:
        """Return whose it is; None is the router. Raises `AbortFlow`."""
        if not self.about:
            return None
        if (subentry := self.entry().subentries.get(self.about)) is None:
            raise AbortFlow(f"{self.scope}_removed")
        return subentry

    def _bucket(self) -> MoneyBucket:
        """Return where it is counted. Raises `AbortFlow` where it is not used up any more: raised, or a new one began."""
        self._holder()
        admission = self.entry().runtime_data.router.admission
        for key in budget_keys(self.entry().runtime_data.router.config):
            if (key.id, key.window) == (self.about, self.window) and (bucket := admission.money(key)).used_up:
                return bucket
        raise AbortFlow(_OVER)

    @override
    async def form(self) -> vol.Schema:
        limit = self._bucket().limit
        return vol.Schema({vol.Required(AMOUNT, default=float(to_dollars(limit or 0))): dollars()})

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        bucket, amount = self._bucket(), decimal_text(typed[AMOUNT])
        spent = bucket.account.settled
        if to_picodollars(amount) <= max(spent, bucket.limit or 0):
            raise FieldProblem(AMOUNT, "not_raised", {"spent": decimal_text(to_dollars(spent))})
        change = {self._key.value: amount}
        entry, holder = self.entry(), self._holder()
        if holder is None:
            self.hass.config_entries.async_update_entry(entry, options={**entry.options, **change})
        else:
            self.hass.config_entries.async_update_subentry(entry, holder, data={**holder.data, **change})


_REPAIRS: dict[Problem, type[Repair]] = {
    Problem.KEY_REJECTED: KeyRepair,
    Problem.KEY_OLD: OldKeyRepair,
    Problem.NO_CREDIT: CreditRepair,
    Problem.MODEL_RETIRED: ModelRepair,
    Problem.MODEL_RETIRES: ModelRepair,
    Problem.PRICE_UNKNOWN: PriceRepair,
    Problem.BUDGET_REACHED: BudgetRepair,
}


async def async_create_fix_flow(
    hass: HomeAssistant,  # noqa: ARG001  # the platform's signature
    issue_id: str,  # noqa: ARG001 - the platform's signature
    data: _Data | None,
) -> RepairsFlow:
    """Return the flow that mends an issue; what can only be read is confirmed."""
    repair = _REPAIRS.get(Problem(str(data["problem"]))) if data else None
    return ConfirmRepairFlow() if data is None or repair is None else repair(data)
