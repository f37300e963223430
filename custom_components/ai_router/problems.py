"""What can be the matter with the router, and how one such thing is shown under Repairs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN


class Problem(StrEnum):
    """What can be the matter; also the key of its texts."""

    KEY_REJECTED = "key_rejected"
    KEY_OLD = "key_old"
    NO_CREDIT = "no_credit"
    MODEL_RETIRED = "model_retired"
    MODEL_RETIRES = "model_retires"
    MODEL_NOT_LOCAL = "model_not_local"
    PRICE_UNKNOWN = "price_unknown"
    BUDGET_REACHED = "budget_reached"
    KIND_UNKNOWN = "kind_unknown"
    STRATEGY_UNKNOWN = "strategy_unknown"
    SETTINGS_UNREADABLE = "settings_unreadable"
    LEDGER_RESTORED = "ledger_restored"
    LEDGER_OF_BACKUP = "ledger_of_backup"
    LEDGER_DAMAGED = "ledger_damaged"
    LEDGER_NOT_OPENED = "ledger_not_opened"
    LEDGER_TOO_NEW = "ledger_too_new"
    LEDGER_FAILING = "ledger_failing"


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue. `data` is what its repair needs to know, `placeholders` what its text does.

    `text` is the translation key where one problem has several texts.
    """

    problem: Problem
    about: tuple[str, ...] = ()
    placeholders: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    fixable: bool = True
    severity: ir.IssueSeverity = ir.IssueSeverity.ERROR
    persistent: bool = False
    text: str = ""

    @property
    def id(self) -> str:
        """The id under which Home Assistant keeps it."""
        return "_".join((self.problem.value, *self.about))

    def show(self, hass: HomeAssistant) -> None:
        """Show it, or bring it up to date."""
        ir.async_create_issue(
            hass,
            DOMAIN,
            self.id,
            data={"problem": self.problem.value, **self.data},
            is_fixable=self.fixable,
            is_persistent=self.persistent,
            severity=self.severity,
            translation_key=self.text or self.problem.value,
            translation_placeholders=dict(self.placeholders),
        )


@callback
def async_show_too_new(hass: HomeAssistant) -> None:
    """Say that the ledger was written by a newer version."""
    Issue(Problem.LEDGER_TOO_NEW, fixable=False).show(hass)


@callback
def async_show_not_opened(hass: HomeAssistant, error: str) -> None:
    """Say that the ledger cannot be opened now; the set-up is tried again by itself."""
    Issue(Problem.LEDGER_NOT_OPENED, placeholders={"error": error}, fixable=False).show(hass)


@callback
def async_forget_all(hass: HomeAssistant) -> None:
    """Delete every issue of ours, those that outlive a restart too."""
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
