"""Counts the words of a prompt exactly for OpenAI's models, where the household has switched that on.

tiktoken is installed only then, by Home Assistant and in the background, and it loads its list of tokens from the
internet: a router that is local only refuses it. Until it is there, or where it cannot be had, the estimator goes on.
"""

import asyncio
import importlib
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.requirements import RequirementsNotFound, async_process_requirements

from .const import DOMAIN, Conf
from .routing.ports import TokenCounter
from .routing.router import Router

REQUIREMENT: Final = "tiktoken==0.14.0"
_LOGGER = logging.getLogger(__name__)
# The models that share this list of tokens; older ones have been switched off.
_ENCODING: Final = "o200k_base"
_MODELS: Final = re.compile(
    r"(?:.*/)?(?:ft:)?(?:chatgpt-|gpt-(?:4o|4\.1|[5-9]|oss)|o[1-9])(?![a-z0-9]).*", re.IGNORECASE
)
# Counting is done in the event loop: longer prompts are estimated (characters).
_LONGEST: Final = 10_000
_REMEMBERED: Final = 8


class _Encoding(Protocol):
    """What is used of tiktoken."""

    def encode_ordinary(self, text: str) -> list[int]:
        """Split a text into tokens; nothing in it is an instruction."""


def counter(encoding: _Encoding) -> TokenCounter:
    """Make a counter for the models that share an encoding."""

    @lru_cache(maxsize=_REMEMBERED)
    def tokens(texts: tuple[str, ...]) -> int:
        return sum(len(encoding.encode_ordinary(text)) for text in texts)

    def count(model_id: str, texts: tuple[str, ...]) -> int | None:
        if not _MODELS.fullmatch(model_id) or sum(map(len, texts)) > _LONGEST:
            return None
        return tokens(texts)

    return count


class ExactTokens:
    """Brings exact counting in step with the options. Its task ends with the entry."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], router: Router) -> None:
        """Begin with the estimator."""
        self._hass = hass
        self._entry = entry
        self._router = router
        self._counter: TokenCounter | None = None
        self._loading: asyncio.Task[None] | None = None
        self._tried = False

    @callback
    def follow(self, options: Mapping[str, Any]) -> None:
        """Switch it on or off; one attempt to load it for each time that it is switched on."""
        if not options.get(Conf.EXACT_TOKENS):
            self._tried = False
            if self._loading is not None:
                self._loading.cancel()
                self._loading = None
            self._router.count_words_with(None)
        elif self._counter is not None:
            self._router.count_words_with(self._counter)
        elif options.get(Conf.LOCAL_ONLY):
            if self._loading is not None:
                self._loading.cancel()
            self._loading, self._tried = None, False
            _LOGGER.warning(
                "Tokens are estimated, not counted: counting them exactly would load a list of tokens from the"
                " internet, and the router is local only. Switch one of the two off"
            )
        elif not self._tried:
            self._tried = True
            self._loading = self._entry.async_create_background_task(self._hass, self._load(), f"{DOMAIN} exact tokens")

    async def _load(self) -> None:
        try:
            await async_process_requirements(self._hass, DOMAIN, [REQUIREMENT], is_built_in=False)
            module = await self._hass.async_add_import_executor_job(importlib.import_module, "tiktoken")
            encoding = await self._hass.async_add_executor_job(module.get_encoding, _ENCODING)
        except (RequirementsNotFound, ImportError, OSError, ValueError) as err:
            _LOGGER.warning(
                "Tokens are estimated, not counted: %s could not be installed or loaded (%s). Switch exact token counts"
                " off and on again in the options to try once more",
                REQUIREMENT,
                err,
            )
            return
        self._counter = counter(encoding)
        self._router.count_words_with(self._counter)
        _LOGGER.debug("Tokens of OpenAI's models are counted exactly")
