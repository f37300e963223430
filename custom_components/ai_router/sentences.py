"""Why a request was not answered, in one sentence: what happened and what to do, as a translated exception."""

from collections import Counter
from collections.abc import Callable, Iterable

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .routing.failures import FailureClass
from .routing.plans import LeftOut, Plan, Why
from .routing.refusals import RefusalCode, RequestFailed
from .wording import Wording

# Of a reason that all share. Those that stand alone in a refusal's code have its sentence.
OF_REASON = {
    Why.DISABLED: "all_disabled",
    Why.NOT_ALLOWED: "none_allowed",
    Why.RULED_OUT: "ruled_out",
    Why.NO_SHARE: "no_share",
    Why.NOT_NAMED: "not_named",
    Why.NOT_LOCAL: "not_local",
    Why.NO_CHAT: "no_chat",
    Why.NO_VISION: "no_vision",
    Why.NO_TOOLS: "no_tools",
    Why.NO_STRUCTURE: "no_structure",
    Why.NO_EMBEDDINGS: "no_embeddings",
    Why.NO_STREAMING: "no_streaming",
    Why.LACKS_CAPABILITY: "lacks_capability",
    Why.CONTEXT_TOO_SMALL: "context_too_small",
    Why.PRICE_UNKNOWN: "price_unknown",
    Why.TOO_EXPENSIVE: "too_expensive",
    Why.TOO_SLOW: "too_slow",
    Why.EXCLUDED: "all_excluded",
    Why.NOT_ASKED_FOR: "none_asked_for",
    Why.NOT_IN_POOL: "none_in_pool",
}
# Out of order: what somebody has to mend.
OF_FAULT: dict[Why | FailureClass, str] = {
    Why.KIND_UNKNOWN: "all_down_kind_unknown",
    Why.UNUSABLE: "all_down_unusable",
    FailureClass.CREDENTIAL: "all_down_credential",
    FailureClass.BILLING: "all_down_billing",
    FailureClass.MODEL_MISSING: "all_down_model_missing",
    FailureClass.NOT_LOCAL: "all_down_not_local",
    FailureClass.REGION: "all_down_region",
}
_DOWN = frozenset({Why.BREAKER_OPEN, Why.BENCHED, Why.KIND_UNKNOWN, Why.UNUSABLE})
# What a person can mend without another model or another request: told before what is only more frequent.
_MENDABLE = _DOWN | {Why.DISABLED, Why.PRICE_UNKNOWN, Why.NO_SHARE}
_TOLD = 3
_CALLERS_OWN = (
    RefusalCode.NO_PROVIDER,
    RefusalCode.UNKNOWN_STRATEGY,
    RefusalCode.EMPTY_POOL,
    RefusalCode.NO_CAPABLE_TARGET,
    RefusalCode.TOO_EXPENSIVE,
    RefusalCode.NOT_ALLOWED,
    RefusalCode.UNKNOWN_POOL,
    RefusalCode.UNREADABLE_TEXT,
)
# Failures of which a person can mend the cause get a sentence of their own.
_TOLD_APART = {
    RefusalCode.ALL_FAILED: (
        FailureClass.CREDENTIAL,
        FailureClass.BILLING,
        FailureClass.MODEL_MISSING,
        FailureClass.NOT_LOCAL,
        FailureClass.NETWORK,
        FailureClass.TIMEOUT_CONNECT,
        FailureClass.TIMEOUT_FIRST_TOKEN,
        FailureClass.RATE_LIMIT,
        FailureClass.MALFORMED,
        FailureClass.EMPTY,
    ),
    RefusalCode.REJECTED: (FailureClass.CONTENT_POLICY,),
}

type _Names = Callable[[str], str]


