"""Changes the router's options; the update listener follows without a reload."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow

from ..stored_settings import read_options
from .fields import household
from .option_presets import PRESETS, with_preset
from .options_forms import named_users, options_form, options_to_show, options_to_store, part_of
from .provider_check import FieldProblem

_SETTINGS = "settings"


class RouterOptionsFlow(OptionsFlow):
    """One page, filled in with what is stored or with a preset."""

    def __init__(self) -> None:
        """Begin without a preset."""
        self._preset: str | None = None

    async def async_step_init(
        self,
        user_input: dict[str, Any] | None = None,  # noqa: ARG002 - there is no form of its own
    ) -> ConfigFlowResult:
        """Ask what to begin with."""
        return self.async_show_menu(step_id="init", menu_options=[_SETTINGS, *PRESETS])

    async def async_step_careful(
        self,
        user_input: dict[str, Any] | None = None,  # noqa: ARG002 - there is no form of its own
    ) -> ConfigFlowResult:
        """Fill the page in so that little can be spent."""
        self._preset = "careful"
        return await self.async_step_settings()

    async def async_step_balanced(
        self,
        user_input: dict[str, Any] | None = None,  # noqa: ARG002 - there is no form of its own
    ) -> ConfigFlowResult:
        """Fill the page in with what suits most households."""
        self._preset = "balanced"
        return await self.async_step_settings()

    async def async_step_settings(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all options at once."""
        entry = self.hass.config_entries.async_get_entry(self._config_entry_id)
        if entry is None:
            return self.async_abort(reason="entry_removed")
        errors: dict[str, str] = {}
        settings = read_options(entry.options)
        stored = settings.shown
        shown = options_to_show(self.hass, stored)
        if user_input is not None:
            shown = user_input
            try:
                return self.async_create_entry(data=options_to_store(self.hass, user_input, stored))
            except FieldProblem as problem:
                errors[problem.field] = problem.error
        else:
            errors = dict.fromkeys(map(part_of, settings.unreadable), "unreadable")
            if self._preset is not None:
                shown = with_preset(shown, self._preset)
        form = options_form(await household(self.hass, *named_users(stored)), stored)
        return self.async_show_form(
            step_id=_SETTINGS, data_schema=self.add_suggested_values_to_schema(form, shown), errors=errors
        )
