"""A change of a provider's models mends those models alone; another key, or another way to speak to it, mends it all."""

from dataclasses import replace

import pytest

from custom_components.ai_router.routing.failures import FailureClass, FailureScope
from custom_components.ai_router.routing.model import Capability, Model, Target
from custom_components.ai_router.routing.ports import Unbenched
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Pins

from .simulation import Home, LoopClock, ScriptedProvider, ask, failing, prices, provider, run

ONE = Model("one", local=True, prices=prices())
TWO = Model("two", local=True, prices=prices())


async def fails(home: Home, model_id: str) -> None:
    with pytest.raises(RequestFailed):
        await home.router.process(ask(pins=Pins(targets=(Target("a", model_id),))))


@pytest.mark.parametrize("cls", [FailureClass.CREDENTIAL, FailureClass.BILLING], ids=str)
@pytest.mark.parametrize(
    "now",
    [
        (replace(ONE, prices=prices(1.0)), TWO),
        (replace(ONE, caps=ONE.caps | Capability.VISION), TWO),
        (ONE,),
        (ONE, TWO, Model("three")),
    ],
    ids=["price", "ability", "fewer", "more"],
)
def test_what_stands_of_the_account_outlasts_a_change_of_its_models(cls: FailureClass, now: tuple[Model, ...]) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(failing(cls, status=401, scope=FailureScope.ACCOUNT))
        home = Home(clock, provider("a", client, models=(ONE, TWO)))
        await fails(home, "one")
        (bench,) = home.router.benches.all()
        assert bench == ("a", None)

        home.configure(provider("a", client, models=now))

        assert home.router.benches.all().keys() == {bench}
        await fails(home, "one")
        assert len(client.calls) == 1
        home.configure(provider("a", client, models=now, credential="another"))
        assert not home.router.benches.all()
        assert [event for event in home.events if isinstance(event, Unbenched)] == [Unbenched(*bench)]

    run(main)


@pytest.mark.parametrize("cls", [FailureClass.MODEL_MISSING, FailureClass.NOT_LOCAL], ids=str)
def test_what_stands_of_a_model_ends_with_a_change_of_that_model_alone(cls: FailureClass) -> None:
    async def main(clock: LoopClock) -> None:
        client = ScriptedProvider(failing(cls, status=404), failing(cls, status=404))
        home = Home(clock, provider("a", client, models=(ONE, TWO)))
        await fails(home, "one")
        await fails(home, "two")
        assert home.router.benches.all().keys() == {("a", "one"), ("a", "two")}

        # What it costs says nothing of whether it is there, and stays in the house.
        home.configure(provider("a", client, models=(replace(ONE, prices=prices(1.0)), TWO)))
        assert home.router.benches.all().keys() == {("a", "one"), ("a", "two")}

        home.configure(provider("a", client, models=(replace(ONE, context=4_096), TWO)))
        assert home.router.benches.all().keys() == {("a", "two")}
        assert [event for event in home.events if isinstance(event, Unbenched)] == [Unbenched("a", "one")]

        home.configure(provider("a", client, models=(replace(ONE, context=4_096),)))
        assert not home.router.benches.all()

    run(main)


def test_a_changed_model_may_show_again_what_it_can() -> None:
    async def main(clock: LoopClock) -> None:
        seeing = [replace(each, caps=each.caps | Capability.VISION) for each in (ONE, TWO)]
        client = ScriptedProvider()
        home = Home(clock, provider("a", client, models=tuple(seeing)))
        targets = [Target("a", each.id) for each in seeing]
        for target in targets:
            home.router.benches.blind(target, clock.now())
            home.router.benches.unable(target, Capability.TOOLS)

        home.configure(provider("a", client, models=(replace(seeing[0], max_output=500), seeing[1])))

        assert [home.router.benches.is_blind(target, clock.now()) for target in targets] == [False, True]
        assert [home.router.benches.is_unable(target, Capability.TOOLS) for target in targets] == [False, True]

    run(main)
