"""What another integration's provider says of a failure: bounded, on one line, and without its key."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, override

import aiohttp
import pytest

from custom_components.ai_router.providers.guarded import guarded_kind
from custom_components.ai_router.providers.registry import Kind, Need, ProviderSetup
from custom_components.ai_router.routing.call import Call, Event, Opened
from custom_components.ai_router.routing.failures import AttemptFailed, Billed, Failure, FailureClass, Phase
from custom_components.ai_router.routing.model import Model

from .asking import asking, fail
from .test_canary import KEY, SPELLINGS, leaks


class Talkative:
    """Fails with whatever it is told to say."""

    def __init__(self, detail: str) -> None:
        self.failure = Failure(FailureClass.CREDENTIAL, Phase.SENT, detail)

    async def attempt(self, _: Call) -> AsyncGenerator[Event]:
        yield Opened()
        raise AttemptFailed(self.failure)

    async def models(self) -> Sequence[Model]:
        raise AttemptFailed(self.failure)

    async def probe(self) -> None:
        raise AttemptFailed(self.failure)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_its_key_comes_out_of_no_failure(session: aiohttp.ClientSession, spelling: str) -> None:
    detail = f"not {SPELLINGS[spelling](KEY)}\nbut another" + "!" * 1_000
    kind = guarded_kind(Kind("macaw", lambda *_: Talkative(detail), Need.NONE, Need.REQUIRED, name="Macaw"))
    of: Any = kind.build(ProviderSetup("p", "macaw", key=KEY), session)

    failures = [(await fail(of, asking("grey")))[0]]
    for ask in (of.probe, of.models):
        with pytest.raises(AttemptFailed) as raised:
            await ask()
        failures.append(raised.value.failure)

    for failure in failures:
        assert failure.detail.startswith("not ")
        assert failure.cls is FailureClass.CREDENTIAL
        assert leaks(repr(failure)) == []
        assert len(failure.detail) <= 300
        assert "\n" not in failure.detail
    assert leaks(repr(of)) == []


class Careless(Talkative):
    """Answers with what is not asked for."""

    def __init__(self, listed: Any = (), tokens: Any = 0) -> None:
        super().__init__("")
        self._listed = listed
        self._tokens = tokens

    @override
    async def models(self) -> Any:
        return self._listed

    def least_picture(self, width: int, height: int) -> Any:
        return self._tokens[width, height] if isinstance(self._tokens, dict) else self._tokens

    def picture_tokens(self, _: str, width: int, height: int) -> Any:
        return self.least_picture(width, height)

    async def count(self, _: Call) -> Any:
        return self._tokens


def of_kind(client: Any, session: aiohttp.ClientSession) -> Any:
    kind = guarded_kind(Kind("macaw", lambda *_: client, Need.NONE, Need.NONE, name="Macaw"))
    return kind.build(ProviderSetup("p", "macaw"), session)


@pytest.mark.parametrize("lacking", [("probe",), ("attempt", "models"), ("attempt", "models", "probe")])
async def test_what_lacks_a_method_is_no_provider(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, lacking: tuple[str, ...]
) -> None:
    client = Talkative("")
    for name in lacking:
        setattr(client, name, None)

    with pytest.raises(AttemptFailed) as raised:
        of_kind(client, session)

    failure = raised.value.failure
    assert (failure.cls, failure.phase, failure.billed) == (FailureClass.MALFORMED, Phase.UNSENT, Billed.NO)
    assert f"A provider of the kind macaw has no {' and no '.join(lacking)}" in caplog.text


@pytest.mark.parametrize("listed", [None, "grey", 5, ["grey"], [Model("")], [Model("grey", context=-1)], {"grey": 1}])
async def test_a_list_of_something_else_is_none(session: aiohttp.ClientSession, listed: Any) -> None:
    with pytest.raises(AttemptFailed) as raised:
        await of_kind(Careless(listed), session).models()

    assert (raised.value.failure.cls, raised.value.failure.phase) == (FailureClass.MALFORMED, Phase.SENT)

    good = [Model("grey", context=8_192)]
    assert await of_kind(Careless(good), session).models() == good


@pytest.mark.parametrize(("told", "least", "usual"), [(258, 258, 258), (-4, -4, 0), ("many", 0, 0), ({}, 0, 0)])
async def test_a_picture_is_counted_whatever_it_says(
    session: aiohttp.ClientSession, told: Any, least: int, usual: int
) -> None:
    of = of_kind(Careless(tokens=told), session)

    assert of.least_picture(640, 480) == least
    assert of.picture_tokens("grey", 640, 480) == usual

    silent = of_kind(Talkative(""), session)
    assert (silent.least_picture, silent.picture_tokens) == (None, None)


@pytest.mark.parametrize(("told", "counted"), [(12, 12), (0, 0), (-1, None), (True, None), (1.5, None), (None, None)])
async def test_tokens_are_a_whole_number_or_none(session: aiohttp.ClientSession, told: Any, counted: Any) -> None:
    assert await of_kind(Careless(tokens=told), session).count(asking("grey")) == counted
