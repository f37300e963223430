"""What each stored setting has to be, and what holds in the place of one that cannot be read.

One table for each place where settings are stored. A provider or a pool of which anything cannot be read is not used.
The router's options and the rules go on: what cannot be read is as it usually is where that loosens nothing, and as
strict as it can be where it might: no money is spent, nothing leaves the house, nobody may ask.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .const import SUBENTRY_POOL, SUBENTRY_PROVIDER, SUBENTRY_RULE, WEEKDAYS, Conf
from .routing.budgets import AtCap
from .routing.cache import CacheUse
from .routing.config import EACH_USER
from .routing.tickets import Window
from .stored_conditions import conditions_from_stored
from .stored_models import INPUT_PRICE, OUTPUT_PRICE, readable_model
from .stored_values import (
    UNREADABLE,
    Read,
    amount,
    fields,
    list_of,
    mapping_of,
    maybe,
    number,
    one_of,
    switch,
    text,
    whole,
    words,
)

BUDGET_WINDOWS = {
    Conf.BUDGET_DAY: Window.DAY,
    Conf.BUDGET_WEEK: Window.WEEK,
    Conf.BUDGET_MONTH: Window.MONTH,
    Conf.BUDGET_TOTAL: Window.TOTAL,
}
SHARE_WINDOWS = {"day": Window.DAY, "month": Window.MONTH}
"""The windows of the budgets of one user, or of one label."""

RETENTION_MOST = 36_500
MOST_URGENT = 1_000
"""The highest priority of a rule."""
_MOST = 10_000_000
_NOTHING = "0"
NOBODY: Final = "0" * 32
"""The id of no user, no automation and no provider: a list of it alone, unlike an empty one, lets nobody through."""


def _as_usual(_: Any) -> Mapping[Conf, Any]:
    return {}


def _strictly(settings: Mapping[Conf, Any]) -> Callable[[Any], Mapping[Conf, Any]]:
    return lambda _: settings


def _nothing(_: Any) -> Any:
    raise ValueError


@dataclass(frozen=True, slots=True)
class Setting:
    """One stored setting.

    `read` returns its value and raises one of `UNREADABLE`. `instead` is what is taken as stored where it does; without
    it, nothing is. `part` is what a form shows all the same of one that cannot be read as a whole.
    """

    read: Read[Any]
    instead: Callable[[Any], Mapping[Conf, Any]] = _as_usual
    part: Read[Any] = _nothing
    required: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one place, as far as they can be read.

    `safe` is what holds: what can be read (and what this version does not know), and what is taken instead of the
    others, whose names are in `unreadable`. `shown` is what a form begins with: stored again, it loosens nothing.
    """

    safe: Mapping[str, Any]
    shown: Mapping[str, Any]
    unreadable: tuple[str, ...] = ()


def _read_all(table: Mapping[Conf, Setting], stored: Mapping[str, Any]) -> Settings:
    safe: dict[str, Any] = {name: value for name, value in stored.items() if name not in table}
    instead: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    unreadable: list[str] = []
    for name, setting in table.items():
        if name not in stored and not setting.required:
            continue
        value = stored.get(name)
        try:
            safe[name.value] = setting.read(value)
        except UNREADABLE:
            unreadable.append(name.value)
            instead |= {other.value: strict for other, strict in setting.instead(value).items()}
            for part in _try(setting.part, value):
                parts[name.value] = part
    # What is strict holds, whatever else is stored under its name.
    safe |= instead
    return Settings(safe, safe | parts, tuple(unreadable))


def _try[T](read: Read[T], stored: Any) -> list[T]:
    try:
        return [read(stored)]
    except UNREADABLE:
        return []


# --- the tables --------------------------------------------------------------------------------------

_seconds = number(0, _MOST)
_percent = number(1, 100)
_count = whole(1, _MOST)
_BUDGETS: Final = {
    **{name: Setting(maybe(amount), _strictly({name: _NOTHING})) for name in BUDGET_WINDOWS},
    Conf.BUDGET_ONLY_WARNS: Setting(switch, _strictly({Conf.BUDGET_ONLY_WARNS: False})),
}
_ONLY_USERS: Final = Setting(maybe(words), _strictly({Conf.USERS: [NOBODY]}))
_BOUNDS: Final = {
    Conf.LOCAL_ONLY: Setting(switch, _strictly({Conf.LOCAL_ONLY: True})),
    Conf.MAX_COST: Setting(maybe(amount), _strictly({Conf.MAX_COST: _NOTHING})),
}


def _share(stored: Any) -> dict[str, str]:
    """Read the budgets of one user or label: at least one, of windows that are known."""
    shares = mapping_of(amount)(stored)
    if not shares or not shares.keys() <= SHARE_WINDOWS.keys():
        raise ValueError("no window, or one that is not known")
    return shares


