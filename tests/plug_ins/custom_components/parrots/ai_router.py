"""What it brings is what a test has put into `REGISTER`."""

from collections.abc import Callable

from homeassistant.core import HomeAssistant

from custom_components.ai_router.plug_ins import Registration

REGISTER: list[Callable[[Registration], None]] = []


async def async_register(hass: HomeAssistant, registration: Registration) -> None:
    for register in REGISTER:
        register(registration)
