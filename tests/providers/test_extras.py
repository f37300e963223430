"""Headers and fields that a household adds: what may be sent, what may not, and that nothing of it gets out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_components.ai_router.providers.endpoint import EndpointProblem, InvalidEndpoint
from custom_components.ai_router.providers.extras import (
    ExtraProblem,
    InvalidExtra,
    secrets_in,
    typed_body,
    typed_headers,
)
from custom_components.ai_router.providers.registry import KINDS, ProviderSetup


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("X-House: abc", {"X-House": "abc"}),
        ("  X-House :abc:d \n\n api-key:1\n", {"X-House": "abc:d", "api-key": "1"}),
        ('{"X-House": "abc"}', {"X-House": "abc"}),
        ("{}", {}),
        ("", {}),
    ],
)
def test_headers(text: str, headers: dict[str, str]) -> None:
    assert typed_headers(text) == headers


@pytest.mark.parametrize(
    "text",
    [
        "no colon",
        "X House: a",
        ": a",
        "X-House:",
        "X-House: ü",
        '{"X-House": 1}',
        '{"X-House": "a\\nb"}',
        "{",
        '["a"]',
        "X-House: a\nx-house: b",
        "X-House: " + "a" * 20_000,
    ],
)
def test_what_are_no_headers(text: str) -> None:
    with pytest.raises(InvalidExtra) as raised:
        typed_headers(text)

    assert raised.value.code is ExtraProblem.HEADERS_MALFORMED
    assert text not in str(raised.value)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Content-Type"])
def test_headers_that_are_not_the_household_s(name: str) -> None:
    with pytest.raises(InvalidExtra) as raised:
        typed_headers(f"{name}: x")

    assert (raised.value.code, raised.value.name) == (ExtraProblem.HEADER_RESERVED, name)


@pytest.mark.parametrize("text", ["", "[]", "1", '"a"', "{", "a: b", '{"a": "' + "b" * 20_000 + '"}'])
def test_what_is_no_body(text: str) -> None:
    with pytest.raises(InvalidExtra) as raised:
        typed_body(text)

    assert raised.value.code is ExtraProblem.BODY_MALFORMED


@pytest.mark.parametrize("name", ["model", "messages", "stream", "max_tokens", "n", "tools", "models"])
def test_fields_that_are_not_the_household_s(name: str) -> None:
    with pytest.raises(InvalidExtra) as raised:
        typed_body(f'{{"top_k": 1, "{name}": 1}}')

    assert (raised.value.code, raised.value.name) == (ExtraProblem.BODY_RESERVED, name)


def test_a_body() -> None:
    assert typed_body(' {"provider": {"order": ["a"]}, "top_k": 5}\n') == {"provider": {"order": ["a"]}, "top_k": 5}


def test_all_values_are_secrets() -> None:
    body: Any = {"a": "one", "b": {"c": ["two", {"d": "three"}, 4]}}

    assert set(secrets_in({"Authorization": "Bearer four"}, body)) == {"one", "two", "three", "Bearer four", "four"}


@given(st.text(max_size=200))
def test_any_text_is_headers_or_none(text: str) -> None:
    try:
        headers = typed_headers(text)
    except InvalidExtra:
        return
    assert all("\n" not in part and "\r" not in part for pair in headers.items() for part in pair)


async def test_a_header_goes_no_further_than_a_key(session: Any) -> None:
    setup = ProviderSetup("p", "openai_compatible", "http://api.example.com/v1", headers={"api-key": "secret-1"})

    with pytest.raises(InvalidEndpoint) as raised:
        KINDS["openai_compatible"].build(setup, session)

    assert raised.value.code is EndpointProblem.KEY_OVER_HTTP
