"""The forms of a pool: its fields, what is stored of them, and what is shown of what is stored.

Stored are ids, so that a renamed provider stays a member; shown are names.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers.selector import BooleanSelector, TextSelector

from ..const import SUBENTRY_POOL, SUBENTRY_PROVIDER, Conf
from ..plug_ins import strategies
from ..routing.experiments import EXPERIMENT
from ..stored_settings import read_subentry
from .fields import (
    budget_fields,
    budgets_to_show,
    budgets_to_store,
    choice,
    decimal_text,
    dollars,
    folded,
    named,
    number,
)
from .provider_check import BASE, NAME, FieldProblem

MEMBERS = Conf.MEMBERS.value
STRATEGY = Conf.STRATEGY.value
BUDGETS = "budgets"
BOUNDS = "bounds"
# What a strategy's field says where the pool has none of its own.
ROUTERS = "router"
# These share the requests out by weights.
SHARING = frozenset({"weighted", EXPERIMENT})
_POINTERS = (Conf.FALLBACK, Conf.AT_CAP)

# --- what can be chosen ----------------------------------------------------------------------------


def member_names(entry: ConfigEntry[Any]) -> dict[str, str]:
    """Return what may be a member: every provider with all its models, and every model of each alone."""
    names: dict[str, str] = {}
    for provider in entry.get_subentries_of_type(SUBENTRY_PROVIDER):
        names[provider.subentry_id] = provider.title
        for model in read_subentry(SUBENTRY_PROVIDER, provider.data).shown[Conf.MODELS]:
            names[f"{provider.subentry_id}/{model['id']}"] = f"{provider.title} / {model['id']}"
    return names


def pool_names(entry: ConfigEntry[Any]) -> dict[str, str]:
    """Return the pools' names by their ids."""
    return {pool.subentry_id: pool.title for pool in entry.get_subentries_of_type(SUBENTRY_POOL)}


def further_pools(entry: ConfigEntry[Any], own_id: str | None) -> dict[str, str]:
    """Return the pools that may be asked in this one's stead: those that do not lead back to it."""
    leads = {
        pool.subentry_id: [other for key in _POINTERS if isinstance(other := pool.data.get(key), str)]
        for pool in entry.get_subentries_of_type(SUBENTRY_POOL)
    }
    return {pool_id: name for pool_id, name in pool_names(entry).items() if own_id not in _reached(pool_id, leads)}


def _reached(pool_id: str, leads: Mapping[str, Iterable[str]]) -> set[str]:
    reached, ways = {pool_id}, [pool_id]
    for each in ways:
        new = [other for other in leads.get(each, ()) if other not in reached]
        reached.update(new)
        ways += new
    return reached


# --- fields ----------------------------------------------------------------------------------------


def pool_form(entry: ConfigEntry[Any], own_id: str | None) -> vol.Schema:
    """Ask for everything about a pool but the weights."""
    further = named(further_pools(entry, own_id))
    own = None if own_id is None else read_subentry(SUBENTRY_POOL, entry.subentries[own_id].data).shown.get(STRATEGY)
    offered = (ROUTERS, *strategies(own), EXPERIMENT)
    fields: dict[vol.Marker, Any] = {
        vol.Required(NAME): TextSelector(),
        vol.Required(MEMBERS): named(member_names(entry), several=True),
        vol.Optional(STRATEGY, default=ROUTERS): choice(offered, "pool_strategy"),
        vol.Optional(Conf.FALLBACK.value): further,
    }
    bounds = {
        vol.Optional(Conf.LOCAL_ONLY.value, default=False): BooleanSelector(),
        vol.Optional(Conf.MAX_COST.value): dollars(),
    }
    budgets = {**budget_fields(), vol.Optional(Conf.AT_CAP.value): further}
    return vol.Schema(
        {**fields, vol.Required(BOUNDS): folded(bounds), vol.Required(BUDGETS): folded(budgets)},
    )


def weights_form(names: Iterable[str]) -> vol.Schema:
    """Ask for the members' shares; each field bears its member's name."""
    return vol.Schema({vol.Optional(name, default=1.0): number(0, 1_000) for name in names})


# --- from a form to what is stored -----------------------------------------------------------------


