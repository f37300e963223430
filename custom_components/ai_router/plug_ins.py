"""Takes in what other integrations bring: kinds of provider, and ways to choose between targets.

Such an integration has a platform `ai_router.py` with `async_register(hass, registration)`; docs/extending.md shows one.
It may come before our set-up or after it. What it brings is there as long as the integration is: where that has config
entries, while one of them is loaded. A provider of a kind that is not there waits. Nothing it does wrong harms the rest.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import Any

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
from homeassistant.helpers.integration_platform import async_process_integration_platforms
from homeassistant.helpers.selector import Selector
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, ROUTER_STRATEGIES, Conf
from .providers.apart import asked
from .providers.guarded import guarded_kind, holds
from .providers.kinds import KindRefused, Kinds
from .providers.registry import Kind, Need, Option, ProviderSetup
from .routing.strategies import OWN, STRATEGIES, Strategy

__all__ = [
    "STRATEGIES_CHANGED",
    "Kind",
    "Need",
    "Option",
    "ProviderSetup",
    "Registration",
    "async_setup_plug_ins",
    "kinds",
    "strategies",
]

STRATEGIES_CHANGED = f"{DOMAIN}_strategies_changed"
"""Sent when a plug-in's way to choose has come or gone."""

_LOGGER = logging.getLogger(__name__)
_KINDS: HassKey[Kinds] = HassKey(f"{DOMAIN}_kinds")
_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
_METHODS = ("bars", "order", "took", "learn", "keep", "state", "restore")
_LIMITS = frozenset(
    {
        *(Conf.PRIORITY, Conf.WEIGHT, Conf.REQUESTS_PER_MINUTE, Conf.REQUESTS_PER_HOUR, Conf.BURST),
        *(Conf.TOKENS_PER_MINUTE, Conf.CONCURRENT, Conf.ATTEMPTS),
        *(Conf.CONNECT_TIMEOUT, Conf.FIRST_TOKEN_TIMEOUT, Conf.IDLE_TIMEOUT, Conf.TOTAL_TIMEOUT),
    }
)
# What the form of every kind may ask for itself.
_TAKEN = frozenset(
    {"name", "url", "api_key", "limits", "patience", "models", "pictures", "input_price", "output_price", "call_price"}
) | {Conf.LOCAL.value, Conf.EXTRA_HEADERS.value, Conf.EXTRA_BODY.value, "preset"}
_MOST = 10_000_000
# To register in.
_SECONDS = 10.0
_PARTS: dict[str, Any] = {
    **dict.fromkeys(("id", "name"), str),
    **dict.fromkeys(("url", "key"), Need),
    **dict.fromkeys(("build", "options"), callable),
    **dict.fromkeys(("local_choice", "chosen", "call_price"), bool),
    "default_url": str | None,
    "max_edge": lambda edge: type(edge) is int and edge > 0,
    "limits": Mapping,
}


def kinds(hass: HomeAssistant) -> Kinds:
    """Return all kinds of provider that this house knows. The one place to look one up."""
    return hass.data.setdefault(_KINDS, Kinds())


def strategies(*stored: str | None) -> list[str]:
    """Name the ways to choose that need nothing more than providers: ours, then what other integrations bring.

    `stored` are names that stay in the list while what brought them is away.
    """
    brought = STRATEGIES.keys() - OWN
    away = {name for name in stored if name is not None} - STRATEGIES.keys()
    return [*ROUTER_STRATEGIES, *sorted(brought | away)]


