"""What Cloudflare's refusals mean: one status stands for many codes, and one code for another day."""

import time
from dataclasses import replace
from typing import Any, override

from ..routing.failures import Failure, FailureClass, FailureScope, Phase
from .error_bodies import error_body, parsed
from .rates import Headers
from .replies import SCOPES, Replies

_BY_CODE = {
    # Workers AI
    "3003": FailureClass.BAD_REQUEST,
    "3006": FailureClass.TOO_LARGE,
    "3007": FailureClass.TRANSIENT,
    "3008": FailureClass.TRANSIENT,
    "3023": FailureClass.CREDENTIAL,
    "3036": FailureClass.QUOTA,
    "3040": FailureClass.OVERLOADED,
    "3041": FailureClass.MODEL_MISSING,
    "3042": FailureClass.MODEL_MISSING,
    "5004": FailureClass.BAD_REQUEST,
    "5007": FailureClass.MODEL_MISSING,
    # Its licence waits for somebody to agree.
    "5016": FailureClass.MODEL_MISSING,
    "5018": FailureClass.MODEL_MISSING,
    # The API in front of it
    "6003": FailureClass.CREDENTIAL,
    "7003": FailureClass.CREDENTIAL,
    "9109": FailureClass.CREDENTIAL,
    "10000": FailureClass.CREDENTIAL,
}
_UNMET = "json mode couldn't be met"
_DAY = 86_400.0


class CloudflareReplies(Replies):
    """Reads refusals of Cloudflare."""

    __slots__ = ()

    @override
    def refusal(self, status: int, headers: Headers, body: bytes, model: str = "", now: float | None = None) -> Failure:
        """Read an answer whose status is not a success. `now` is wall-clock seconds."""
        now = time.time() if now is None else now
        return _sharpened(super().refusal(status, headers, body, model, now), parsed(body), now)

    @override
    def in_band(self, data: Any, phase: Phase, model: str = "") -> Failure | None:
        """Read an error inside an answer that began as a success; None where there is none."""
        failure = super().in_band(data, phase, model)
        return None if failure is None else _sharpened(failure, data, time.time())


def _sharpened(failure: Failure, data: Any, now: float) -> Failure:
    error = error_body(data)
    if error is None:
        return failure
    if _UNMET in error.message.lower():
        return replace(failure, cls=FailureClass.INVALID_ANSWER, scope=FailureScope.TARGET)
    cls = next((_BY_CODE[code] for code in error.codes if code in _BY_CODE), None)
    if cls is None:
        return failure
    if cls is FailureClass.QUOTA:
        # One allocation for the whole account, given anew at midnight UTC.
        return replace(failure, cls=cls, scope=FailureScope.ACCOUNT, retry_at=now + _DAY - now % _DAY)
    return replace(failure, cls=cls, scope=SCOPES.get(cls, FailureScope.TARGET))
