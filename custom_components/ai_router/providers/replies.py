"""What a server's refusal means: status, code and body become a `Failure`.

Structured codes decide first, then the status. Words decide only where servers tell the difference in words alone.
"""

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from ..routing.failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from .chat_usage import count
from .error_bodies import ErrorBody, error_body, looks_like_a_page, parsed
from .fragments import Fragments
from .rates import Headers, rate_windows, retry_at, wait_in_words
from .spellings import forms_of

_MAX_DETAIL = 300
# What is looked at of a text, of which no more than a detail is shown.
_MAX_TEXT = 20_000
# Shorter "keys" are placeholders that people type for servers without keys; blanking them would garble any text.
_SHORTEST_SECRET = 4
_HIDDEN = "***"
_LONG_WAIT = 3_600.0

_BY_CODE = {
    "context_length_exceeded": FailureClass.CONTEXT_LENGTH,
    "exceed_context_size_error": FailureClass.CONTEXT_LENGTH,
    "3051": FailureClass.CONTEXT_LENGTH,
    "content_policy_violation": FailureClass.CONTENT_POLICY,
    "content_filter": FailureClass.CONTENT_POLICY,
    "refusal": FailureClass.CONTENT_POLICY,
    "flagged_input": FailureClass.CONTENT_POLICY,
    "invalid_prompt": FailureClass.CONTENT_POLICY,
    "bio_policy": FailureClass.CONTENT_POLICY,
    "misalignment_policy_violation": FailureClass.CONTENT_POLICY,
    "image_content_policy_violation": FailureClass.CONTENT_POLICY,
    "invalid_api_key": FailureClass.CREDENTIAL,
    "authentication": FailureClass.CREDENTIAL,
    "authentication_error": FailureClass.CREDENTIAL,
    "permission_denied": FailureClass.CREDENTIAL,
    "organization_on_hold": FailureClass.CREDENTIAL,
    # LiteLLM looks up keys that it does not know, be there anything to look in or not.
    "no_db_connection": FailureClass.CREDENTIAL,
    "unsupported_country_region_territory": FailureClass.REGION,
    "data_residency_mismatch": FailureClass.REGION,
    "model_not_found": FailureClass.MODEL_MISSING,
    "insufficient_quota": FailureClass.BILLING,
    "credit_balance_exhausted": FailureClass.BILLING,
    "organization_spend_limit_exceeded": FailureClass.BILLING,
    "project_spend_limit_exceeded": FailureClass.BILLING,
    "organization_usage_limit_exceeded": FailureClass.BILLING,
    "payment_required": FailureClass.BILLING,
    "billing_error": FailureClass.BILLING,
    "credits_required": FailureClass.BILLING,
    "enforced_spend_limit_reached": FailureClass.BILLING,
    "contract_spend_limit_reached": FailureClass.BILLING,
    "rate_limit_error": FailureClass.RATE_LIMIT,
    "rate_limit_exceeded": FailureClass.RATE_LIMIT,
    "slow_down": FailureClass.RATE_LIMIT,
    "overloaded_error": FailureClass.OVERLOADED,
    "provider_overloaded": FailureClass.OVERLOADED,
    "provider_unavailable": FailureClass.TRANSIENT,
    "unavailable_error": FailureClass.OVERLOADED,
    "not_supported_error": FailureClass.CAPABILITY,
    "image_dimensions_too_large": FailureClass.TOO_LARGE,
    "image_file_too_large": FailureClass.TOO_LARGE,
    "image_too_large": FailureClass.TOO_LARGE,
    "empty_image_file": FailureClass.BAD_REQUEST,
    "image_parse_error": FailureClass.BAD_REQUEST,
    "image_too_small": FailureClass.BAD_REQUEST,
    "invalid_base64_image": FailureClass.BAD_REQUEST,
    "invalid_image": FailureClass.BAD_REQUEST,
    "invalid_image_format": FailureClass.BAD_REQUEST,
    "invalid_image_mode": FailureClass.BAD_REQUEST,
    "invalid_image_url": FailureClass.BAD_REQUEST,
    "unsupported_image_media_type": FailureClass.BAD_REQUEST,
    # The model wrote a call that its own server could not read: another try may do better.
    "tool_use_failed": FailureClass.MALFORMED,
}

_BY_STATUS = {
    400: FailureClass.BAD_REQUEST,
    401: FailureClass.CREDENTIAL,
    402: FailureClass.BILLING,
    403: FailureClass.CREDENTIAL,
    404: FailureClass.MODEL_MISSING,
    405: FailureClass.MALFORMED,
    408: FailureClass.TRANSIENT,
    409: FailureClass.TRANSIENT,
    410: FailureClass.MODEL_MISSING,
    413: FailureClass.TOO_LARGE,
    422: FailureClass.BAD_REQUEST,
    425: FailureClass.TRANSIENT,
    429: FailureClass.RATE_LIMIT,
    451: FailureClass.REGION,
    499: FailureClass.TRANSIENT,
    501: FailureClass.CAPABILITY,
    503: FailureClass.OVERLOADED,
    529: FailureClass.OVERLOADED,
}

