"""Adds a rule or changes one: requests like this go there, within these bounds."""

from typing import Any

from homeassistant.config_entries import SubentryFlowResult

from ..const import SUBENTRY_RULE, Conf
from ..wording import Wording
from .fields import household, nobody
from .provider_check import FieldProblem
from .rule_forms import rule_form, rule_to_show, rule_to_store, stored_users
from .subentry import NamedFlow


class RuleFlow(NamedFlow):
    """One flow of one page."""

    subentry_type = SUBENTRY_RULE

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a new rule."""
        return await self._rule("user", user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is to be changed about a rule."""
        return await self._rule("reconfigure", user_input)

    async def _rule(self, step: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        entry = self.loaded()
        errors: dict[str, str] = {}
        if user_input is not None:
            self.shown = user_input
            try:
                return self.finish(entry, self.name(entry, user_input), rule_to_store(self.hass, user_input))
            except FieldProblem as problem:
                errors[problem.field] = problem.error
        elif self.own_id is not None:
            self.shown = rule_to_show(self.hass, entry, self._get_reconfigure_subentry().title, self.stored)
        people = await household(self.hass, *stored_users(self.stored))
        form = rule_form(entry, people, nobody(Wording(self.hass), self.stored.get(Conf.PROVIDERS, ())))
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(form, self.shown),
            errors=errors,
            last_step=True,
        )
