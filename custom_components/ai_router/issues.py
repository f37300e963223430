"""What somebody has to mend, shown under Repairs as long as its cause lasts.

Nothing is stored: which issues stand follows from the benches, the budgets, the entry and the ledger. What ended by
time alone (no credit for an hour) stands until an answer, or somebody, shows that it is mended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from homeassistant.core import callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .const import DOMAIN, SUBENTRY_PROVIDER, Conf
from .plug_ins import STRATEGIES_CHANGED, kinds
from .problems import Issue, Problem
from .reauthentication import Reauthentication
from .routing.benches import BenchKey
from .routing.config import RouterConfig
from .routing.failures import FailureClass
from .routing.fleet import pool_money, provider_money, router_money
from .routing.model import Model, Target
from .routing.money import Picodollars, to_dollars
from .routing.ports import AttemptEnded, Benched, BudgetCrossed, CoreEvent, RequestEnded, Unbenched
from .routing.refusals import RefusalCode
from .routing.strategies import STRATEGIES
from .routing.tickets import BucketKey
from .settings import credential_since

if TYPE_CHECKING:
    from .hub import Hub

OLD_KEY_DAYS = 90
_RETIRES_SOON = timedelta(days=30)
# Models of one provider whose prices are asked for; the next ones follow when these are known.
_ASKED_AT_ONCE = 3
# What changes by time alone: a budget's next window, the age of a key.
_LOOK_EVERY = timedelta(minutes=1)


_STANDS_FOR = {
    FailureClass.CREDENTIAL: Problem.KEY_REJECTED,
    FailureClass.BILLING: Problem.NO_CREDIT,
    FailureClass.MODEL_MISSING: Problem.MODEL_RETIRED,
    FailureClass.NOT_LOCAL: Problem.MODEL_NOT_LOCAL,
}
# An answer shows that these are over. A rejected key stays rejected, whatever an older request still brings.
_OVER_WITH_AN_ANSWER = frozenset({FailureClass.BILLING, FailureClass.MODEL_MISSING})


def goes_soon(model: Model) -> bool:
    """Say whether a model's provider takes it away before long, by its own list."""
    return model.retires is not None and model.retires <= dt_util.now().date() + _RETIRES_SOON


def budget_keys(config: RouterConfig) -> Iterator[BucketKey]:
    """Name the budgets of the router, its providers and its pools."""
    yield from router_money(config)
    for provider in config.providers.values():
        yield from provider_money(provider)
    for pool in config.pools.values():
        yield from pool_money(pool)


