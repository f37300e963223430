"""A server that shows it is at work is waited for, but not for ever, and not at the cost of another that stands ready."""

import pytest

from custom_components.ai_router.routing.call import ALIVE, Finish, Rethought, Timeouts, Usage
from custom_components.ai_router.routing.failures import FailureClass, FailureScope
from custom_components.ai_router.routing.model import Thinking
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Bounds

from .simulation import Home, LoopClock, ScriptedProvider, Step, ask, provider, run

ANSWER: list[Step] = ["Yes", Usage(fresh_in=10, text_out=1), Finish.STOP]
TIMEOUTS = Timeouts(first_token=10, idle=10, total=100)


def thinking(seconds: int) -> list[Step]:
    """Script signs of life every five seconds."""
    return [step for _ in range(seconds // 5) for step in (5.0, ALIVE)]


def test_a_model_that_thinks_longer_than_the_first_word_may_take_is_not_cut() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider([*thinking(60), *ANSWER]), timeouts=TIMEOUTS))

        reply = await home.router.process(ask())

        assert (reply.text, reply.first_token) == ("Yes", 60)
        home.assert_nothing_left()

    run(main)


def test_silence_behind_a_sign_of_life_is_cut_and_counts_against_the_target() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(clock, provider("a", ScriptedProvider([5.0, ALIVE, 5.0, ALIVE, 1_000.0]), timeouts=TIMEOUTS))

        with pytest.raises(RequestFailed) as refused:
            await home.router.process(ask(bounds=Bounds(attempts=1)))

        (attempt,) = refused.value.attempts
        assert attempt.outcome.failure is not None
        assert (attempt.outcome.failure.cls, attempt.outcome.failure.scope, attempt.outcome.latency) == (
            FailureClass.TIMEOUT_FIRST_TOKEN,
            FailureScope.TARGET,
            20,
        )
        home.assert_nothing_left()

    run(main)


def test_signs_of_life_for_ever_end_with_the_attempt_s_time() -> None:
    async def main(clock: LoopClock) -> None:
        stuck = ScriptedProvider(thinking(100_000))
        home = Home(clock, provider("a", stuck, timeouts=TIMEOUTS), bounds=Bounds(timeout=1_000))

        with pytest.raises(RequestFailed) as refused:
            await home.router.process(ask())

        (attempt,) = refused.value.attempts
        assert attempt.outcome.failure is not None
        assert (attempt.outcome.failure.cls, attempt.outcome.latency) == (FailureClass.TIMEOUT_TOTAL, 100)
        assert stuck.running == 0

    run(main)


@pytest.mark.parametrize(
    ("bounds", "spare", "waited"),
    [(Bounds(first_token=12), False, 12.0), (Bounds(timeout=60), True, 30.0), (Bounds(timeout=60), False, 60.0)],
)
def test_who_is_in_a_hurry_does_not_wait_longer_for_signs_of_life(bounds: Bounds, spare: bool, waited: float) -> None:
    async def main(clock: LoopClock) -> None:
        slow = provider("a", ScriptedProvider(thinking(1_000)), priority=1, timeouts=TIMEOUTS)
        home = Home(clock, slow, *([provider("b", ScriptedProvider(ANSWER))] if spare else []))
        if spare:
            reply = await home.router.process(ask(bounds=bounds))
            assert (reply.text, reply.target.provider_id) == ("Yes", "b")
            attempts = reply.attempts
        else:
            with pytest.raises(RequestFailed) as refused:
                await home.router.process(ask(bounds=bounds))
            attempts = tuple(refused.value.attempts)

        failure = attempts[0].outcome.failure
        assert failure is not None
        assert attempts[0].outcome.latency == waited
        # The target is not to blame for the caller's hurry.
        assert failure.scope is FailureScope.REQUEST
        home.assert_nothing_left()

    run(main)


def test_signs_of_life_are_nothing_that_callers_hear_of() -> None:
    async def main(clock: LoopClock) -> None:
        home = Home(
            clock,
            provider("a", ScriptedProvider([ALIVE, *ANSWER[:1], 8.0, ALIVE, 8.0, "!", *ANSWER[1:]]), timeouts=TIMEOUTS),
        )

        stream = home.router.open(ask())
        heard = [event async for event in stream]

        assert ALIVE not in heard
        assert stream.reply is not None
        # They count between two words as well.
        assert stream.reply.text == "Yes!"

    run(main)


def test_words_that_turn_out_to_be_reasoning_are_no_answer() -> None:
    async def main(clock: LoopClock) -> None:
        script: list[Step] = ["hm, ", "is it", Rethought(), "No.", Usage(fresh_in=10, text_out=5), Finish.STOP]
        home = Home(clock, provider("a", ScriptedProvider(script)))
        reply = await home.router.process(ask())
        assert reply.text == "No."
        assert [part.text for part in reply.parts if isinstance(part, Thinking)] == ["hm, is it"]
        # Where nothing follows, there is no answer at all.
        nothing: list[Step] = ["hm", Rethought(), Finish.STOP]
        silent = Home(clock, provider("a", ScriptedProvider(nothing)), provider("b", ScriptedProvider()))
        assert (await silent.router.process(ask())).text == "Hello"

    run(main)
