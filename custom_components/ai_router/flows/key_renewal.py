"""Takes a new key for one provider: checked live first, and the old one kept until the new one has proved itself."""

from collections.abc import Iterable

import voluptuous as vol
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType
from homeassistant.util import dt as dt_util

from ..const import Conf
from ..hub import RouterConfigEntry
from ..plug_ins import kinds
from ..providers.endpoint import InvalidEndpoint, checked_key
from ..providers.registry import Need
from ..routing.model import Model
from .provider_check import API_KEY, BASE, FieldProblem, ask_server, encrypted

KEY_FORM = vol.Schema(
    {vol.Optional(API_KEY): TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))}
)
ERRORS = frozenset(
    {
        *("invalid_auth", "key_missing", "missing_variable", "key_unreadable", "key_not_stored", "key_malformed"),
        *("key_over_http", "cannot_connect", "no_answer", "not_ai_server", "no_models", "no_credit", "local_only"),
        *("never_local", "extras_unreadable", "not_raised", "price_missing", "key_same", "unknown"),
    }
)
"""What is said in its own words, here and by the repairs."""


def running(entry: RouterConfigEntry | None) -> RouterConfigEntry:
    """Return the entry if it runs. Raises `AbortFlow`."""
    if entry is None or entry.state is not ConfigEntryState.LOADED:
        raise AbortFlow("entry_not_loaded")
    return entry


def provider_of(entry: RouterConfigEntry, provider_id: str) -> ConfigSubentry:
    """Return a provider as it is stored now. Raises `AbortFlow` where it, or its kind, is gone, or it cannot be read."""
    subentry = entry.subentries.get(provider_id)
    if subentry is None:
        raise AbortFlow("provider_removed")
    if provider_id in entry.runtime_data.unreadable:
        raise AbortFlow("settings_unreadable")
    if subentry.data[Conf.KIND] not in kinds(entry.runtime_data.hass):
        raise AbortFlow("kind_unknown")
    return subentry


async def ask_stored(
    entry: RouterConfigEntry, subentry: ConfigSubentry, credential: str | None = None
) -> dict[str, Model]:
    """Check a stored provider, with another key if one is given, and return its models. Raises `FieldProblem`."""
    data = subentry.data
    return await ask_server(
        entry,
        f"{subentry.subentry_id} check",  # what it hides must not take the running provider's secrets with it
        kinds(entry.runtime_data.hass)[data[Conf.KIND]],
        data.get(Conf.OPTIONS, {}),
        url=data.get(Conf.URL),
        credential=credential or data.get(Conf.CREDENTIAL),
        secrets=data.get(Conf.SECRETS),
    )


async def renew_key(entry: RouterConfigEntry, provider_id: str, typed: str) -> None:
    """Store a key that works, and end what had set the provider aside; an empty one tries the stored key again.

    Raises `FieldProblem`, and `AbortFlow` where the provider is gone meanwhile.
    """
    subentry = provider_of(running(entry), provider_id)
    hub = entry.runtime_data
    try:
        key = checked_key(typed)
    except InvalidEndpoint as err:
        raise FieldProblem.of_endpoint(err) from None
    credential = await encrypted(hub.vault, key) if key else None
    await ask_stored(entry, subentry, credential)
    subentry = provider_of(running(entry), provider_id)
    if credential is not None and kinds(hub.hass)[subentry.data[Conf.KIND]].key is not Need.NONE:
        since = dt_util.utcnow().isoformat(timespec="seconds")
        data = {**subentry.data, Conf.CREDENTIAL.value: credential, Conf.CREDENTIAL_SINCE.value: since}
        hub.hass.config_entries.async_update_subentry(entry, subentry, data=data)
    hub.router.mend(provider_id)


def form_errors(problem: FieldProblem | None, fields: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the errors of a form with these fields, and the placeholders of their texts."""
    if problem is None:
        return {}, {}
    field = problem.field if problem.field in fields else BASE
    error = problem.error if problem.error in ERRORS else "unknown"
    return {field: error}, {"detail": problem.error, **problem.placeholders}
