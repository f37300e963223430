"""The form of a rule: which requests it is about, and what holds for them.

Stored are ids, so that a renamed provider, pool, camera or automation stays meant; shown are names.
"""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    AreaSelector,
    AreaSelectorConfig,
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TimeSelector,
)

from ..const import SUBENTRY_PROVIDER, Conf
from ..lasting import entity_now, lasting_id
from ..routing.model import Op
from ..stored_conditions import ALWAYS, SIZES, TIMES
from ..stored_settings import MOST_URGENT, NOBODY
from .fields import choices, decimal_text, dollars, folded, named, whole
from .pool_forms import pool_names
from .provider_check import NAME, FieldProblem

WHEN = Conf.WHEN.value
THEN = "then"

SOURCES = ("action", "conversation", "ai_task")
_OPS = (Op.CHAT.value, Op.EMBED.value)
_NEEDS = ("vision", "tools", "structured", "reasoning", "embeddings")
_ENTITIES = ("entities", "automations")
_LISTS = ("ops", "needs", "entities", "areas", "labels", "users", "automations", "sources")
_MOST_TOKENS = 10_000_000
_LONGEST = 3_600


def _provider_names(entry: ConfigEntry[Any]) -> dict[str, str]:
    return {each.subentry_id: each.title for each in entry.get_subentries_of_type(SUBENTRY_PROVIDER)}


def rule_form(entry: ConfigEntry[Any], people: Mapping[str, str], nobody: Mapping[str, str]) -> vol.Schema:
    """Ask for everything about a rule; `nobody` is what stands for providers that could not be read, if it does."""
    entities = EntitySelector(EntitySelectorConfig(multiple=True))
    words = SelectSelectorConfig(options=[], multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    automations = EntitySelectorConfig(domain="automation", multiple=True)
    when: dict[vol.Marker, Any] = {
        vol.Optional(ALWAYS, default=False): BooleanSelector(),
        vol.Optional("ops"): choices(_OPS, "operation"),
        vol.Optional("needs"): choices(_NEEDS, "needs"),
        vol.Optional("entities"): entities,
        vol.Optional("areas"): AreaSelector(AreaSelectorConfig(multiple=True)),
        vol.Optional("labels"): SelectSelector(words),
        vol.Optional("users"): named(people, several=True),
        vol.Optional("automations"): EntitySelector(automations),
        vol.Optional("sources"): choices(SOURCES, "source"),
        **{vol.Optional(name): whole(0, _MOST_TOKENS) for name in SIZES},
        **{vol.Optional(name): TimeSelector() for name in TIMES},
    }
    then: dict[vol.Marker, Any] = {
        vol.Optional(Conf.POOL.value): named(pool_names(entry)),
        vol.Optional(Conf.PROVIDERS.value): named({**nobody, **_provider_names(entry)}, several=True),
        vol.Optional(Conf.LOCAL_ONLY.value, default=False): BooleanSelector(),
        vol.Optional(Conf.MAX_COST.value): dollars(),
        vol.Optional(Conf.TIMEOUT.value): whole(1, _LONGEST, "s"),
        vol.Optional(Conf.MAX_TOKENS.value): whole(1, _MOST_TOKENS),
    }
    return vol.Schema(
        {
            vol.Required(NAME): TextSelector(),
            vol.Optional(Conf.ENABLED.value, default=True): BooleanSelector(),
            vol.Optional(Conf.PRIORITY.value, default=0): whole(0, MOST_URGENT),
            vol.Required(WHEN): folded(when, shut=False),
            vol.Required(THEN): folded(then, shut=False),
        }
    )


def rule_to_store(hass: HomeAssistant, form: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's data. Raises `FieldProblem` where it is about nothing, or does nothing."""
    return {
        Conf.ENABLED.value: form[Conf.ENABLED],
        Conf.PRIORITY.value: form[Conf.PRIORITY],
        WHEN: _when_to_store(hass, form[WHEN]),
        **_then_to_store(form[THEN]),
    }


def _when_to_store(hass: HomeAssistant, form: Mapping[str, Any]) -> dict[str, Any]:
    when: dict[str, Any] = {name: list(form[name]) for name in _LISTS if form.get(name)}
    for name in _ENTITIES:
        if name in when:
            when[name] = [lasting_id(hass, entity_id) for entity_id in when[name]]
    if "labels" in when:
        when["labels"] = [label for label in map(str.strip, when["labels"]) if label]
        if not when["labels"]:
            del when["labels"]
    when |= {name: form[name] for name in (*SIZES, *TIMES) if name in form}
    if form[ALWAYS] and when:
        raise FieldProblem(WHEN, "always_and_more")
    if not form[ALWAYS] and not when:
        raise FieldProblem(WHEN, "no_condition")
    if "tokens_to" in when and when["tokens_to"] <= when.get("tokens_from", 0):
        raise FieldProblem(WHEN, "tokens_backwards")
    return {ALWAYS: True} if form[ALWAYS] else when


def _then_to_store(form: Mapping[str, Any]) -> dict[str, Any]:
    then: dict[str, Any] = {
        key.value: form[key] for key in (Conf.POOL, Conf.TIMEOUT, Conf.MAX_TOKENS) if form.get(key) is not None
    }
    if form.get(Conf.PROVIDERS):
        then[Conf.PROVIDERS.value] = form[Conf.PROVIDERS]
    if Conf.MAX_COST in form:
        then[Conf.MAX_COST.value] = decimal_text(form[Conf.MAX_COST])
    if form[Conf.LOCAL_ONLY]:
        then[Conf.LOCAL_ONLY.value] = True
    if not then:
        raise FieldProblem(THEN, "no_effect")
    return then


def stored_users(stored: Mapping[str, Any]) -> list[str]:
    """Return the ids of the users that a stored rule is about."""
    when = stored.get(WHEN)
    users = when.get("users") if isinstance(when, Mapping) else None
    return users if isinstance(users, list) else []


def rule_to_show(hass: HomeAssistant, entry: ConfigEntry[Any], name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored rule as the form shows it; what it points to and is not there any more is left out."""
    kept = stored.get(WHEN)
    when = {ALWAYS: False, **(kept if isinstance(kept, Mapping) else {})}
    for each in _ENTITIES:
        if each in when:
            when[each] = [entity_now(hass, lasting) for lasting in when[each]]
    then: dict[str, Any] = {Conf.LOCAL_ONLY.value: stored.get(Conf.LOCAL_ONLY, False)}
    then |= {key.value: stored[key] for key in (Conf.TIMEOUT, Conf.MAX_TOKENS) if stored.get(key) is not None}
    if stored.get(Conf.POOL) in pool_names(entry):
        then[Conf.POOL.value] = stored[Conf.POOL]
    there = {NOBODY, *_provider_names(entry)}
    if providers := [each for each in stored.get(Conf.PROVIDERS, ()) if each in there]:
        then[Conf.PROVIDERS.value] = providers
    if stored.get(Conf.MAX_COST) is not None:
        then[Conf.MAX_COST.value] = float(stored[Conf.MAX_COST])
    return {
        NAME: name,
        Conf.ENABLED.value: stored.get(Conf.ENABLED, True),
        Conf.PRIORITY.value: stored.get(Conf.PRIORITY, 0),
        WHEN: when,
        THEN: then,
    }
