"""What refusals mean, beyond the corpus."""

import json
from typing import Any

import pytest

from custom_components.ai_router.providers.replies import Replies
from custom_components.ai_router.routing.failures import Billed, FailureClass, Phase

NOW = 1_000_000.0
REPLIES = Replies("a server", ("sk-secret", "me"))


def refused(status: int, body: Any, **headers: str) -> Any:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return REPLIES.refusal(status, told, json.dumps(body).encode(), "m", NOW)


@pytest.mark.parametrize(
    ("status", "word", "cls"),
    [
        (429, "false", FailureClass.QUOTA),
        (500, "false", FailureClass.UNKNOWN),
        (401, "false", FailureClass.CREDENTIAL),
        (400, "true", FailureClass.TRANSIENT),
        (429, "true", FailureClass.RATE_LIMIT),
        (401, "true", FailureClass.CREDENTIAL),
    ],
)
def test_the_server_s_word_on_retries_wins(status: int, word: str, cls: FailureClass) -> None:
    assert refused(status, {"error": "no"}, x_should_retry=word).cls is cls


@pytest.mark.parametrize(("wait", "cls"), [("3600", FailureClass.RATE_LIMIT), ("3601", FailureClass.QUOTA)])
def test_a_wait_of_hours_is_a_quota(wait: str, cls: FailureClass) -> None:
    failure = refused(429, {"error": "no"}, retry_after=wait)

    assert failure.cls is cls
    assert failure.retry_at == NOW + int(wait)


def test_the_server_s_text_is_bounded_redacted_and_on_one_line() -> None:
    failure = refused(500, {"error": {"message": "sk-secret\r\n\x1b[31m\x00 said me " + "x" * 1_000}})

    assert failure.detail.startswith("*** [31m said me xxx")
    assert len(failure.detail) == 300
    assert "sk-secret" not in repr(REPLIES)


def test_a_validator_s_copy_of_the_request_is_not_kept() -> None:
    failure = refused(422, {"detail": [{"loc": ["body", "messages", 0], "msg": "wrong", "input": "private words"}]})

    assert failure.detail == "wrong"


@pytest.mark.parametrize(("phase", "billed"), [(Phase.SENT, Billed.NO), (Phase.STREAMING, Billed.PARTIAL)])
def test_an_error_in_an_answer(phase: Phase, billed: Billed) -> None:
    failure = REPLIES.in_band({"error": {"message": "busy", "code": 503}}, phase)

    assert failure is not None
    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.OVERLOADED, phase, billed)
    assert REPLIES.in_band({"choices": []}, phase) is None
