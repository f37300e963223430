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

from .const import DOMAIN, Conf
from .flows.fields import decimal_text, dollars
from .flows.key_renewal import KEY_FORM, ask_stored, form_errors, provider_of, renew_key, running
from .flows.provider_check import API_KEY, FieldProblem
from .flows.provider_forms import model_to_store
from .hub import RouterConfigEntry
from .problems import Problem
from .routing.model import Capability, Model
from .routing.money import to_picodollars
from .routing.tickets import Window
from .settings import BUDGET_WINDOWS, provider_models
from .stored_models import OWN, token_prices

AMOUNT = "amount"
MODEL = "model"
BUDGETS = {window: key for key, window in BUDGET_WINDOWS.items()}
"""The budgets that can be set, and so be raised."""

type _Data = dict[str, str | int | float | None]


class Repair(RepairsFlow):
    """One form, shown until what is typed ends the problem."""

    def __init__(self, data: _Data) -> None:
        """Take what the issue knows."""
        self.about = str(data.get("about", ""))
        self.model_id = str(data.get(MODEL, ""))
        self.window = str(data.get("window", ""))
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

    def store_model(self, stored: dict[str, Any]) -> None:
        """Put a model in the place of the issue's; if it is used already, the issue's only goes."""
        before = [model for model in self.provider().data[Conf.MODELS] if model["id"] != stored["id"]]
        after = [stored if model["id"] == self.model_id else model for model in before]
        self.store({Conf.MODELS.value: after if stored in after else [*after, stored]})


class KeyRepair(Repair):
    """Takes a new key."""

    @override
    async def form(self) -> vol.Schema:
        self.provider()
        return KEY_FORM

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        await renew_key(self.entry(), self.about, typed.get(API_KEY, ""))


class CreditRepair(Repair):
    """Takes a person's word that there is credit again, if the account lets itself be asked."""

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        await ask_stored(self.entry(), self.provider())
        self.entry().runtime_data.router.mend(self.about)


class ModelRepair(Repair):
    """Puts a model that the provider lists in the place of one that is gone, or about to go."""

    def __init__(self, data: _Data) -> None:
        """Begin before the provider was asked."""
        super().__init__(data)
        self._models: dict[str, Model] = {}

    @override
    async def form(self) -> vol.Schema:
        if not self._models:
            try:
                listed = await ask_stored(self.entry(), self.provider())
            except FieldProblem as err:
                said = {"provider": self.provider().title, "detail": err.placeholders.get("detail", err.error)}
                raise AbortFlow("not_listed", said) from None
            self._models = {model.id: model for model in listed.values() if Capability.CHAT in model.caps}
        options = SelectSelectorConfig(options=list(self._models), mode=SelectSelectorMode.DROPDOWN)
        return vol.Schema({vol.Required(MODEL): SelectSelector(options)})

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        options = self.provider().data.get(Conf.OPTIONS, {})
        self.store_model(model_to_store(self._models[typed[MODEL]], options))
        self.entry().runtime_data.router.mend(self.about)


class PriceRepair(Repair):
    """Takes what a model costs, in USD for a million tokens."""

    @override
    async def form(self) -> vol.Schema:
        unit = "USD / 1M tokens"
        # The frontend fills a required number in with 0, and nobody means that by pressing a button.
        return vol.Schema({vol.Optional(name): dollars(unit) for name in self._asked()})

    def _asked(self) -> list[str]:
        models = provider_models(self.provider().data, self.entry().runtime_data.table)
        caps = next((model.caps for model in models if model.id == self.model_id), Capability.CHAT)
        return sorted(token_prices(caps))

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        asked = self._asked()
        for name in asked:
            if typed.get(name) is None:
                raise FieldProblem(name, "price_missing")
        prices = {name: decimal_text(typed[name]) for name in asked}
        for model in self.provider().data[Conf.MODELS]:
            if model["id"] == self.model_id:
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
            raise AbortFlow("provider_removed")
        return subentry

    def _stored(self) -> Any:
        holder = self._holder()
        return (self.entry().options if holder is None else holder.data).get(self._key)

    @override
    async def form(self) -> vol.Schema:
        now = vol.UNDEFINED if (stored := self._stored()) is None else float(stored)
        return vol.Schema({vol.Required(AMOUNT, default=now): dollars()})

    @override
    async def mend(self, typed: dict[str, Any]) -> None:
        stored, amount = self._stored(), decimal_text(typed[AMOUNT])
        if stored is not None and to_picodollars(amount) <= to_picodollars(stored):
            raise FieldProblem(AMOUNT, "not_raised")
        change = {self._key.value: amount}
        entry, holder = self.entry(), self._holder()
        if holder is None:
            self.hass.config_entries.async_update_entry(entry, options={**entry.options, **change})
        else:
            self.hass.config_entries.async_update_subentry(entry, holder, data={**holder.data, **change})


_REPAIRS: dict[Problem, type[Repair]] = {
    Problem.KEY_REJECTED: KeyRepair,
    Problem.KEY_OLD: KeyRepair,
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