def pool_to_store(form: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pool's data; members keep their weights. Raises `FieldProblem`."""
    if not form[MEMBERS]:
        raise FieldProblem(MEMBERS, "no_members")
    bounds, budgets = form[BOUNDS], form[BUDGETS]
    weights = {_value(member): member["weight"] for member in before.get(MEMBERS, ()) if "weight" in member}
    data: dict[str, Any] = {
        MEMBERS: [_member(value, weights.get(value)) for value in dict.fromkeys(form[MEMBERS])],
        Conf.LOCAL_ONLY.value: bounds[Conf.LOCAL_ONLY],
        **budgets_to_store(budgets),
    }
    if form[STRATEGY] != ROUTERS:
        data[STRATEGY] = form[STRATEGY]
    if Conf.FALLBACK in form:
        data[Conf.FALLBACK.value] = form[Conf.FALLBACK]
    if Conf.AT_CAP in budgets:
        data[Conf.AT_CAP.value] = budgets[Conf.AT_CAP]
    if Conf.MAX_COST in bounds:
        data[Conf.MAX_COST.value] = decimal_text(bounds[Conf.MAX_COST])
    return data


def _member(value: str, weight: float | None) -> dict[str, Any]:
    # Ids of subentries have no slash in them; those of models may.
    provider_id, _, model_id = value.partition("/")
    member: dict[str, Any] = {"provider": provider_id}
    return member | ({"model": model_id} if model_id else {}) | ({} if weight is None else {"weight": weight})


def _value(member: Mapping[str, Any]) -> str:
    return f"{member['provider']}/{member['model']}" if member.get("model") else str(member["provider"])


def with_successor(
    members: Iterable[Mapping[str, Any]], provider_id: str, gone: str, successor: str
) -> list[dict[str, Any]]:
    """Return a pool's members with a model's successor in its place; once, where it is a member already."""
    was, becomes = f"{provider_id}/{gone}", f"{provider_id}/{successor}"
    taken = {_value(member) for member in members if _value(member) != was}
    return [
        {**member, "model": successor} if _value(member) == was else dict(member)
        for member in members
        if _value(member) != was or becomes not in taken
    ]


def member_labels(data: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Return the members' names as the form of weights shows them, each of them another."""
    labels: list[str] = []
    for value in map(_value, data[MEMBERS]):
        label = names.get(value, value)
        labels.append(value if label in labels else label)
    return labels


def weights_to_store(data: Mapping[str, Any], labels: Iterable[str], form: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pool's data with the weights of a form. Raises `FieldProblem` where nobody gets anything."""
    members = [member | {"weight": form[label]} for member, label in zip(data[MEMBERS], labels, strict=True)]
    if not any(member["weight"] for member in members):
        raise FieldProblem(BASE, "no_weight")
    return {**data, MEMBERS: members}


def weights_to_show(data: Mapping[str, Any], labels: Iterable[str]) -> dict[str, float]:
    """Return the stored weights as the form shows them."""
    return {label: member.get("weight", 1.0) for member, label in zip(data[MEMBERS], labels, strict=True)}


# --- from what is stored to a form -----------------------------------------------------------------


def pool_to_show(entry: ConfigEntry[Any], own_id: str, name: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored pool as the form shows it; what has been removed meanwhile is left out."""
    there, further = member_names(entry), further_pools(entry, own_id)
    pointers = {key.value: stored[key] for key in _POINTERS if stored.get(key) in further}
    at_cap = {key: pointers.pop(key) for key in (Conf.AT_CAP.value,) if key in pointers}
    bounds: dict[str, Any] = {Conf.LOCAL_ONLY.value: stored.get(Conf.LOCAL_ONLY, False)}
    if stored.get(Conf.MAX_COST) is not None:
        bounds[Conf.MAX_COST.value] = float(stored[Conf.MAX_COST])
    return {
        NAME: name,
        MEMBERS: [value for value in map(_value, stored.get(MEMBERS, ())) if value in there],
        STRATEGY: stored.get(STRATEGY) or ROUTERS,
        **pointers,
        BOUNDS: bounds,
        BUDGETS: budgets_to_show(stored) | at_cap,
    }
