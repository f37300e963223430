"""Tests of the redaction of secrets."""

import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from homeassistant.helpers.redact import REDACTED

from custom_components.ai_router import redaction
from custom_components.ai_router.redaction import MAX_PER_OWNER, Redactor, guard_logs

KEY = "sk-live-4f9aQ2_b7"
ODD_KEY = 'pa/ss+w"ö\\rd= ??>>??>> 9'
CHILD = "custom_components.ai_router.providers.openai"


@pytest.fixture
def redactor() -> Redactor:
    redactor = Redactor()
    redactor.add("attic", [KEY, ODD_KEY])
    return redactor


@pytest.fixture
def guarded(redactor: Redactor) -> Iterator[Redactor]:
    stop = guard_logs(redactor)
    yield redactor
    stop()


@pytest.mark.parametrize("key", [KEY, ODD_KEY])
@pytest.mark.parametrize(
    "spelled",
    [
        str,
        quote,
        lambda key: quote(key, safe=""),
        lambda key: quote(key, safe="").lower() if key == ODD_KEY else key,
        quote_plus,
        json.dumps,
        lambda key: json.dumps(key, ensure_ascii=False),
        lambda key: repr({"key": key}),
        lambda key: json.dumps({"headers": {"Authorization": f"Bearer {key}"}}),
    ],
)
def test_every_spelling_is_found(redactor: Redactor, key: str, spelled: Callable[[str], str]) -> None:
    text = spelled(key)

    masked = redactor.redact(f"before {text} after")

    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert REDACTED in masked
    assert key[:5] not in masked
    assert key[-4:] not in masked


@pytest.mark.parametrize("key", [KEY, ODD_KEY])
@pytest.mark.parametrize("before", ["", "a", "ab", "user:", "Bearer "])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_within_base64(redactor: Redactor, key: str, before: str, encode: Callable[[bytes], bytes]) -> None:
    encoded = encode(f"{before}{key}, more".encode()).decode()

    masked = redactor.redact(f"Authorization: Basic {encoded}")

    assert masked.startswith("Authorization: Basic ")
    rest = masked.replace(REDACTED, "").removeprefix("Authorization: Basic ")
    assert len(rest) < len(encode(f"{before}, more".encode())) + 4


def test_the_credential_of_a_header_is_hidden_alone() -> None:
    redactor = Redactor()
    redactor.add("attic", [f"Bearer {KEY}"])

    assert redactor.redact(f"the key {KEY} was rejected") == f"the key {REDACTED} was rejected"


def test_short_values_stay_readable() -> None:
    redactor = Redactor()
    redactor.add("attic", ["", " ", "ollam", "Basic ab"])

    assert redactor.redact("ollama answers ab") == "ollama answers ab"


def test_a_longer_secret_goes_as_a_whole() -> None:
    redactor = Redactor()
    redactor.add("one", ["secret"])
    redactor.add("two", ["secret-of-two"])

    assert redactor.redact("x secret-of-two x secret x") == f"x {REDACTED} x {REDACTED} x"


def test_a_changed_key_is_hidden_together_with_the_old_one(redactor: Redactor) -> None:
    redactor.add("attic", ["sk-live-brand-new"])

    assert redactor.redact(f"{KEY} sk-live-brand-new") == f"{REDACTED} {REDACTED}"


def test_remove_forgets_one_owner_only(redactor: Redactor) -> None:
    redactor.add("cellar", ["cellar-secret"])
    redactor.remove("attic")
    redactor.remove("never seen")

    assert redactor.redact(f"{KEY} cellar-secret") == f"{KEY} {REDACTED}"


def test_what_is_kept_is_bounded() -> None:
    redactor = Redactor()
    for number in range(MAX_PER_OWNER + 50):
        redactor.add("attic", [f"secret-{number:04}"])

    assert redactor.redact("secret-0049 secret-0050 secret-0249") == f"secret-0049 {REDACTED} {REDACTED}"


def test_a_value_that_is_added_again_takes_no_second_place() -> None:
    redactor = Redactor()
    redactor.add("attic", ["the-first-one"])
    for _ in range(MAX_PER_OWNER):
        redactor.add("attic", [KEY, KEY])

    assert redactor.redact(f"the-first-one {KEY}") == f"{REDACTED} {REDACTED}"


def test_nested_data(redactor: Redactor) -> None:
    data = {
        "provider": {"api_key": KEY, "enabled": True, "weight": 1.5, "note": None},
        f"by {KEY}": [f"Bearer {KEY}", ("plain", {KEY})],
        7: ValueError(f"401: {KEY}"),
    }

    masked = redactor.redact_data(data)

    assert masked == {
        "provider": {"api_key": REDACTED, "enabled": True, "weight": 1.5, "note": None},
        f"by {REDACTED}": [f"Bearer {REDACTED}", ["plain", [REDACTED]]],
        7: f"401: {REDACTED}",
    }
    assert data["provider"]["api_key"] == KEY


