"""Puts the core's codes into words, in the household's language: only where somebody reads them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN
from .routing.fleet import target_of
from .routing.money import to_dollars
from .routing.plans import LeftOut, Reason
from .routing.tickets import BucketKey, Scope

_ENGLISH = "en"
_COMMON = f"component.{DOMAIN}.common."
_FAILURES = f"component.{DOMAIN}.entity.sensor.health.state_attributes.reason.state."


def texts_in(hass: HomeAssistant, language: str, category: str) -> Mapping[str, str]:
    """Return our texts of a category in a language that is loaded; in English where it is not.

    The household's own is loaded at the start, but not when somebody chooses another one later.
    """
    known = partial(async_get_cached_translations, hass, category=category, integration=DOMAIN)
    return known(language) or known(_ENGLISH)


class Wording:
    """The texts of the household's language. What has no text there, and none in English, is shown as its code."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Speak the language that the household has now."""
        self._texts = partial(texts_in, hass, hass.config.language)

    def text(self, key: str, **values: object) -> str:
        """Return a text of the translations' `common`, with values in their places."""
        found = self._texts("common").get(f"{_COMMON}{key}")
        return _readable(key) if found is None else found.format(**values)

    def failure(self, code: str) -> str:
        """Say why an attempt failed, or a provider is ill, as the sensor of health does."""
        return self._texts("entity").get(f"{_FAILURES}{code}") or _readable(code)

    def reasons(self, reasons: Sequence[Reason | str]) -> str | None:
        """Say why a target stands where it stands in a plan."""
        return ", ".join(map(self._reason, reasons)) or None

    def _reason(self, reason: Reason | str) -> str:
        if not isinstance(reason, Reason):
            return str(reason)
        because, number, share, seconds, price = reason
        return self.text(
            f"reason_{because}",
            number=number,
            share="" if share is None else f"{share:.0%}",
            seconds="" if seconds is None else f"{seconds:.2f}",
            price="" if price is None else f"{to_dollars(price):.6f}",
        )

    def bucket(self, key: BucketKey | None, names: Callable[[str], str]) -> str:
        """Name a limit or a budget, with whose it is; `names` knows providers and pools by their ids."""
        if key is None:
            return self.text("bucket_unknown")
        owner = key.id
        if key.scope in (Scope.PROVIDER, Scope.POOL):
            owner = names(key.id)
        elif key.scope is Scope.TARGET:
            provider_id, model_id = target_of(key)
            owner = f"{names(provider_id)} / {model_id}"
        elif key.scope in (Scope.ROUTER, Scope.USER):
            owner = self.text(f"owner_{key.scope}")
        return self.text(f"bucket_{key.unit}_{key.window}", owner=owner)

    def left_out(self, left_out: LeftOut) -> str:
        """Say why a target is not in a plan."""
        text = self.text(f"left_out_{left_out.why}")
        if left_out.cls is None:
            return text
        return self.text("left_out_after", text=text, failure=self.failure(left_out.cls))


def _readable(code: str) -> str:
    return code.replace("_", " ")