# (class so far, words, class they make of it): servers that give no code for it, in the order of asking.
_BY_WORDS = (
    (FailureClass.BAD_REQUEST, "context length", FailureClass.CONTEXT_LENGTH),
    (FailureClass.BAD_REQUEST, "context window", FailureClass.CONTEXT_LENGTH),
    (FailureClass.BAD_REQUEST, "context limit", FailureClass.CONTEXT_LENGTH),
    (FailureClass.BAD_REQUEST, "prompt is too long", FailureClass.CONTEXT_LENGTH),
    (FailureClass.BAD_REQUEST, "credit balance", FailureClass.BILLING),
    (FailureClass.BAD_REQUEST, "usage limits", FailureClass.BILLING),
    (FailureClass.BAD_REQUEST, "invalid model name", FailureClass.MODEL_MISSING),
    (FailureClass.BAD_REQUEST, "enable-auto-tool-choice", FailureClass.CAPABILITY),
    (FailureClass.BAD_REQUEST, "does not support", FailureClass.CAPABILITY),
    (FailureClass.BAD_REQUEST, "not supported", FailureClass.CAPABILITY),
    (FailureClass.MODEL_MISSING, "no endpoints found that support", FailureClass.CAPABILITY),
    (FailureClass.MALFORMED, "no endpoints found that support", FailureClass.CAPABILITY),
    (FailureClass.MALFORMED, "no endpoints found", FailureClass.MODEL_MISSING),
    (FailureClass.TRANSIENT, "input is not supported", FailureClass.CAPABILITY),
    (FailureClass.TRANSIENT, "exceeds the context length", FailureClass.CONTEXT_LENGTH),
    (FailureClass.RATE_LIMIT, "request too large", FailureClass.TOO_LARGE),
    (FailureClass.RATE_LIMIT, "per day", FailureClass.QUOTA),
)

SCOPES = {
    FailureClass.CREDENTIAL: FailureScope.ACCOUNT,
    FailureClass.BILLING: FailureScope.ACCOUNT,
    FailureClass.REGION: FailureScope.PROVIDER,
    FailureClass.CONTEXT_LENGTH: FailureScope.REQUEST,
    FailureClass.CAPABILITY: FailureScope.REQUEST,
    FailureClass.TOO_LARGE: FailureScope.REQUEST,
    FailureClass.CONTENT_POLICY: FailureScope.REQUEST,
    FailureClass.BAD_REQUEST: FailureScope.REQUEST,
}

_WAITS = frozenset({FailureClass.RATE_LIMIT, FailureClass.QUOTA, FailureClass.OVERLOADED, FailureClass.TRANSIENT})


def _class_of(status: int, error: ErrorBody | None, model: str) -> FailureClass:
    if error is not None:
        for code in error.codes:
            if code in _BY_CODE:
                return _by_words(_BY_CODE[code], error)
    words = "" if error is None else error.message.lower()
    if status == HTTPStatus.NOT_FOUND and not ("model" in words or (model and model.lower() in words)):
        # No such path: a wrong address, not a missing model.
        return FailureClass.MALFORMED if error is None else _by_words(FailureClass.MALFORMED, error)
    if status < HTTPStatus.BAD_REQUEST:
        return FailureClass.MALFORMED
    server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    cls = _BY_STATUS.get(status, FailureClass.TRANSIENT if server else FailureClass.BAD_REQUEST)
    if error is not None:
        return _by_words(cls, error)
    # A wall in front of the server rather than the server: nothing is known about the request, or the key.
    walled = cls is FailureClass.BAD_REQUEST or status == HTTPStatus.FORBIDDEN
    return FailureClass.UNKNOWN if walled else cls


def _by_words(cls: FailureClass, error: ErrorBody) -> FailureClass:
    words = error.message.lower()
    for before, fragment, after in _BY_WORDS:
        # An objection to a named field is about our request, whatever its words.
        if cls is before and fragment in words and not (after is FailureClass.CAPABILITY and error.params):
            return after
    return cls


def _obeying(cls: FailureClass, headers: Headers) -> FailureClass:
    """Let the server's own word on retries win over the class: to the road, a class means what may be tried again."""
    word = headers.get("x-should-retry")
    if word == "false":
        return {FailureClass.RATE_LIMIT: FailureClass.QUOTA, FailureClass.TRANSIENT: FailureClass.UNKNOWN}.get(cls, cls)
    if word == "true" and cls in {FailureClass.BAD_REQUEST, FailureClass.UNKNOWN}:
        return FailureClass.TRANSIENT
    return cls


