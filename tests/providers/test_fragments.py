"""Pieces of a secret are found, wherever it was cut and however it is spelled; other text is left alone."""

import base64
import json
import tracemalloc
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.fragments import SHORTEST, Fragments
from custom_components.ai_router.providers.replies import Replies
from custom_components.ai_router.providers.spellings import forms_of
from custom_components.ai_router.redaction import Redactor

LONG = "".join(f"{number * 7_919:x}-" for number in range(1_700))[:9_000]
ODD = 'pa/ss+w"ö\\rd= ??>>??>> 9 and "some" more/of+it'
SECRETS = {"long": LONG, "odd": ODD, "short": "sk-live-4f9aQ2_b7"}
WAYS = {
    "plain": str,
    "url": lambda secret: quote(secret, safe=""),
    "json": lambda secret: json.dumps(secret)[1:-1],
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in capitals": str.upper,
    "in a header": lambda secret: base64.urlsafe_b64encode(f"user:{secret}".encode()).decode(),
}


def shares_a_piece(text: str, secret: str) -> bool:
    return any(text[at : at + SHORTEST] in secret for at in range(len(text) - SHORTEST + 1))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("cut", [(0, 0.9), (0.1, 1), (0.2, 0.8), (0, 1)])
def test_whatever_was_cut_off_the_rest_goes(name: str, way: str, cut: tuple[float, float]) -> None:
    spelled = WAYS[way](SECRETS[name])
    piece = spelled[int(cut[0] * len(spelled)) : int(cut[1] * len(spelled))]
    redactor = Redactor()
    redactor.add("attic", [SECRETS[name]])
    text = f"Incorrect key provided: {piece}. Ask again."

    for masked in (redactor.redact(text), Replies("a server", (SECRETS[name],)).redacted(text)):
        assert masked.startswith("Incorrect key provided: ")
        # At both ends of base64 there are characters that belong to the neighbours as well.
        assert not shares_a_piece(masked, spelled)
        assert len(masked) < 80


def test_what_our_own_limit_would_cut_is_gone_before() -> None:
    detail = Replies("a server", (LONG,)).redacted("x" * 250 + f" {LONG[:8_000]} said the server")

    assert detail == "x" * 250 + " *** said the server"


@given(st.text(alphabet="ab1-", min_size=20, max_size=80), st.data())
def test_every_piece_that_is_long_enough_goes(secret: str, data: st.DataObject) -> None:
    """An alphabet of four makes secrets that repeat themselves in every way."""
    first = data.draw(st.integers(0, len(secret) - SHORTEST))
    last = data.draw(st.integers(first + SHORTEST, len(secret)))
    before, after = data.draw(st.text("ab1- x", max_size=20)), data.draw(st.text("ab1- x", max_size=20))

    masked = Fragments(forms_of(secret)).mask(f"{before}{secret[first:last]}{after}", "\N{WHITE SQUARE}")

    assert not any(shares_a_piece(part, secret) for part in masked.split("\N{WHITE SQUARE}"))


@given(st.text(max_size=300))
def test_text_that_shares_nothing_stays_as_it_is(text: str) -> None:
    assert Fragments(forms_of("sk-live-4f9aQ2_b7-0123456789")).mask(text, "***") == text


def test_letters_that_grow_when_they_are_made_small_move_nothing() -> None:
    secret = "sk-live-4f9aq2_b7-0123456789"

    masked = Fragments(forms_of(secret)).mask(f"\u0130\u0130\u0130 {secret[:20]} \u0130", "***")

    assert masked == "\u0130\u0130\u0130 *** \u0130"


def test_short_pieces_are_words() -> None:
    redactor = Redactor()
    redactor.add("attic", ["sk-live-4f9aQ2_b7"])

    assert redactor.redact("keys begin with sk-live-") == "keys begin with sk-live-"


def test_nothing_is_kept_of_no_secrets() -> None:
    assert Fragments(()).mask("a text of some length", "***") == "a text of some length"


def test_a_long_secret_takes_little_memory() -> None:
    secrets = [f"{number}-{LONG}" for number in range(5)]
    tracemalloc.start()
    try:
        redactor = Redactor()
        redactor.add("attic", secrets)
        redactor.redact("a text")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # All spellings together have five times as many characters.
    assert kept < 150 * sum(map(len, secrets))
