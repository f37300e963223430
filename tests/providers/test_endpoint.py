"""What people paste, and where a key may not go."""

import pytest

from custom_components.ai_router.providers.endpoint import (
    EndpointProblem,
    InvalidEndpoint,
    base_url,
    checked_key,
    is_in_the_house,
)

ENDINGS = ("/chat/completions", "/models")


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("192.168.1.5:8080", "http://192.168.1.5:8080/v1"),
        (" http://server:1234/v1/ ", "http://server:1234/v1"),
        ("localhost:11434", "http://localhost:11434/v1"),
        ("ollama.local", "http://ollama.local/v1"),
        ("api.example.com", "https://api.example.com/v1"),
        ("api.example.com/openai/v1", "https://api.example.com/openai/v1"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1"),
        ("https://api.example.com/v1/models/", "https://api.example.com/v1"),
        ("https://api.example.com/chat/completions", "https://api.example.com/v1"),
        ("HTTPS://API.Example.com", "https://api.example.com/v1"),
        ("fd00::7", "http://[fd00::7]/v1"),
        ("[fd00::7]:8080", "http://[fd00::7]:8080/v1"),
        ("2600::1", "https://[2600::1]/v1"),
        ("100.64.1.2:8000", "http://100.64.1.2:8000/v1"),
        ("8.8.8.8", "https://8.8.8.8/v1"),
    ],
)
def test_what_people_paste(pasted: str, address: str) -> None:
    assert str(base_url(pasted, root="/v1", endings=ENDINGS)) == address


@pytest.mark.parametrize(
    ("pasted", "problem"),
    [
        ("", EndpointProblem.EMPTY),
        ("  ", EndpointProblem.EMPTY),
        ("my server", EndpointProblem.NOT_AN_ADDRESS),
        ("http://", EndpointProblem.NOT_AN_ADDRESS),
        ("http://server:99999", EndpointProblem.NOT_AN_ADDRESS),
        ("http://[::1", EndpointProblem.NOT_AN_ADDRESS),
        ("0.0.0.0:11434", EndpointProblem.NOT_AN_ADDRESS),
        ("http://224.0.0.1", EndpointProblem.NOT_AN_ADDRESS),
        ("http://2852039166/", EndpointProblem.NOT_AN_ADDRESS),
        ("http://0xa9fea9fe/", EndpointProblem.NOT_AN_ADDRESS),
        ("http://169.254.43518/", EndpointProblem.NOT_AN_ADDRESS),
        ("ftp://server/", EndpointProblem.SCHEME),
        ("http://user:word@server/", EndpointProblem.USER_PART),
        ("http://user@server/", EndpointProblem.USER_PART),
        ("http://server/?key=1", EndpointProblem.QUERY),
        ("http://server/#top", EndpointProblem.QUERY),
        ("169.254.1.1", EndpointProblem.LINK_LOCAL),
        ("http://169.254.169.254/latest", EndpointProblem.LINK_LOCAL),
        ("http://[fe80::1]/", EndpointProblem.LINK_LOCAL),
        ("fe80::1%eth0", EndpointProblem.LINK_LOCAL),
        ("http://[::ffff:169.254.169.254]/", EndpointProblem.LINK_LOCAL),
        ("http://[64:ff9b::a9fe:a9fe]/", EndpointProblem.LINK_LOCAL),
        ("http://\uff11\uff16\uff19.254.169.254/", EndpointProblem.LINK_LOCAL),
        ("metadata.google.internal", EndpointProblem.METADATA),
        ("http://METADATA.google.internal./", EndpointProblem.METADATA),
        ("http://100.100.100.200/", EndpointProblem.METADATA),
        ("http://[fd00:ec2::254]/", EndpointProblem.METADATA),
    ],
)
def test_what_is_refused(pasted: str, problem: EndpointProblem) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        base_url(pasted, root="/v1", endings=ENDINGS)

    assert refused.value.code is problem


@pytest.mark.parametrize(
    "host",
    [
        "192.168.1.5",
        "10.0.0.1",
        "127.0.0.1",
        "[::1]",
        "[fd00::7]",
        "server",
        "localhost",
        "nas.local",
        "nas.LAN",
        "nas.home",
        "nas.internal",
        "nas.home.arpa",
        "a.b.local.",
        "100.64.1.2",
    ],
)
def test_a_key_may_travel_in_the_house(host: str) -> None:
    assert base_url(f"http://{host}/v1", key="secret").scheme == "http"
    assert is_in_the_house(host.strip("[]"))


@pytest.mark.parametrize(
    "host", ["api.example.com", "8.8.8.8", "[2600::1]", "local.example.com", "nas.locals", "nas.home.org"]
)
def test_a_key_does_not_travel_in_the_open(host: str) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        base_url(f"http://{host}/v1", key="secret")

    assert refused.value.code is EndpointProblem.KEY_OVER_HTTP
    assert base_url(f"http://{host}/v1").scheme == "http"
    assert base_url(f"https://{host}/v1", key="secret").scheme == "https"


def test_a_refusal_repeats_neither_address_nor_key() -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        base_url("http://user:hush@api.example.com", key="secret")

    assert "hush" not in f"{refused.value!r} {refused.value}"
    assert "example" not in f"{refused.value!r} {refused.value}"


@pytest.mark.parametrize(("typed", "key"), [(None, None), ("", None), ("  ", None), (" sk-1 ", "sk-1")])
def test_keys(typed: str | None, key: str | None) -> None:
    assert checked_key(typed) == key


@pytest.mark.parametrize("typed", ["sk-1\r\nX-Evil: 1", "sk 1", "sk-\x001"])
def test_a_key_that_would_break_a_header_is_refused(typed: str) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        checked_key(typed)

    assert refused.value.code is EndpointProblem.KEY_MALFORMED
