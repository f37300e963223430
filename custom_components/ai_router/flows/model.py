"""Changes what the household says of one model. The server need not be there: nothing of it is asked."""

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.data_entry_flow import AbortFlow

from ..const import SUBENTRY_PROVIDER, Conf
from ..hub import RouterConfigEntry
from ..plug_ins import kinds
from ..settings import provider_models
from ..stored_models import OWN
from ..stored_settings import read_subentry
from .model_forms import MODEL, choose_form, model_form, own_to_show, own_to_store, price_in_words
from .provider_check import FieldProblem


class ModelSteps(ConfigSubentryFlow):
    """The steps of a provider's flow that are about one of its models."""

    def __init__(self) -> None:
        """Begin with no model chosen."""
        self._model_id = ""

    @abstractmethod
    def _loaded(self) -> RouterConfigEntry:
        """Return the entry as it is now. Aborts where it, or the provider, is gone."""

    def _readable(self) -> Mapping[str, Any]:
        """Return what is stored of the provider. Aborts where that cannot be read: another step is to mend it first."""
        read = read_subentry(SUBENTRY_PROVIDER, self._get_reconfigure_subentry().data)
        if read.unreadable:
            raise AbortFlow("settings_unreadable")
        return read.safe

    async def async_step_choose_model(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the model."""
        self._loaded()
        if user_input is not None:
            self._model_id = user_input[MODEL]
            return await self.async_step_model()
        models = [model["id"] for model in self._readable()[Conf.MODELS]]
        return self.async_show_form(step_id="choose_model", data_schema=choose_form(models), last_step=False)

    async def async_step_model(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for its prices, abilities and sizes."""
        entry = self._loaded()
        subentry = self._get_reconfigure_subentry()
        readable = self._readable()
        models: list[Mapping[str, Any]] = list(readable[Conf.MODELS])
        place = next((place for place, model in enumerate(models) if model["id"] == self._model_id), None)
        if place is None:
            raise AbortFlow("model_removed")
        errors: dict[str, str] = {}
        used = provider_models(readable, entry.runtime_data.table)[place]
        shown = own_to_show(models[place])
        if user_input is not None:
            shown = user_input
            try:
                own = own_to_store(user_input, used.caps)
            except FieldProblem as problem:
                errors[problem.field] = problem.error
            else:
                rest = {name: value for name, value in models[place].items() if name != OWN}
                models[place] = rest | ({OWN: own} if own else {})
                data = {**subentry.data, Conf.MODELS.value: models}
                return self.async_update_and_abort(entry, subentry, data=data)
        kind = kinds(self.hass).get(readable[Conf.KIND])
        return self.async_show_form(
            step_id="model",
            data_schema=self.add_suggested_values_to_schema(model_form(kind), shown),
            errors=errors,
            description_placeholders={
                "model": self._model_id,
                "price": price_in_words(used, time.time(), entry.runtime_data.wording),
            },
            last_step=True,
        )