def _sound_ones[T](read_each: Read[T]) -> Read[list[T]]:
    def read(stored: Any) -> list[T]:
        return [one for each in list_of(_whatever)(stored) for one in _try(read_each, each)]

    return read


def _whatever(stored: Any) -> Any:
    return stored


def _shares_instead(name: Conf, otherwise: Mapping[Conf, Any]) -> Callable[[Any], Mapping[Conf, Any]]:
    """Let whoever's budget cannot be read spend nothing; where it is not known whose, `otherwise` holds."""

    def instead(stored: Any) -> Mapping[Conf, Any]:
        if not isinstance(stored, Mapping):
            return otherwise
        return {name: {whose: row for whose, each in stored.items() for row in _try(_share, each) or [_NO_DAY]}}

    return instead


_NO_DAY: Final = {"day": _NOTHING}
_EVERY_USER_NOTHING: Final = {Conf.USER_BUDGETS: {EACH_USER: _NO_DAY}}
_NOBODY_ANYTHING: Final = {Conf.BUDGET_DAY: _NOTHING, Conf.BUDGET_ONLY_WARNS: False}

_OPTIONS: Final[Mapping[Conf, Setting]] = {
    Conf.STRATEGY: Setting(text),
    Conf.FAILOVER: Setting(switch, _strictly({Conf.FAILOVER: False})),
    Conf.ATTEMPTS: Setting(_count),
    Conf.RETRY_BASE: Setting(_seconds),
    Conf.RETRY_LONGEST: Setting(_seconds),
    Conf.TIMEOUT: Setting(number(0.001, _MOST)),
    Conf.MAX_TOKENS: Setting(_count),
    Conf.REASONING_TOKENS: Setting(_count),
    Conf.USERS: _ONLY_USERS,
    Conf.AUTOMATIONS: Setting(maybe(words), _strictly({Conf.AUTOMATIONS: [NOBODY]})),
    **_BOUNDS,
    **_BUDGETS,
    Conf.UNKNOWN_PRICE_HOLD: Setting(maybe(amount), _strictly({Conf.UNKNOWN_PRICE_HOLD: None})),
    Conf.AT_CAP: Setting(one_of(list(AtCap)), _strictly({Conf.AT_CAP: AtCap.REFUSE.value})),
    Conf.ALERT_AT: Setting(_percent),
    Conf.WORST_CASE: Setting(switch, _strictly({Conf.WORST_CASE: True})),
    Conf.WEEK_START: Setting(one_of(WEEKDAYS)),
    Conf.USER_BUDGETS: Setting(mapping_of(_share), _shares_instead(Conf.USER_BUDGETS, _EVERY_USER_NOTHING)),
    Conf.LABEL_BUDGETS: Setting(mapping_of(_share), _shares_instead(Conf.LABEL_BUDGETS, _NOBODY_ANYTHING)),
    Conf.CACHE: Setting(one_of(list(CacheUse)), _strictly({Conf.CACHE: CacheUse.OFF.value})),
    Conf.CACHE_MINUTES: Setting(maybe(number(0, _MOST))),
    Conf.CACHE_MEMORY: Setting(maybe(number(0, 4_096))),
    Conf.CACHE_ON_DISK: Setting(switch),
    Conf.CACHE_DISK: Setting(number(1, 65_536)),
    Conf.HEALTH_INTERVAL: Setting(maybe(_seconds)),
    Conf.DEGRADED_ERRORS: Setting(maybe(_percent)),
    Conf.UNHEALTHY_ERRORS: Setting(maybe(_percent)),
    Conf.SLOW_SECONDS: Setting(maybe(_seconds)),
    Conf.BREAKER_FAILURES: Setting(_count),
    Conf.BREAKER_RATIO: Setting(maybe(_percent)),
    Conf.BREAKER_GROWTH: Setting(number(1, 100)),
    Conf.BREAKER_PROBES: Setting(_count),
    Conf.BREAKER_MODELS: Setting(_count),
    Conf.BREAKER_SECONDS: Setting(number(0.001, _MOST)),
    Conf.BREAKER_LONGEST: Setting(number(0.001, _MOST)),
    # What is deleted does not come back.
    Conf.RETENTION_DAYS: Setting(whole(1, RETENTION_MOST), _strictly({Conf.RETENTION_DAYS: RETENTION_MOST})),
    Conf.PICTURE_SIZE: Setting(maybe(whole(1, 65_536))),
    Conf.EXACT_TOKENS: Setting(switch),
    Conf.COMPLETED_EVENT: Setting(switch),
    Conf.DELETE_DATA: Setting(switch),
}