class Issues:
    """Keeps the issues of one entry in step with their causes."""

    def __init__(self, hub: Hub) -> None:
        """Look after a hub's providers and ledger."""
        self._hub = hub
        self._standing: dict[BenchKey, FailureClass] = {}
        self._unpriced: frozenset[Target] = frozenset()
        self._used_unpriced: set[Target] = set()
        self._shown: set[str] = set()
        self._running = self._due = False
        self.reauthentication = Reauthentication(hub.hass, hub.entry, lambda: self.rejected)

    @property
    def rejected(self) -> list[str]:
        """The ids of the providers whose key is rejected or cannot be read, the first one first."""
        found = (provider_id for (provider_id, _), cls in self._standing.items() if cls is FailureClass.CREDENTIAL)
        return list(dict.fromkeys(found))

    @callback
    def start(self) -> None:
        """Show what stands, and follow until the entry is unloaded."""
        hub = self._hub
        for over in (Problem.LEDGER_TOO_NEW, Problem.LEDGER_NOT_OPENED):
            ir.async_delete_issue(hub.hass, DOMAIN, over)
        if hub.ledger.recovered is not None:
            problem = Problem.LEDGER_RESTORED if hub.ledger.from_snapshot else Problem.LEDGER_DAMAGED
            said = {"file": hub.ledger.recovered.name, "reason": hub.ledger.wrong}
            Issue(problem, placeholders=said, persistent=True).show(hub.hass)
        elif hub.ledger.backup is not None:
            made = dt_util.as_local(dt_util.utc_from_timestamp(hub.ledger.backup))
            said = {"date": made.strftime("%Y-%m-%d %H:%M")}
            warning = ir.IssueSeverity.WARNING
            Issue(Problem.LEDGER_OF_BACKUP, placeholders=said, persistent=True, severity=warning).show(hub.hass)
        hub.entry.async_on_unload(hub.router.subscribe(self.hear))
        hub.entry.async_on_unload(async_track_time_interval(hub.hass, self.follow, _LOOK_EVERY))
        hub.entry.async_on_unload(async_dispatcher_connect(hub.hass, STRATEGIES_CHANGED, self.follow))
        hub.entry.async_on_unload(self._stop)
        self._running = True
        self.follow_entry()

    @callback
    def hear(self, event: CoreEvent) -> None:
        """Take an event of the core; most change nothing here."""
        match event:
            case AttemptEnded() if self._standing or self._unpriced:
                self._attempt(event)
            case Benched(provider_id, model_id, failure) if failure.cls in _STANDS_FOR:
                self._standing[provider_id, model_id] = failure.cls
                if failure.cls is FailureClass.CREDENTIAL:
                    self.reauthentication.rejected_again(provider_id)
                self._follow_soon()
            case Unbenched(provider_id, model_id):
                self._standing.pop((provider_id, model_id), None)
                self._follow_soon()
            case BudgetCrossed(exceeded=True) | RequestEnded(failure=RefusalCode.LEDGER_UNAVAILABLE):
                self._follow_soon()

    def _attempt(self, event: AttemptEnded) -> None:
        target = event.attempt.target
        if event.attempt.outcome.failure is not None:
            return
        over = [key for key in (target, (target.provider_id, None)) if self._standing.get(key) in _OVER_WITH_AN_ANSWER]
        for key in over:
            del self._standing[key]
        first_use = target in self._unpriced and target not in self._used_unpriced
        if first_use:
            self._used_unpriced.add(target)
        if over or first_use:
            self._follow_soon()

    def _follow_soon(self) -> None:
        """Follow in the loop's next round: the core is in the middle of something."""
        if not self._due:
            self._due = True
            self._hub.hass.loop.call_soon(self.follow)

    @callback
    def follow_entry(self) -> None:
        """Follow a change of the entry: providers and models that are gone, prices that are known now."""
        config = self._hub.router.config
        providers = config.providers.values()
        models = {Target(provider.id, model.id): model for provider in providers for model in provider.models}
        self._unpriced = frozenset(target for target, model in models.items() if model.prices is None)
        self._used_unpriced &= self._unpriced
        for key, bench in self._hub.router.benches.all().items():
            if bench.cls in _STANDS_FOR:
                self._standing[key] = bench.cls
        self._standing = {
            key: cls
            for key, cls in self._standing.items()
            if (key[0] in config.providers if key[1] is None else key in models)
        }
        self.follow()

    @callback
    def follow(self, _: datetime | None = None) -> None:
        """Show what stands now, take away what is over, and ask for keys."""
        self._due = False
        if not self._running:
            return
        found = {issue.id: issue for issue in self._found()}
        for gone in self._shown - found.keys():
            ir.async_delete_issue(self._hub.hass, DOMAIN, gone)
        self._shown = set(found)
        for issue in found.values():
            issue.show(self._hub.hass)
        self.reauthentication.follow()

    @callback
    def _stop(self) -> None:
        """Take away what stands, but for what somebody ignores: deleted, it would be told anew after a reload."""
        self._running = False
        self.reauthentication.stop()
        known = ir.async_get(self._hub.hass)
        for issue_id in self._shown:
            issue = known.async_get_issue(DOMAIN, issue_id)
            if issue is not None and issue.dismissed_version is None:
                ir.async_delete_issue(self._hub.hass, DOMAIN, issue_id)
        self._shown.clear()

    # --- causes --------------------------------------------------------------------------------------

    def _found(self) -> Iterator[Issue]:
        yield from self._of_benches()
        yield from self._of_retirements()
        yield from self._of_entry()
        yield from self._of_strategies()
        yield from self._of_budgets()
        if error := self._hub.ledger.failing:
            yield Issue(Problem.LEDGER_FAILING, placeholders={"error": error}, fixable=False)
        yield from self._of_prices()

    def _of_benches(self) -> Iterator[Issue]:
        for provider_id in self.rejected:
            yield self._of_provider(Problem.KEY_REJECTED, provider_id)
        for (provider_id, model_id), cls in self._standing.items():
            if cls is FailureClass.BILLING:
                yield self._of_provider(Problem.NO_CREDIT, provider_id)
            elif cls is FailureClass.MODEL_MISSING and model_id is not None:
                yield self._of_model(Problem.MODEL_RETIRED, Target(provider_id, model_id), ir.IssueSeverity.ERROR)
            elif cls is FailureClass.NOT_LOCAL and model_id is not None:
                target = Target(provider_id, model_id)
                # Only who looks at the provider's settings can say what it is from now on.
                yield replace(self._of_model(Problem.MODEL_NOT_LOCAL, target, ir.IssueSeverity.CRITICAL), fixable=False)

    def _of_prices(self) -> Iterator[Issue]:
        """Ask for the price of what was used without one; where such calls are refused, of what cannot be used at all."""
        config = self._hub.router.config
        refused = config.unknown_price_hold is None
        for target in self._unusable(config) if refused else self._used_unpriced:
            issue = self._of_model(Problem.PRICE_UNKNOWN, target, ir.IssueSeverity.WARNING)
            yield replace(issue, text=f"{Problem.PRICE_UNKNOWN}_refused" if refused else "")

    def _unusable(self, config: RouterConfig) -> Iterator[Target]:
        for provider in config.providers.values():
            models = (model for model in provider.models if model.local or not config.local_only)
            lacking = [Target(provider.id, model.id) for model in models if model.prices is None]
            yield from lacking[:_ASKED_AT_ONCE] if provider.enabled else ()

    def _of_retirements(self) -> Iterator[Issue]:
        """Warn of models that go soon by their provider's own list, and are not gone already."""
        for provider in self._hub.router.config.providers.values():
            for model in provider.models:
                target = Target(provider.id, model.id)
                gone = self._standing.get(target) is FailureClass.MODEL_MISSING
                if model.retires is not None and goes_soon(model) and not gone:
                    issue = self._of_model(Problem.MODEL_RETIRES, target, ir.IssueSeverity.WARNING)
                    yield replace(issue, placeholders={**issue.placeholders, "date": model.retires.isoformat()})

    def _of_entry(self) -> Iterator[Issue]:
        now = dt_util.utcnow()
        rejected = self.rejected
        unreadable = self._hub.unreadable
        for about, settings in unreadable.items():
            yield self._of_settings(about, settings)
        for subentry in self._hub.entry.get_subentries_of_type(SUBENTRY_PROVIDER):
            if subentry.subentry_id in unreadable:
                continue
            kind = subentry.data[Conf.KIND]
            # Until everything has started, what knows it may still come.
            if kind not in kinds(self._hub.hass) and self._hub.hass.is_running:
                placeholders = {"provider": subentry.title, "kind": kind}
                yield Issue(Problem.KIND_UNKNOWN, (subentry.subentry_id,), placeholders, fixable=False)
            since = credential_since(subentry.data)
            if since is None or subentry.subentry_id in rejected:
                continue
            if (now - since).days >= OLD_KEY_DAYS:
                yield self._of_provider(
                    Problem.KEY_OLD, subentry.subentry_id, ir.IssueSeverity.WARNING, days=str(OLD_KEY_DAYS)
                )

    def _of_settings(self, about: str, settings: Sequence[str]) -> Issue:
        """Name what is stored of a provider, a pool, a rule or the router ('') and cannot be read."""
        subentry = self._hub.entry.subentries.get(about)
        whose = "router" if subentry is None else subentry.subentry_type
        return Issue(
            Problem.SETTINGS_UNREADABLE,
            (about or whose,),
            {"name": self._name(about) if about else self._hub.entry.title, "settings": ", ".join(settings)},
            fixable=False,
            text=f"{Problem.SETTINGS_UNREADABLE}_{whose}",
        )

    def _of_strategies(self) -> Iterator[Issue]:
        config, hub = self._hub.router.config, self._hub
        named: list[tuple[tuple[str, ...], str, str | None]] = [((), hub.entry.title, config.strategy)]
        named += [((pool.id,), pool.name, pool.strategy) for pool in config.pools.values()]
        for about, name, strategy in named:
            if strategy is not None and strategy not in STRATEGIES and hub.hass.is_running:
                placeholders = {"name": name, "strategy": strategy}
                severity = ir.IssueSeverity.WARNING
                yield Issue(Problem.STRATEGY_UNKNOWN, about, placeholders, fixable=False, severity=severity)

    def _of_budgets(self) -> Iterator[Issue]:
        for key in budget_keys(self._hub.router.config):
            bucket = self._hub.router.admission.money(key)
            if bucket.used_up:
                yield self._of_budget(key, bucket.limit or 0)

    def _of_budget(self, key: BucketKey, limit: Picodollars) -> Issue:
        return Issue(
            Problem.BUDGET_REACHED,
            (key.scope.value, *filter(None, [key.id]), key.window.value),
            {
                "name": self._name(key.id) if key.id else self._hub.entry.title,
                "limit": f"{to_dollars(limit).normalize():f}",
            },
            {"about": key.id, "scope": key.scope.value, "window": key.window.value},
            severity=ir.IssueSeverity.WARNING,
            text=f"{Problem.BUDGET_REACHED}_{key.window}",
        )

    def _of_provider(
        self,
        problem: Problem,
        provider_id: str,
        severity: ir.IssueSeverity = ir.IssueSeverity.ERROR,
        **placeholders: str,
    ) -> Issue:
        named = {"provider": self._name(provider_id), **placeholders}
        return Issue(problem, (provider_id,), named, {"about": provider_id}, severity=severity)

    def _of_model(self, problem: Problem, target: Target, severity: ir.IssueSeverity) -> Issue:
        placeholders = {"provider": self._name(target.provider_id), "model": target.model_id}
        data = {"about": target.provider_id, "model": target.model_id}
        return Issue(problem, tuple(target), placeholders, data, severity=severity)

    def _name(self, provider_id: str) -> str:
        subentry = self._hub.entry.subentries.get(provider_id)
        return self._hub.redactor.redact(subentry.title if subentry else self._hub.provider_name(provider_id))