class Registration:
    """What one integration brings. Mistakes are logged, and what is wrong is left out."""

    def __init__(self, hass: HomeAssistant, domain: str) -> None:
        """Begin with nothing; what is brought is there at once."""
        self._hass = hass
        self._domain = domain
        self._there = True
        self._had_entries = False
        self._brought: list[Callable[[], Callable[[], None]]] = []
        self._removers: list[Callable[[], None]] = []

    @callback
    def add_provider_kind(self, kind: Kind) -> None:
        """Bring a kind of provider."""
        try:
            checked = _checked(kind, self._domain)
            kinds(self._hass).check(checked)
        except KindRefused as err:
            _LOGGER.error("Integration %s brings a kind of provider that cannot be used: %s", self._domain, err)  # noqa: TRY400 - the text says it all
            return
        self._bring(lambda: kinds(self._hass).add(checked))

    @callback
    def add_strategy(self, name: str, make: Callable[[], Strategy]) -> None:
        """Bring a way to choose between targets; `make` is called once for each router."""
        try:
            _check_strategy(name, make)
        except KindRefused as err:
            _LOGGER.error("Integration %s brings a strategy that cannot be used: %s", self._domain, err)  # noqa: TRY400 - the text says it all
            return

        def add() -> Callable[[], None]:
            if name in STRATEGIES:
                raise KindRefused(f"the name {name} is taken")
            STRATEGIES[name] = make
            async_dispatcher_send(self._hass, STRATEGIES_CHANGED)

            def remove() -> None:
                if STRATEGIES.pop(name, None) is not None:
                    async_dispatcher_send(self._hass, STRATEGIES_CHANGED)

            return remove

        self._bring(add)

    def _bring(self, add: Callable[[], Callable[[], None]]) -> None:
        self._brought.append(add)
        if self._there:
            self._add(add)

    def _add(self, add: Callable[[], Callable[[], None]]) -> None:
        try:
            self._removers.append(add())
        except KindRefused as err:
            _LOGGER.error("What integration %s brings cannot be used: %s", self._domain, err)  # noqa: TRY400 - the text says it all

    @callback
    def follow_entries(self) -> None:
        """From now on, what is brought is there while one of the integration's entries is loaded."""

        @callback
        def changed(_: ConfigEntryChange, entry: ConfigEntry) -> None:
            if entry.domain == self._domain:
                self._had_entries = True
                self._look()

        async_dispatcher_connect(self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, changed)
        self._look()

    def _look(self) -> None:
        entries = self._hass.config_entries.async_entries(self._domain)
        self._had_entries = self._had_entries or bool(entries)
        there = not self._had_entries or any(entry.state is ConfigEntryState.LOADED for entry in entries)
        if there is self._there:
            return
        self._there = there
        if there:
            for add in self._brought:
                self._add(add)
        else:
            removers, self._removers = self._removers, []
            for remove in removers:
                remove()


async def async_setup_plug_ins(hass: HomeAssistant) -> None:
    """Take in what integrations bring that are there, and all that will come. Once for each start."""
    await async_process_integration_platforms(hass, DOMAIN, _take_in)


async def _take_in(hass: HomeAssistant, domain: str, platform: Any) -> None:
    """Let one integration register; what it registered before it failed stays."""
    registration = Registration(hass, domain)
    registration.follow_entries()
    try:
        waiting = platform.async_register(hass, registration)
        if isawaitable(waiting):
            # Home Assistant's start waits for it.
            async with asyncio.timeout(_SECONDS):
                await asked(f"The platform {DOMAIN} of integration {domain}", lambda: waiting)
    except Exception:  # another integration's own fault, which must not end our set-up
        _LOGGER.exception("The platform %s of integration %s failed", DOMAIN, domain)


def _checked(kind: Any, domain: str) -> Kind:
    """Return a kind that behaves. Raises `KindRefused` for what is none."""
    if not holds(kind, Kind, **_PARTS):
        raise KindRefused(f"{kind!r} is no Kind, or one of its fields is not what it has to be")
    if domain != DOMAIN and not kind.name.strip():
        raise KindRefused(f"{kind.id!r} has no name")
    for name, limit in kind.limits.items():
        if name not in _LIMITS or type(limit) not in (int, float) or not 0 <= limit < _MOST:
            raise KindRefused(f"{kind.id!r}: {name!r} is no limit, or {limit!r} is none for it")
    # Only our own kinds have fields of their own in the translations, and headers and fields of the body to add.
    return guarded_kind(replace(kind, options=_guarded_options(kind), asks=(), extras=False))


def _guarded_options(kind: Kind) -> Callable[[], Sequence[Option]]:
    def options() -> Sequence[Option]:
        try:
            asked = tuple(kind.options())
            wrong = [each for each in asked if not _is_option(each)]
        except Exception:  # another integration's own fault, which must not end our form
            _LOGGER.exception("The kind %s could not say what its form asks for", kind.id)
            return ()
        if wrong:
            _LOGGER.error("The form of the kind %s asks for something that is no Option: %r", kind.id, wrong[0])
        return tuple(each for each in asked if each not in wrong)

    return options


def _is_option(option: Any) -> bool:
    typed = holds(option, Option, name=str, label=str, selector=Selector, required=bool)
    return typed and not {option.name, option.label} & _TAKEN


def _check_strategy(name: Any, make: Any) -> None:
    """Raise `KindRefused` for what is no way to choose, or has a name that cannot be its own."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise KindRefused(f"the name {name!r} is not made of small letters, digits and single underscores")
    if name in STRATEGIES:
        raise KindRefused(f"the name {name} is taken")
    try:
        made = make()
    except Exception as err:  # another integration's own fault, which must not end our set-up
        _LOGGER.exception("The strategy %s could not be made", name)
        raise KindRefused(f"{name} could not be made: {type(err).__name__}") from None
    lacking = [method for method in _METHODS if not callable(getattr(made, method, None))]
    if lacking:
        raise KindRefused(f"{name} has no {' and no '.join(lacking)}")
