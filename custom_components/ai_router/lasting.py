"""Names of entities that survive renaming: the registry's own id where there is one, else the entity's id."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er


def lasting_id(hass: HomeAssistant, entity_id: str) -> str:
    """Return what stands for an entity, also after it has been given another id."""
    entry = er.async_get(hass).async_get(entity_id)
    return entity_id if entry is None else entry.id


def entity_now(hass: HomeAssistant, lasting: str) -> str:
    """Return the id that an entity has now."""
    entry = er.async_get(hass).async_get(lasting)
    return lasting if entry is None else entry.entity_id


def area_of(hass: HomeAssistant, entity_id: str) -> str | None:
    """Return the area of an entity, or of its device where it has none of its own."""
    entry = er.async_get(hass).async_get(entity_id)
    if entry is None or entry.area_id is not None or entry.device_id is None:
        return None if entry is None else entry.area_id
    device = dr.async_get(hass).async_get(entry.device_id)
    return None if device is None else device.area_id