def _scope(cls: FailureClass, status: int, error: ErrorBody | None) -> FailureScope:
    known = error is not None and any(_BY_CODE.get(code) is cls for code in error.codes)
    if cls is FailureClass.CREDENTIAL and status == HTTPStatus.FORBIDDEN and not known:
        # "Not allowed" without a code may be about this model alone.
        return FailureScope.TARGET
    if cls is FailureClass.MALFORMED and not known:
        return FailureScope.PROVIDER
    return SCOPES.get(cls, FailureScope.TARGET)


def _until(cls: FailureClass, told: float | None, error: ErrorBody | None, now: float) -> float | None:
    """Return when (wall clock) to come again: as the headers tell, else as the words do."""
    if cls not in _WAITS:
        return None
    wait = None if told is not None or error is None else wait_in_words(error.message)
    return told if wait is None else now + wait


@dataclass(frozen=True, slots=True)
class Replies:
    """Reads refusals of one server. `protocol` names what it should speak; `secrets` never come out in a detail."""

    protocol: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    _forms: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _fragments: Fragments = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare all spellings once, the longest first: a secret that holds another one goes as a whole."""
        hidden = [secret for secret in self.secrets if len(secret) >= _SHORTEST_SECRET]
        # Codes are read in lower case, whatever they are.
        spelled = {form for secret in hidden for form in forms_of(secret)}
        forms = spelled | {form.lower() for form in spelled}
        object.__setattr__(self, "_forms", tuple(sorted(forms, key=len, reverse=True)))
        object.__setattr__(self, "_fragments", Fragments(spelled))

    def redacted(self, text: str) -> str:
        """Return text that is safe to show: without secrets, pieces of them and control characters, on one line, bounded."""
        text = text[:_MAX_TEXT]
        for form in self._forms:
            if form in text:
                text = text.replace(form, _HIDDEN)
        text = self._fragments.mask(text, _HIDDEN)
        text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        return text if len(text) <= _MAX_DETAIL else f"{text[: _MAX_DETAIL - 3]}..."

    def refusal(self, status: int, headers: Headers, body: bytes, model: str = "", now: float | None = None) -> Failure:
        """Read an answer whose status is not a success. `now` is wall-clock seconds."""
        error = error_body(parsed(body))
        now = time.time() if now is None else now
        cls = _obeying(_class_of(status, error, model), headers)
        until = _until(cls, retry_at(headers, now), error, now)
        if cls is FailureClass.RATE_LIMIT and until is not None and until - now > _LONG_WAIT:
            # Nobody is told to wait for hours because of a rate per minute.
            cls = FailureClass.QUOTA
        return Failure(
            cls,
            Phase.SENT,
            self.redacted(self._words(status, headers, error, body)),
            _scope(cls, status, error),
            until,
            # A gateway that gave up waiting says nothing about what the server behind it did.
            Billed.NO if error is not None or status < HTTPStatus.INTERNAL_SERVER_ERROR else Billed.UNKNOWN,
            status,
            rate_windows(headers, now),
        )

    def in_band(self, data: Any, phase: Phase, model: str = "") -> Failure | None:
        """Read an error inside an answer that began as a success; None where there is none.

        Nothing of a whole answer is billed when it is an error (`phase` sent); what a stream gave before may be.
        """
        error = error_body(data)
        if error is None:
            return None
        status = error.status or HTTPStatus.INTERNAL_SERVER_ERROR
        cls = _class_of(status, error, model)
        billed = Billed.NO if phase is Phase.SENT else Billed.PARTIAL
        until = _until(cls, None, error, time.time())
        return Failure(cls, phase, self.redacted(error.message), _scope(cls, status, error), until, billed, status)

    def counted(self, data: Any, *names: str) -> int:
        """Return the count in an answer to nothing but how many tokens. Raises `AttemptFailed` where there is none."""
        tokens = count(data, *names)
        if not tokens:
            raise AttemptFailed(self.stranger("JSON of another kind"))
        return tokens

    def malformed(self, detail: str, phase: Phase = Phase.SENT) -> Failure:
        """Say that the server spoke, but not its protocol. The detail is ours, without the server's text."""
        billed = Billed.UNKNOWN if phase is Phase.SENT else Billed.PARTIAL
        return Failure(FailureClass.MALFORMED, phase, detail, billed=billed)

    def stranger(self, what: str) -> Failure:
        """Say that a success is not from such a server at all; `what` it is instead."""
        detail = f"{what}: this does not seem to be {self.protocol}"
        return Failure(FailureClass.MALFORMED, Phase.SENT, detail, FailureScope.PROVIDER)

    def _words(self, status: int, headers: Headers, error: ErrorBody | None, body: bytes) -> str:
        if error is not None:
            return error.message or f"HTTP {status}"
        if status < HTTPStatus.BAD_REQUEST:
            return f"HTTP {status}: redirects are not followed, give the address it leads to"
        if looks_like_a_page(headers.get("Content-Type", ""), body):
            return f"HTTP {status} with a web page: not an answer of {self.protocol}"
        text = body.decode(errors="replace").strip()
        return f"HTTP {status}: {text}" if text else f"HTTP {status} without a word"
