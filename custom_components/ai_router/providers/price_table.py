"""The price table that is shipped with the integration, and which of its entries a model's name means.

`prices.json` is made by `scripts/update_prices`. It is read when the router is opened, in an executor.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from yarl import URL

from ..routing.model import Capability
from ..routing.money import Prices
from .price_spans import prices_of

_TABLE = Path(__file__).with_name("prices.json")
_LETTERS = {
    "C": Capability.CHAT | Capability.STREAMING,
    "E": Capability.EMBEDDINGS,
    "V": Capability.VISION,
    "A": Capability.AUDIO_IN,
    "T": Capability.TOOLS,
    "S": Capability.STRUCTURED,
    "R": Capability.REASONING,
}
# Whose models a server of the common protocol serves, by its address. What another server asks for a model of the same
# name nobody here can know.
_HOSTS = {
    "api.anthropic.com": "anthropic",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.openai.com": "openai",
    "api.together.ai": "together",
    "api.together.xyz": "together",
    "api.x.ai": "xai",
    "generativelanguage.googleapis.com": "gemini",
}
# OpenAI's addresses that keep everything in one region (November 2026). Models since GPT-5.4 cost more there.
_REGIONAL = "openai, regional"
_REGIONS = re.compile(r"(?:ae|au|eu|in|jp|us)\.api\.openai\.com")
_SURCHARGE = 10
_NO_SURCHARGE = re.compile(r"(?:gpt-[34]|gpt-5(?:-|$)|gpt-5\.[0-3](?:-|$)|o[134]|text-embedding-)")
# Clouds put the region and the maker before a name; what follows is the same model.
_BEFORE = re.compile(
    r"^(?:(?:us|eu|apac|au|ca|in|jp|uk|global)\.)?(?:anthropic\.|(?:models|anthropic|google|mistralai|openai|x-ai)/)?"
)
# What may follow a name without making it another model: a date, a build, a version, "latest", "preview".
_AFTER = re.compile(
    r"""(?:
        -latest | -preview | -exp
      | [-@](?:19|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])   # 2026-03-17, 20260317
      | -(?:0[1-9]|1[0-2])-(?:(?:0[1-9]|[12]\d|3[01])|20\d\d)           # 05-20, 09-2026
      | -(?:2[3-9](?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))   # 2603, 0317
      | -00\d
      | -v\d(?::\d)?
    )*""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the table knows of a model: what it can do, what it cannot, and None and nothing where it does not tell."""

    caps: Capability
    not_caps: Capability
    context: int | None
    max_output: int | None
    prices: Prices | None


class PriceTable:
    """The table. Entries are read when they are first asked for."""

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        """Take the table as JSON; without it nothing is known."""
        self.made: str = (data or {}).get("made", "")
        self._vendors: Mapping[str, Mapping[str, Any]] = (data or {}).get("models", {})
        self._known: dict[tuple[str, str], Known] = {}

    @classmethod
    def load(cls, path: Path = _TABLE) -> PriceTable:
        """Read the shipped table; blocks. Raises `OSError` or `ValueError`."""
        return cls(json.loads(path.read_bytes()))

    def vendor(self, kind: str, url: str | None) -> str | None:
        """Return whose models a provider serves: its kind's, or those of the address; None where that is not known."""
        try:
            host = (URL(url or "").host or URL(f"//{url}").host or "").rstrip(".")
        except ValueError:
            host = ""
        if _REGIONS.fullmatch(host):
            return _REGIONAL
        return kind if kind in self._vendors else _HOSTS.get(host)

    def find(self, vendor: str | None, model_id: str) -> Known | None:
        """Return what is known of a vendor's model, None where its name means none of the table."""
        maker = "openai" if vendor == _REGIONAL else vendor
        name = self.name(maker, model_id)
        if vendor is None or maker is None or name is None:
            return None
        key = vendor, name
        if key not in self._known:
            known = _known(self._vendors[maker][name])
            if vendor == _REGIONAL and known.prices and not _NO_SURCHARGE.match(name.removeprefix("ft:")):
                known = replace(known, prices=known.prices.dearer(_SURCHARGE))
            self._known[key] = known
        return self._known[key]

    def name(self, vendor: str | None, model_id: str) -> str | None:
        """Return the table's name for a model: its own, or the longest that its own only adds a date or the like to.

        A model of another size never is the same: `gpt-5-mini` is not `gpt-5`.
        """
        models = self._vendors.get(vendor or "", {})
        asked = model_id.lower()
        if asked.startswith("ft:"):
            # A fine-tuned model has its own price: that of its base, by the table's name for it.
            asked = ":".join(asked.split(":")[:2])
        for name in dict.fromkeys((asked, _BEFORE.sub("", asked, count=1))):
            # Cutting from the end, the longest comes first.
            for end in range(len(name), 0, -1):
                if name[:end] in models and _AFTER.fullmatch(name, end):
                    return name[:end]
        return None


def _caps(letters: Iterable[str]) -> Capability:
    caps = Capability.NONE
    for letter in letters:
        caps |= _LETTERS.get(letter.upper(), Capability.NONE)
    return caps


def _known(entry: Mapping[str, Any]) -> Known:
    letters, spans = entry.get("caps", ""), entry.get("prices")
    return Known(
        _caps(filter(str.isupper, letters)),
        _caps(filter(str.islower, letters)),
        entry.get("context"),
        entry.get("max_output"),
        prices_of(spans, entry["source"], entry["date"]) if spans else None,
    )
