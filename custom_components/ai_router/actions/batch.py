"""The action `process_batch`: many prompts, a few at a time, one result each in the order of the prompts."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv

from ..answers import reply_data
from ..callers import loaded
from ..const import CURRENCY, DOMAIN
from ..hub import Hub
from ..routing.refusals import RefusalCode, RequestFailed
from ..routing.request import Priority, tighter
from .asking import (
    CHAT_FIELDS,
    PROMPT_FIELDS,
    ROUTE_FIELDS,
    Field,
    OnError,
    chat_request,
    new_id,
    on_error,
    pictures_in,
    returned,
    seconds,
)

PROGRESS_EVENT = f"{DOMAIN}_batch_progress"
_ACTION = "process_batch"
_PROMPTS = "prompts"
_CONCURRENCY = "concurrency"
_MOST_PROMPTS = 500
_MOST_AT_ONCE = 16
_USUAL_AT_ONCE = 4
_USUAL_SECONDS = 600
_LONGEST = 86_400
_PROMPT_SCHEMA = vol.Schema(PROMPT_FIELDS)


def _prompt(value: Any) -> dict[str, Any]:
    """Check one prompt: a text, or an object with the fields of `process`."""
    fields: dict[str, Any] = _PROMPT_SCHEMA(value if isinstance(value, dict) else {Field.PROMPT: value})
    return fields


_SCHEMA = vol.Schema(
    {
        vol.Required(_PROMPTS): vol.All(cv.ensure_list, vol.Length(min=1, max=_MOST_PROMPTS), [_prompt]),
        vol.Optional(_CONCURRENCY, default=_USUAL_AT_ONCE): vol.All(
            vol.Coerce(int), vol.Range(min=1, max=_MOST_AT_ONCE)
        ),
        # A key keeps the form in which it came first: a time limit without a usual value must not come before ours.
        **{field: check for field, check in {**CHAT_FIELDS, **ROUTE_FIELDS}.items() if field != Field.TIMEOUT},
        vol.Optional(Field.TIMEOUT, default=_USUAL_SECONDS): seconds(_LONGEST),
        **on_error(OnError.RETURN),
    }
)


@callback
def async_setup_batch(hass: HomeAssistant) -> None:
    """Register the action."""
    hass.services.async_register(
        DOMAIN, _ACTION, _async_process_batch, schema=_SCHEMA, supports_response=SupportsResponse.ONLY
    )


async def _async_process_batch(call: ServiceCall) -> ServiceResponse:
    hub = loaded(call.hass)
    return _summary(await _Batch(hub, call).run())


def _summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    failed = sum("error" in result for result in results)
    costs = [result["cost"] for result in results if "cost" in result]
    return {
        "results": results,
        "total": len(results),
        "failed": failed,
        "cost": {
            "amount": round(sum(cost["amount"] for cost in costs), 12),
            "currency": CURRENCY,
            "estimated": any(cost["estimated"] for cost in costs),
        },
    }


class _Batch:
    """The prompts of one call on their way."""

    def __init__(self, hub: Hub, call: ServiceCall) -> None:
        self._hub = hub
        self._call = call
        prompts = call.data[_PROMPTS]
        self._left = iter(enumerate(prompts))
        self._results: list[dict[str, Any]] = [{} for _ in prompts]
        self._done = self._failed = 0
        self._end = hub.hass.loop.time() + call.data[Field.TIMEOUT]

    async def run(self) -> list[dict[str, Any]]:
        """Ask all; a prompt whose time is over is not asked any more. Cancelling it cancels those under way."""
        at_once = min(self._call.data[_CONCURRENCY], len(self._results))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(self._work())
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
        else:
            return self._results
        raise first

    async def _work(self) -> None:
        # All workers take from the same list, each the next that none has taken.
        for place, prompt in self._left:
            result = await returned(self._hub, self._call.data[Field.ON_ERROR], self._process(prompt))
            self._results[place] = result
            self._done += 1
            self._failed += "error" in result
            self._tell()

    async def _process(self, prompt: Mapping[str, Any]) -> dict[str, Any]:
        data = _tightened(self._call.data, prompt)
        try:
            async with asyncio.timeout_at(self._end):
                request = await chat_request(self._hub, self._call, data)
        except TimeoutError:
            raise RequestFailed(RefusalCode.DEADLINE, new_id()) from None
        left = self._end - self._hub.hass.loop.time()
        bounds = replace(request.bounds, timeout=tighter(prompt.get(Field.TIMEOUT), left))
        reply = await self._hub.router.process(replace(request, bounds=bounds, priority=Priority.BATCH))
        return reply_data(reply, self._hub.name_of, self._hub.wording, pictures_in(request))

    def _tell(self) -> None:
        """Say how far it is: numbers and the caller's own label, nothing of what was asked or answered."""
        progress = {
            "label": self._call.data.get(Field.LABEL),
            "done": self._done,
            "failed": self._failed,
            "total": len(self._results),
        }
        self._hub.hass.bus.async_fire(PROGRESS_EVENT, progress, context=self._call.context)


def _tightened(common: Mapping[str, Any], prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return a prompt's fields: its own before those of the whole batch, of bounds the tighter ones."""
    fields: dict[str, Any] = {name: value for name, value in common.items() if name in Field and name != Field.ON_ERROR}
    fields |= prompt
    fields[Field.LOCAL_ONLY] = any(each.get(Field.LOCAL_ONLY, False) for each in (common, prompt))
    if (cost := tighter(common.get(Field.MAX_COST), prompt.get(Field.MAX_COST))) is not None:
        fields[Field.MAX_COST] = cost
    return fields
