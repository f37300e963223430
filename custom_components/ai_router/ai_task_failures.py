"""Why a call of another integration's AI Task entity failed, in the router's own classes."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from aiohttp import ClientError

from .routing.failures import Billed, Failure, FailureClass, Phase

_MAX_DETAIL: Final = 300
_DEEPEST_CAUSE: Final = 8
# What the server behind the entity said, where the integration tells.
_STATUSES: Final = {
    HTTPStatus.REQUEST_TIMEOUT: FailureClass.TIMEOUT_FIRST_TOKEN,
    HTTPStatus.PAYMENT_REQUIRED: FailureClass.BILLING,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: FailureClass.TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS: FailureClass.RATE_LIMIT,
    HTTPStatus.SERVICE_UNAVAILABLE: FailureClass.OVERLOADED,
    529: FailureClass.OVERLOADED,
}


def failure_of(err: Exception) -> Failure:
    """Say why a call failed: by what lies behind the error, as far as the integration tells.

    A rejected key, too, is only a bad time for us: it is asked for by the integration that it belongs to, and once it
    is mended there, nobody tells us.
    """
    detail = " ".join(str(err).split())[:_MAX_DETAIL] or type(err).__name__
    causes = list(_causes(err))
    for cause in causes:
        if (status := _status(cause)) is not None:
            # What was refused is not paid.
            return Failure(
                _STATUSES.get(status, FailureClass.TRANSIENT), Phase.SENT, detail, billed=Billed.NO, status=status
            )
    for cause in causes:
        if isinstance(cause, TimeoutError) or "timeout" in type(cause).__name__.lower():
            return Failure(FailureClass.TIMEOUT_FIRST_TOKEN, Phase.SENT, detail)
    if any(isinstance(cause, ClientError | ConnectionError) or "Connect" in type(cause).__name__ for cause in causes):
        return Failure(FailureClass.NETWORK, Phase.SENT, detail)
    return Failure(FailureClass.TRANSIENT, Phase.SENT, detail)


def _causes(err: BaseException) -> Iterable[BaseException]:
    cause: BaseException | None = err
    for _ in range(_DEEPEST_CAUSE):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _status(err: BaseException) -> int | None:
    """Return the HTTP status that an error of a client library carries; they name it in three ways."""
    for name in ("status_code", "status", "code"):
        status = getattr(err, name, None)
        if isinstance(status, int) and HTTPStatus.BAD_REQUEST <= status < 600:  # noqa: PLR2004 - statuses end there
            return int(status)
    return None