def test_a_number_that_is_a_secret_is_masked() -> None:
    redactor = Redactor()
    redactor.add("attic", ["12345678"])

    assert redactor.redact_data({"account": 12345678, "port": 11434}) == {"account": REDACTED, "port": 11434}


@pytest.mark.parametrize("name", ["custom_components.ai_router", CHILD, f"{CHILD}.stream"])
def test_log_messages(guarded: Redactor, caplog: pytest.LogCaptureFixture, name: str) -> None:
    caplog.set_level(logging.DEBUG)

    logging.getLogger(name).debug("sent %s to %s, 100%% of it", {"key": KEY}, "attic")
    logging.getLogger(name).debug(f"as text: {KEY} %")  # noqa: G004 - the mistake is what is tested
    logging.getLogger(name).debug("nothing in here: %d", 5)

    assert caplog.messages == [
        f"sent {{'key': '{REDACTED}'}} to attic, 100% of it",
        f"as text: {REDACTED} %",
        "nothing in here: 5",
    ]
    assert KEY not in repr([record.__dict__ for record in caplog.records])


def test_log_of_an_exception_chain(guarded: Redactor, caplog: pytest.LogCaptureFixture) -> None:
    try:
        try:
            raise ValueError(f"bad header {KEY}")  # noqa: TRY301 - the chain is what is tested
        except ValueError as err:
            raise RuntimeError("attempt failed") from err
    except RuntimeError:
        logging.getLogger(CHILD).exception("it went wrong")

    assert f"ValueError: bad header {REDACTED}" in caplog.text
    assert "RuntimeError: attempt failed" in caplog.text
    assert KEY not in caplog.text
    assert caplog.records[0].exc_info is None


def test_log_of_a_stack(guarded: Redactor, caplog: pytest.LogCaptureFixture) -> None:
    stack = f"Stack (most recent call last):\n  send({KEY!r})"

    logging.getLogger(CHILD).handle(logging.LogRecord(CHILD, logging.INFO, __file__, 1, "here", (), None, sinfo=stack))

    assert caplog.records[0].stack_info == f"Stack (most recent call last):\n  send('{REDACTED}')"


def test_an_exception_without_a_secret_is_left_to_other_handlers(
    guarded: Redactor, caplog: pytest.LogCaptureFixture
) -> None:
    failure = RuntimeError("attempt failed")

    logging.getLogger(CHILD).error("it went wrong", exc_info=failure)

    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[1] is failure


def test_a_record_that_cannot_be_formatted_leaks_nothing(
    guarded: Redactor, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger(CHILD).warning("%d tokens", KEY)

    assert caplog.messages == ["%d tokens"]
    assert KEY not in "".join(capsys.readouterr())


def test_other_loggers_are_left_alone(guarded: Redactor, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("custom_components.other").warning("theirs: %s", KEY)

    assert caplog.messages == [f"theirs: {KEY}"]


def test_after_the_guard_is_stopped_nothing_is_left(redactor: Redactor) -> None:
    package = logging.getLogger("custom_components.ai_router")
    before = list(package.handlers)

    stop = guard_logs(redactor)
    assert package.handlers != before
    stop()

    assert package.handlers == before


def test_a_level_that_is_off_makes_no_work(guarded: Redactor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    class Untouchable:
        def __str__(self) -> str:
            raise AssertionError("formatted although DEBUG is off")

    logging.getLogger(CHILD).debug("%s", Untouchable())

    assert caplog.records == []


def test_a_value_is_spelled_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    spelled: list[str] = []
    monkeypatch.setattr(redaction, "forms_of", lambda value: spelled.append(value) or iter([value]))
    redactor = Redactor()
    for number in range(50):
        redactor.add(f"provider {number}", [f"secret-{number:04}"])
        redactor.redact("a line of the log")
    redactor.add("provider 0", ["secret-0000", "secret-0050"])
    redactor.remove("provider 1")

    assert spelled == [f"secret-{number:04}" for number in range(51)]
    assert redactor.redact("secret-0000 secret-0001") == f"{REDACTED} secret-0001"


def test_a_key_that_comes_while_another_thread_reads_is_hidden_at_once() -> None:
    redactor = Redactor()
    newest = "secret-none"
    leaks: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            if (told := newest) in redactor.redact(f"it is {told}"):
                leaks.append(told)

    reader = threading.Thread(target=read)
    redactor.add("first", [newest])
    reader.start()
    for number in range(300):
        redactor.add(f"provider {number % 7}", [f"secret-{number:04}"])
        newest = f"secret-{number:04}"
    done.set()
    reader.join()

    assert leaks == []