_CAPS: Final = (
    Conf.REQUESTS_PER_MINUTE,
    Conf.REQUESTS_PER_HOUR,
    Conf.BURST,
    Conf.TOKENS_PER_MINUTE,
    Conf.CONCURRENT,
)
_kind_options = fields({Conf.LOCAL: switch, **dict.fromkeys((INPUT_PRICE, OUTPUT_PRICE), maybe(amount))})

_PROVIDER: Final[Mapping[Conf, Setting]] = {
    Conf.KIND: Setting(text, required=True),
    Conf.URL: Setting(maybe(text)),
    Conf.CREDENTIAL: Setting(maybe(text)),
    Conf.SECRETS: Setting(mapping_of(text)),
    Conf.OPTIONS: Setting(_kind_options),
    Conf.MODELS: Setting(
        list_of(readable_model), _strictly({Conf.MODELS: []}), part=_sound_ones(readable_model), required=True
    ),
    Conf.ENABLED: Setting(switch, _strictly({Conf.ENABLED: False})),
    Conf.PRIORITY: Setting(whole(-_MOST, _MOST)),
    Conf.WEIGHT: Setting(number(0, _MOST)),
    Conf.USERS: _ONLY_USERS,
    **{name: Setting(maybe(_count), _strictly({name: 1})) for name in _CAPS},
    Conf.ATTEMPTS: Setting(maybe(_count)),
    **dict.fromkeys((Conf.CONNECT_TIMEOUT, Conf.FIRST_TOKEN_TIMEOUT, Conf.IDLE_TIMEOUT), Setting(_seconds)),
    **dict.fromkeys((Conf.TOTAL_TIMEOUT, Conf.RETRY_BASE, Conf.RETRY_LONGEST), Setting(_seconds)),
    **_BUDGETS,
}

_member = fields({"provider": text, "model": maybe(text), "weight": number(0, _MOST)}, required=("provider",))

_POOL: Final[Mapping[Conf, Setting]] = {
    Conf.MEMBERS: Setting(list_of(_member), _strictly({Conf.MEMBERS: []}), part=_sound_ones(_member)),
    Conf.STRATEGY: Setting(maybe(text)),
    Conf.FALLBACK: Setting(maybe(text)),
    Conf.AT_CAP: Setting(maybe(text)),
    **_BOUNDS,
    Conf.TIMEOUT: Setting(maybe(number(0.001, _MOST))),
    Conf.MAX_TOKENS: Setting(maybe(_count)),
    **_BUDGETS,
}


def _conditions(stored: Any) -> Any:
    if conditions_from_stored(stored) is None:
        raise ValueError("conditions that are none")
    return stored


_lets_nothing_through = _strictly({Conf.PROVIDERS: [NOBODY]})

_RULE: Final[Mapping[Conf, Setting]] = {
    # Without conditions that can be read it is about every request.
    Conf.WHEN: Setting(_conditions, required=True),
    Conf.PRIORITY: Setting(whole(-_MOST, _MOST)),
    Conf.ENABLED: Setting(switch, _strictly({Conf.ENABLED: True})),
    Conf.POOL: Setting(maybe(text), _lets_nothing_through),
    Conf.PROVIDERS: Setting(words, _lets_nothing_through),
    **_BOUNDS,
    Conf.TIMEOUT: Setting(maybe(number(0.001, _MOST)), _lets_nothing_through),
    Conf.MAX_TOKENS: Setting(maybe(_count), _lets_nothing_through),
}
_OF_TYPE: Final = {SUBENTRY_PROVIDER: _PROVIDER, SUBENTRY_POOL: _POOL, SUBENTRY_RULE: _RULE}


def read_options(stored: Mapping[str, Any]) -> Settings:
    """Read the router's options."""
    return _read_all(_OPTIONS, stored)


def read_subentry(subentry_type: str, stored: Mapping[str, Any]) -> Settings:
    """Read a provider, a pool or a rule."""
    settings = _read_all(_OF_TYPE[subentry_type], stored)
    return _leading_nowhere(settings) if subentry_type == SUBENTRY_RULE else settings


def _leading_nowhere(rule: Settings) -> Settings:
    """Let nothing through a rule that would lead somewhere, where nobody knows what it is about or how urgent it is.

    It might lead away from where a stricter one does. One that only tightens does so all the same.
    """
    doubtful = {Conf.WHEN, Conf.PRIORITY}.intersection(rule.unreadable)
    if not doubtful or not (rule.safe.get(Conf.POOL) or rule.safe.get(Conf.PROVIDERS)):
        return rule
    strict: dict[str, Any] = {Conf.PROVIDERS.value: [NOBODY]}
    if Conf.PRIORITY in doubtful:
        strict[Conf.PRIORITY.value] = MOST_URGENT
    return Settings({**rule.safe, **strict}, {**rule.shown, **strict}, rule.unreadable)
