"""The actions of AI Router: where each family is registered."""

from homeassistant.core import HomeAssistant, callback

from .actions.batch import async_setup_batch
from .actions.control import async_setup_control
from .actions.count import async_setup_counting
from .actions.embed import async_setup_embedding
from .actions.estimate import async_setup_estimate
from .actions.metrics import async_setup_metrics
from .actions.process import async_setup_process
from .actions.status import async_setup_status
from .actions.usage import async_setup_usage


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    async_setup_process(hass)
    async_setup_batch(hass)
    async_setup_embedding(hass)
    async_setup_counting(hass)
    async_setup_estimate(hass)
    async_setup_status(hass)
    async_setup_usage(hass)
    async_setup_metrics(hass)
    async_setup_control(hass)
