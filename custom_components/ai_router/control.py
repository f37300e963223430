"""What entities that change something have in common: only an admin, or the house itself, may use them.

Home Assistant lets every user control every entity that he may see. Money, privacy and routing are an admin's.
"""

from homeassistant.core import Context, callback
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers.entity import EntityDescription

from .callers import calling_user
from .entity import StatusDevice, StatusEntity
from .hub import Hub


class ControlEntity[S, D: EntityDescription](StatusEntity[S, D]):
    """An entity by which a person changes something."""

    def __init__(self, hub: Hub, device: StatusDevice[S], description: D) -> None:
        """Belong to a device of the router's."""
        super().__init__(device, description)
        self.hub = hub
        self.about = device.id

    async def check_admin(self) -> None:
        """Raise `Unauthorized` (`UnknownUser`) unless an admin or the house itself uses the entity."""
        context = self._context or Context()
        user = await calling_user(self.hass, context)
        if user is not None and not user.is_admin:
            raise Unauthorized(context=context, entity_id=self.entity_id)

    @callback
    def show_now(self) -> None:
        """Show the change without waiting for the next snapshot."""
        self.coordinator.refresh_now()
