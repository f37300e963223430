"""How many tokens a request takes, told beforehand: by the model's own tokenizer where that is free, else estimated."""

import asyncio
from typing import NamedTuple

from .failures import AttemptFailed
from .model import Target
from .offers import Ask, Offer
from .planner import Planner
from .ports import Counter
from .refusals import RefusalCode, RequestFailed, for_good
from .request import Request
from .usual import Usual

_PATIENCE = 10.0


class Counted(NamedTuple):
    """The tokens of a request's input on a target. `exact`: its provider counted them; else it is an estimate."""

    target: Target
    tokens: int
    exact: bool


async def count_tokens(planner: Planner, usual: Usual, ask: Ask) -> Counted:
    """Count for the target that the request would go to now.

    Only that one's provider is asked, and only if it may have the request: whatever keeps it from being asked leaves
    the estimate, corrected by what the target counted so far. Raises `RequestFailed` where no target may ever take it.
    """
    draft = planner.draft(ask)
    offer = draft.offers[0] if draft.offers else None
    if offer is not None and (tokens := await _exactly(offer, ask.request)) is not None:
        return Counted(offer.lane.target, tokens, exact=True)
    target = next(planner.able(ask), None) if offer is None else offer.lane.target
    if target is None:
        plan = draft.plan()
        code = RefusalCode.NO_PROVIDER if planner.fleet.bare else for_good(plan, within=ask.within)
        raise RequestFailed(code, ask.request.id, plan)
    return Counted(target, usual.expected(target, ask.size), exact=False)


async def _exactly(offer: Offer, request: Request) -> int | None:
    client = offer.lane.provider.client
    # What does not fit as a whole would be counted without its beginning.
    if not isinstance(client, Counter) or offer.fit.trimmed:
        return None
    try:
        async with asyncio.timeout(min(_PATIENCE, offer.fit.bounds.timeout or _PATIENCE)):
            return await client.count(offer.call(request))
    except AttemptFailed, TimeoutError:
        return None
