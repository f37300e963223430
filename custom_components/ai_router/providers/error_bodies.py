"""The error bodies of AI servers, in all forms that are known."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

from .json_text import read_json


class ErrorBody(NamedTuple):
    """What an error body says, whatever its form. `codes` are lower case; `params` are the fields it objects to."""

    message: str
    codes: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    status: int | None = None


def _codes(*holders: Any) -> Iterable[str]:
    for holder in holders:
        if isinstance(holder, dict):
            for name in ("code", "error_code", "error_type", "type", "status"):
                code = holder.get(name)
                if isinstance(code, str | int) and not isinstance(code, bool):
                    yield str(code).lower()
            if "flagged_input" in holder:
                yield "flagged_input"


def _params(error: dict[str, Any]) -> Iterable[str]:
    param, details = error.get("param"), error.get("details")
    if isinstance(param, str) and param:
        yield param
    # Google's services list the fields apart from the words.
    for detail in details if isinstance(details, list) else ():
        violations = detail.get("fieldViolations") if isinstance(detail, dict) else None
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict) and isinstance(violation.get("field"), str):
                yield violation["field"]


def _from_object(error: dict[str, Any]) -> ErrorBody:
    message, code = error.get("message"), error.get("code")
    # The narrowest word first.
    codes = tuple(_codes(error.get("details"), error.get("metadata"), error))
    return ErrorBody(
        message if isinstance(message, str) and message else " ".join(codes),
        codes,
        tuple(_params(error)),
        code if isinstance(code, int) and HTTPStatus.BAD_REQUEST <= code < 600 else None,  # noqa: PLR2004 - statuses end there
    )


def _from_validation(problems: list[Any]) -> ErrorBody:
    """Read the list a request validator answers with. It repeats the input beside each problem: that is left out."""
    problems = [problem for problem in problems if isinstance(problem, dict)]
    return ErrorBody(
        "; ".join(str(problem.get("msg", "")) for problem in problems) or "the request was not understood",
        params=tuple(
            ".".join(str(step) for step in problem["loc"] if step != "body")
            for problem in problems
            if isinstance(problem.get("loc"), list)
        ),
    )


def error_body(data: Any) -> ErrorBody | None:
    """Find the error in a parsed body; None where there is none in any known form."""
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    if not isinstance(data, dict):
        return None
    error, errors, detail = data.get("error"), data.get("errors"), data.get("detail")
    if isinstance(error, dict):
        return _from_object(error)
    if isinstance(error, str) and error:
        return ErrorBody(error, tuple(_codes(data)))
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        # An envelope, as Cloudflare sends; the first says what went wrong.
        return _from_object(errors[0])
    if isinstance(detail, list):
        return _from_validation(detail)
    if isinstance(detail, str) and detail:
        return ErrorBody(detail)
    if isinstance(data.get("message"), str):
        return _from_object(data)
    return None


def parsed(body: bytes) -> Any:
    """Return the JSON in a body, None where there is none. A stream that was refused may be refused in its own form."""
    if body.startswith(b"data:"):
        body = body.removeprefix(b"data:").partition(b"\n")[0]
    try:
        return read_json(body)
    except ValueError:
        return None


def looks_like_a_page(content_type: str, body: bytes) -> bool:
    """Say whether a body is meant for a browser."""
    return "html" in content_type or body[:64].lstrip().lower().startswith((b"<!doctype", b"<html"))


def kind_of_body(content_type: str, body: bytes) -> str:
    """Name what came instead of JSON."""
    if not body.strip():
        return "an empty answer"
    return "a web page" if looks_like_a_page(content_type, body) else "something else than JSON"
