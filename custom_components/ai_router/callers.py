"""What every action needs: the running router, who calls, and which provider or pool is meant."""

from collections.abc import Mapping

from homeassistant.auth.models import User
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, UnknownUser
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import service

from .automations import AUTOMATIONS
from .const import DOMAIN
from .hub import Hub, RouterConfigEntry
from .routing.request import Caller


def loaded(hass: HomeAssistant) -> Hub:
    """Return the running router. Raises `ServiceValidationError` while the entry is not set up."""
    entry: RouterConfigEntry = service.async_get_config_entry(hass, DOMAIN, None)
    return entry.runtime_data


async def calling_user(hass: HomeAssistant, context: Context) -> User | None:
    """Return the user who calls; None is the house itself. Raises `UnknownUser`."""
    if context.user_id is None:
        return None
    user = await hass.auth.async_get_user(context.user_id)
    if user is None:
        raise UnknownUser(context=context)
    return user


async def caller_of(hass: HomeAssistant, context: Context) -> Caller:
    """Say who calls, as the core wants to know it. Raises `UnknownUser`."""
    user = await calling_user(hass, context)
    automations = hass.data.get(AUTOMATIONS)
    automation = None if automations is None else automations.of(context)
    if user is None:
        return Caller(context_id=context.id, automation=automation)
    return Caller(user_id=user.id, admin=user.is_admin, context_id=context.id, automation=automation)


def provider_id(hub: Hub, reference: str, *, waiting: bool = False) -> str:
    """Find a provider, or one that waits, by its name or its device. Raises `ServiceValidationError`."""
    config = hub.router.config
    names = {provider.id: provider.name for provider in config.providers.values()}
    if waiting:
        names |= {provider.id: provider.name for provider in config.waiting.values()}
    return _find(hub, reference, names, "provider")


def pool_id(hub: Hub, reference: str) -> str:
    """Find a pool by its name or its device. Raises `ServiceValidationError`."""
    names = {pool.id: pool.name for pool in hub.router.config.pools.values()}
    return _find(hub, reference, names, "pool")


def pool_or_all(hub: Hub, reference: str) -> str | None:
    """Find a pool like `pool_id`; None, all providers, for the router's own device."""
    device = dr.async_get(hub.hass).async_get(reference)
    if device is not None and (DOMAIN, hub.entry.entry_id) in device.identifiers:
        return None
    return pool_id(hub, reference)


_UNKNOWN = {"provider": "unknown_provider", "pool": "unknown_pool_name"}


def _find(hub: Hub, reference: str, names: Mapping[str, str], what: str) -> str:
    """Return the one of these (names by id) that is meant: by id, by device, or by a name that no other one has.

    A device has the name that its household has given it, too.
    """
    if reference in names:
        return reference
    devices = dr.async_get(hub.hass)
    device = devices.async_get(reference)
    theirs = None if device is None else device.config_subentry_id
    if theirs is not None and theirs in names:
        return theirs
    wanted = reference.strip().casefold()

    def is_called(subentry_id: str, name: str) -> bool:
        if name.casefold() == wanted:
            return True
        own = devices.async_get_device_by_identifier((DOMAIN, subentry_id), hub.entry.entry_id)
        return own is not None and own.name_by_user is not None and own.name_by_user.strip().casefold() == wanted

    found = [subentry_id for subentry_id, name in names.items() if is_called(subentry_id, name)]
    if len(found) == 1:
        return found[0]
    if found:
        key, placeholders = f"ambiguous_{what}", {what: reference}
    else:
        # A device of something else is told by its name: nobody knows its id.
        called = reference if device is None else device.name_by_user or device.name or reference
        key, placeholders = _UNKNOWN[what], {what: called, "known": ", ".join(names.values()) or "-"}
    raise ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)


async def user_names(hass: HomeAssistant) -> dict[str, str]:
    """Return the names of the users by their ids."""
    return {user.id: user.name for user in await hass.auth.async_get_users() if user.name}
