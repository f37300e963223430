"""A provider that another integration brings, and that misbehaves: the next one answers, and nothing is harmed."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import TextSelector

from custom_components.ai_router.const import SUBENTRY_PROVIDER
from custom_components.ai_router.plug_ins import Need, Option, ProviderSetup, kinds
from custom_components.ai_router.providers import apart
from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.routing.call import Call, Event, Finish, Finished, Opened, TextDelta, Usage, UsageTotal
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass
from custom_components.ai_router.routing.model import Model
from tests.household import ATTIC, ask, demo, move_in

from .parrots import PARROT, ask_all, brings, kind, parrots, provider, raises


class Macaw:
    """Answers with what `answer` yields."""

    def __init__(self, answer: Callable[[Call], Any]) -> None:
        self.attempt = answer

    async def models(self) -> Sequence[Model]:
        return [Model("grey")]

    async def probe(self) -> None:
        raise ZeroDivisionError


def yields(*events: Any) -> Callable[[Call], AsyncGenerator[Any]]:
    async def answer(call: Call) -> AsyncGenerator[Any]:
        for event in events:
            if isinstance(event, BaseException):
                raise event
            yield event

    return answer


async def _fails_at_the_end(call: Call) -> AsyncGenerator[Event]:
    try:
        yield Opened()
        yield TextDelta(3)  # type: ignore[arg-type] # another integration is not checked
    finally:
        raise ZeroDivisionError


class Untyped:
    cls = "network"
    detail = ""


FAULTS: dict[str, Callable[[Call], Any]] = {
    "raises at once": raises(ZeroDivisionError()),
    "raises later": yields(Opened(), ZeroDivisionError()),
    "raises a cancel that nobody asked for": yields(Opened(), asyncio.CancelledError()),
    "raises a failure that is none": yields(AttemptFailed(Untyped())),  # type: ignore[arg-type] # not checked there
    "is no generator": lambda _: iter([Opened()]),
    "returns nothing": lambda _: None,
    "yields a text": yields(Opened(), "Hello"),
    "yields a class": yields(TextDelta),
    "yields a text of a wrong type": yields(Opened(), TextDelta(3)),  # type: ignore[arg-type] # not checked there
    "yields an end of a wrong type": yields(Opened(), TextDelta("Hi"), Finished("stop")),  # type: ignore[arg-type] # not checked there
    "tells a usage of a wrong type": yields(Opened(), UsageTotal({"in": 3})),  # type: ignore[arg-type] # not checked there
    "tells half a token": yields(Opened(), UsageTotal(Usage(fresh_in=0.5))),  # type: ignore[arg-type] # not checked there
    "tells fewer than none": yields(Opened(), UsageTotal(Usage(fresh_in=-3_000_000_000))),
    "tells a cost below nothing": yields(Opened(), UsageTotal(Usage(), cost=-5)),
    "fails while it is closed": _fails_at_the_end,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_next_provider_answers_and_the_ticket_is_settled(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    bring(brings(kind(build=lambda *_: Macaw(FAULTS[fault]))))
    await parrots(hass)
    polly = provider("macaw", prices=("1000", "1000"))
    entry = await move_in(hass, None, polly, demo(ATTIC, "Attic"), health_interval=0)
    await hass.async_block_till_done()
    router = entry.runtime_data.router
    router_config = router.config
    assert list(router_config.providers) == [PARROT, ATTIC]

    reply = await ask_all(entry)

    assert (reply.target.provider_id, "Demo answer" in reply.text) == (ATTIC, True)
    failures = [attempt.outcome.failure for attempt in reply.attempts[:-1]]
    assert failures
    assert all(failure is not None and failure.cls is FailureClass.MALFORMED for failure in failures)
    assert all(attempt.outcome.cost >= 0 for attempt in reply.attempts)
    assert any(record.exc_info for record in caplog.records if record.levelname == "ERROR")
    await entry.runtime_data.ledger.flush()
    assert len(await entry.runtime_data.ledger.recent(PARROT, 10)) == len(failures)
    assert not router.admission.open_tickets


async def test_a_cancel_gets_through_whatever_the_provider_makes_of_it(
    hass: HomeAssistant, bring: Callable[..., None]
) -> None:
    asked = asyncio.Event()

    async def deaf(call: Call) -> AsyncGenerator[Event]:
        yield Opened()
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        yield TextDelta("I did not hear that")
        yield Finished(Finish.STOP)

    bring(brings(kind(build=lambda *_: Macaw(deaf))))
    await parrots(hass)
    entry = await move_in(hass, None, provider("macaw", prices=("1000", "1000")), demo(ATTIC, "Attic"))
    asking = asyncio.create_task(ask_all(entry))
    await asked.wait()
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    await entry.runtime_data.ledger.flush()
    (attempt,) = await entry.runtime_data.ledger.recent(PARROT, 10)
    assert attempt.failure == FailureClass.CANCELLED


class Deaf:
    """Hears no cancel before it is let go, and says so much before that."""

    def __init__(self, *says: Event) -> None:
        self.says = says
        self.let_go = asyncio.Event()

    async def __call__(self, _: Call) -> AsyncGenerator[Event]:
        try:
            for event in self.says:
                yield event
            await self.wait()
        finally:
            await self.wait()

    async def wait(self) -> None:
        while not self.let_go.is_set():
            with suppress(asyncio.CancelledError):
                await self.let_go.wait()


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_GRACE", 0.05)


async def finished(tasks: set[asyncio.Task[Any]]) -> None:
    async with asyncio.timeout(10):
        while tasks:
            await asyncio.wait(set(tasks))
            await asyncio.sleep(0)


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("says", [(), (Opened(),), (Opened(), TextDelta("Hi"))])
async def test_who_is_deaf_to_a_cancel_holds_up_nobody(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture, says: tuple[Event, ...]
) -> None:
    deaf = Deaf(*says)
    bring(brings(kind(build=lambda *_: Macaw(deaf))))
    await parrots(hass)
    polly = provider("macaw", prices=("1000", "1000"))
    entry = await move_in(hass, None, polly, demo(ATTIC, "Attic"), health_interval=0)
    router = entry.runtime_data.router
    bounded = {**polly.data, "first_token_timeout": 0.1, "idle_timeout": 0.1, "attempts": 1}
    hass.config_entries.async_update_subentry(entry, entry.subentries[PARROT], data=bounded)
    await hass.async_block_till_done()

    async with asyncio.timeout(10):
        assert (await ask_all(entry)).target.provider_id == ATTIC
        asking = asyncio.create_task(ask(entry, PARROT))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not router.admission.open_tickets
        assert await hass.config_entries.async_unload(entry.entry_id)
    assert "A provider of the kind macaw does not end" in caplog.text
    deaf.let_go.set()
    await finished(apart._left)


@pytest.mark.usefixtures("short_grace")
async def test_an_answer_is_not_lost_because_nobody_hangs_up(hass: HomeAssistant, bring: Callable[..., None]) -> None:
    deaf = Deaf(Opened(), TextDelta("Hello from the macaw"), Finished(Finish.STOP))
    bring(brings(kind(build=lambda *_: Macaw(deaf))))
    await parrots(hass)
    entry = await move_in(hass, None, provider("macaw"), health_interval=0)
    await hass.async_block_till_done()

    async with asyncio.timeout(10):
        assert (await ask(entry, PARROT)).text == "Hello from the macaw"
    deaf.let_go.set()
    await finished(apart._left)


@pytest.mark.parametrize(
    "build",
    [raises(ZeroDivisionError()), lambda *_: None, lambda *_: object()],
    ids=["raises", "nothing", "something else"],
)
async def test_a_provider_that_cannot_be_made_waits(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture, build: Callable[..., Any]
) -> None:
    def make(setup: ProviderSetup, session: Any) -> Any:
        return build(setup) if build.__name__ == "answer" else build(setup, session)

    bring(brings(kind(build=make)))
    await parrots(hass)
    entry = await move_in(hass, None, provider("macaw"), demo(ATTIC, "Attic"))

    assert set(entry.runtime_data.router.config.providers) == {ATTIC}
    assert "Provider Polly waits" in caplog.text
    assert "Demo answer" in (await ask(entry, ATTIC)).text


async def added(hass: HomeAssistant) -> Any:
    """Add a provider of that kind; return what the form shows after its check."""
    entry = await move_in(hass, None)
    flows = hass.config_entries.subentries
    shown = await flows.async_init((entry.entry_id, SUBENTRY_PROVIDER), context={"source": SOURCE_USER})
    shown = await flows.async_configure(shown["flow_id"], {"kind": "macaw"})
    return await flows.async_configure(shown["flow_id"], {"name": "Polly"})


async def test_a_check_that_fails_is_shown_where_it_is_added(hass: HomeAssistant, bring: Callable[..., None]) -> None:
    bring(brings(kind(build=lambda *_: Macaw(yields()))))
    await parrots(hass)
    shown = await added(hass)

    assert (shown["step_id"], shown["errors"]) == ("plug_in", {"base": "not_ready"})
    assert "ZeroDivisionError" in shown["description_placeholders"]["detail"]


async def test_a_check_without_an_end_is_ended(
    hass: HomeAssistant, bring: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(Demo):
        async def probe(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("custom_components.ai_router.flows.provider_check._SECONDS", 0.05)
    bring(brings(kind(build=Silent)))
    await parrots(hass)
    shown = await added(hass)

    assert (shown["step_id"], shown["errors"]) == ("plug_in", {"base": "not_ready_in_time"})


async def test_a_form_asks_only_for_what_is_an_option(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    good = Option("voice", "Voice", TextSelector())
    bad = [Option("name", "Name", TextSelector()), Option("pitch", "Pitch", str), "volume"]
    bring(
        brings(
            kind(options=lambda: [good, *bad], url=Need.REQUIRED, key=Need.OPTIONAL, local_choice=True),
            kind("cockatoo", options=lambda: 1 / 0),
        )
    )
    await move_in(hass, None)
    await parrots(hass)

    assert kinds(hass)["macaw"].options() == (good,)
    assert kinds(hass)["cockatoo"].options() == ()
    assert caplog.text.count("The form of the kind macaw") == 1
    assert "ZeroDivisionError" in caplog.text