def to_exception(error: RequestFailed, names: _Names, words: Wording) -> HomeAssistantError:
    """Turn a refusal into the translated exception; `names` knows providers and pools by their ids."""
    failure = error.failure
    last = error.attempts[-1] if error.attempts else None
    pool = None if error.plan is None else error.plan.pool
    causes = () if error.plan is None else _causes(error, error.plan)
    placeholders = {
        "provider": names(last.target.provider_id) if last is not None else "",
        "model": last.target.model_id if last is not None else "",
        # Servers may end what they say with a full stop; our sentences bring their own.
        "detail": failure.detail.rstrip(". ") if failure is not None else "",
        "count": str(len(error.attempts)),
        "free_at": "",
        "bucket": words.bucket(error.bucket, names),
        "pool": "" if pool is None else names(pool),
        "reasons": _reasons(causes, names, words),
        "providers": _few(dict.fromkeys(names(each.target.provider_id) for each in causes)),
    }
    if error.free_at is not None:
        local = dt_util.as_local(dt_util.utc_from_timestamp(error.free_at))
        placeholders["free_at"] = local.isoformat(sep=" ", timespec="seconds")
    kind = ServiceValidationError if error.code in _CALLERS_OWN else HomeAssistantError
    return kind(translation_domain=DOMAIN, translation_key=_key(error), translation_placeholders=placeholders)


def _key(error: RequestFailed) -> str:
    code, failure = error.code, error.failure
    if failure is not None and failure.cls in _TOLD_APART.get(code, ()):
        return f"{code}_{failure.cls}"
    if code is RefusalCode.NO_CAPABLE_TARGET:
        return _of_all(error) or code
    if code is RefusalCode.ALL_DOWN:
        shared = _fault(error)
        if shared is not None:
            return shared
    if code in (RefusalCode.LIMITED, RefusalCode.OVER_BUDGET, RefusalCode.ALL_DOWN) and error.free_at is None:
        return f"{code}_for_good"
    return code


def _causes(error: RequestFailed, plan: Plan) -> tuple[LeftOut, ...]:
    """Return what to tell of: where providers are out of order, of the others no request asks."""
    if error.code is RefusalCode.ALL_DOWN:
        return tuple(each for each in plan.causes if each.why in _DOWN)
    return plan.causes


def _of_all(error: RequestFailed) -> str | None:
    """Return the sentence of the one reason that every target was left out for."""
    if error.plan is None:
        return None
    if not error.plan.left_out:
        return "no_models"
    whys = {each.why for each in error.plan.causes}
    if not whys:
        left_out = {each.why for each in error.plan.left_out}
        # What a caller excludes is all that was left of what else he asked for; likewise what is not in the pool.
        whys = {next(why for why in (Why.EXCLUDED, Why.NOT_ASKED_FOR, Why.NOT_IN_POOL) if why in left_out)}
    return OF_REASON.get(whys.pop()) if len(whys) == 1 else None


def _fault(error: RequestFailed) -> str | None:
    """Return the sentence of the one thing that has to be mended at every provider."""
    causes = () if error.plan is None else _causes(error, error.plan)
    faults = {each.cls if each.why is Why.BENCHED else each.why for each in causes}
    fault = faults.pop() if len(faults) == 1 else None
    return None if fault is None else OF_FAULT.get(fault)


def _reasons(causes: Iterable[LeftOut], names: _Names, words: Wording) -> str:
    """Tell why, and of whom: first what can be mended, then what keeps most targets back; no more than a few."""
    count: Counter[str] = Counter()
    whose: dict[str, dict[str, None]] = {}
    mendable = set()
    for each in causes:
        text = words.left_out(each)
        count[text] += 1
        whose.setdefault(text, {})[names(each.target.provider_id)] = None
        if each.why in _MENDABLE:
            mendable.add(text)
    told = sorted(count, key=lambda text: (text not in mendable, -count[text]))[:_TOLD]
    return "; ".join(words.text("left_out_of", text=text, names=_few(whose[text])) for text in told)


def _few(names: Iterable[str]) -> str:
    some = list(names)
    return ", ".join(some) if len(some) <= _TOLD else f"{', '.join(some[:_TOLD])}, …"
