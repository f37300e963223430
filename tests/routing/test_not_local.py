"""A target that was to be in the house and is not gets nothing more until a person has looked."""

import pytest

from custom_components.ai_router.routing.call import Finish, Usage
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.plans import Why
from custom_components.ai_router.routing.ports import Benched
from custom_components.ai_router.routing.refusals import RequestFailed

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, provider, run

YEAR = 365 * 86_400.0


@pytest.mark.parametrize("local_only", [True, False])
def test_it_is_set_aside_and_another_answers(local_only: bool) -> None:
    async def main(clock: LoopClock) -> None:
        breach = ScriptedProvider(failing(FailureClass.NOT_LOCAL, status=200))
        other = ScriptedProvider(["Yes", Usage(fresh_in=1, text_out=1), Finish.STOP])
        home = Home(clock, provider("a", breach, priority=1), provider("b", other), local_only=local_only)

        reply = await home.router.process(ask())
        clock.shift += YEAR
        later = await home.router.process(ask())

        assert [attempt.target.provider_id for attempt in reply.attempts] == ["a", "b"]
        assert [attempt.target.provider_id for attempt in later.attempts] == ["b"]
        assert [(each.target.provider_id, each.why) for each in later.plan.left_out] == [("a", Why.BENCHED)]
        (event,) = [event for event in home.events if isinstance(event, Benched)]
        assert (event.provider_id, event.model_id, event.failure.cls) == ("a", "m", FailureClass.NOT_LOCAL)
        home.router.mend("a")
        assert (await home.router.process(ask())).attempts[0].target.provider_id == "a"
        home.assert_nothing_left()

    run(main)


def test_where_no_other_is_local_the_request_fails() -> None:
    async def main(clock: LoopClock) -> None:
        breach = ScriptedProvider(failing(FailureClass.NOT_LOCAL, status=200))
        cloud = ScriptedProvider()
        home = Home(clock, provider("a", breach), provider("b", cloud, local=False))

        with pytest.raises(RequestFailed) as refused:
            await home.router.process(ask(local_only=True))

        assert refused.value.failure is not None
        assert refused.value.failure.cls is FailureClass.NOT_LOCAL
        assert cloud.calls == []

    run(main)
