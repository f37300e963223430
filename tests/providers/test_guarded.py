"""What another integration's provider says of a failure: bounded, on one line, and without its key."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import aiohttp
import pytest

from custom_components.ai_router.providers.guarded import guarded_kind
from custom_components.ai_router.providers.registry import Kind, Need, ProviderSetup
from custom_components.ai_router.routing.call import Call, Event, Opened
from custom_components.ai_router.routing.failures import AttemptFailed, Failure, FailureClass, Phase
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
