"""Adds a pool or changes one: its members, how it chooses among them, and its budget."""

from typing import Any

from homeassistant.config_entries import SubentryFlowResult

from ..const import SUBENTRY_POOL
from .pool_forms import (
    SHARING,
    STRATEGY,
    member_labels,
    member_names,
    pool_form,
    pool_to_show,
    pool_to_store,
    weights_form,
    weights_to_show,
    weights_to_store,
)
from .provider_check import NAME, FieldProblem
from .subentry import NamedFlow


class PoolFlow(NamedFlow):
    """One flow; the weights are asked for only where the strategy goes by them."""

    subentry_type = SUBENTRY_POOL

    def __init__(self) -> None:
        """Begin with nothing stored and nothing typed."""
        super().__init__()
        self._labels: list[str] = []

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a new pool."""
        return self._pool("user", user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is to be changed about a pool."""
        return self._pool("reconfigure", user_input)

    def _pool(self, step: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        entry = self.loaded()
        if not member_names(entry):
            return self.async_abort(reason="no_providers")
        errors: dict[str, str] = {}
        if user_input is not None:
            self.shown = user_input
            try:
                name = self.name(entry, user_input)
                data = pool_to_store(user_input, self.stored)
            except FieldProblem as problem:
                errors[problem.field] = problem.error
            else:
                if (data.get(STRATEGY) or entry.runtime_data.router.config.strategy) in SHARING:
                    return self._show_weights(data, {})
                return self.finish(entry, name, data)
        elif self.own_id is not None:
            title = self._get_reconfigure_subentry().title
            self.shown = pool_to_show(entry, self.own_id, title, self.stored)
        form = pool_form(entry, self.own_id)
        return self.async_show_form(
            step_id=step, data_schema=self.add_suggested_values_to_schema(form, self.shown), errors=errors
        )

    async def async_step_weights(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Take the members' shares, with what was said on the page before."""
        entry = self.loaded()
        form = self.shown or {}
        data = pool_to_store(form, self.stored)
        if user_input is None:
            return self._show_weights(data, {})
        try:
            name = self.name(entry, form)
            data = weights_to_store(data, self._labels, user_input)
        except FieldProblem as problem:
            if problem.field == NAME:  # another flow was faster
                return self._pool("user" if self.own_id is None else "reconfigure", dict(form))
            return self._show_weights(data, {problem.field: problem.error})
        return self.finish(entry, name, data)

    def _show_weights(self, data: dict[str, Any], errors: dict[str, str]) -> SubentryFlowResult:
        self._labels = member_labels(data, member_names(self._get_entry()))
        form = self.add_suggested_values_to_schema(weights_form(self._labels), weights_to_show(data, self._labels))
        return self.async_show_form(step_id="weights", data_schema=form, errors=errors, last_step=True)
