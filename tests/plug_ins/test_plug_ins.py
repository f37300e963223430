"""Another integration brings a kind of provider or a strategy: before us, after us, for a while, and badly."""

import asyncio
import importlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import TextSelector
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import DOMAIN, SUBENTRY_PROVIDER, Conf
from custom_components.ai_router.plug_ins import Kind, Need, Option, ProviderSetup, Registration, kinds
from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass
from custom_components.ai_router.routing.model import (
    Call,
    Event,
    Finish,
    Finished,
    Model,
    Opened,
    TextDelta,
    Usage,
    UsageTotal,
)
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.strategies import STRATEGIES, Strategy
from custom_components.ai_router.stored_models import model_to_stored
from tests.household import ATTIC, ask, demo, move_in

PARROT = "01PARROT"


def provider(kind: str, *, prices: tuple[str, str] | tuple[()] = (), model: str = "grey") -> ConfigSubentry:
    data = {
        Conf.KIND.value: kind,
        Conf.MODELS.value: [model_to_stored(Model(model, local=True), *prices)],
        Conf.OPTIONS.value: {"times": 2},
    }
    return ConfigSubentry(
        data=MappingProxyType(data),
        subentry_id=PARROT,
        subentry_type=SUBENTRY_PROVIDER,
        title="Polly",
        unique_id=None,
    )


async def repeats(entry: MockConfigEntry) -> None:
    reply = await ask(entry, PARROT, "Hello you")
    assert (reply.text.strip(), reply.usage.text_out) == ("Hello you Hello you", 4)


def problems(hass: HomeAssistant) -> set[str]:
    return {issue_id for domain, issue_id in ir.async_get(hass).issues if domain == DOMAIN}


# --- the example of the documentation ---------------------------------------------------------------


async def test_the_documented_plug_in_comes_before_us(hass: HomeAssistant, parrot: Path) -> None:
    assert await async_setup_component(hass, "parrot", {})
    entry = await move_in(hass, None, provider("parrot"))
    await hass.async_block_till_done()

    await repeats(entry)
    assert not problems(hass)


async def test_the_documented_plug_in_comes_after_us(
    hass: HomeAssistant, parrot: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await move_in(hass, None, provider("parrot"), demo(ATTIC, "Attic"))
    await hass.async_block_till_done()
    router = entry.runtime_data.router

    assert set(router.config.providers) == {ATTIC}
    assert problems(hass) == {f"kind_unknown_{PARROT}"}

    assert await async_setup_component(hass, "parrot", {})
    await hass.async_block_till_done()

    assert entry.runtime_data.router is router, "it came without a reload"
    await repeats(entry)
    assert not problems(hass)
    assert "Traceback" not in caplog.text


async def test_it_is_added_in_the_ui(hass: HomeAssistant, parrot: Path) -> None:
    assert await async_setup_component(hass, "parrot", {})
    entry = await move_in(hass, None)
    flows = hass.config_entries.subentries
    shown = await flows.async_init((entry.entry_id, SUBENTRY_PROVIDER), context={"source": SOURCE_USER})
    offered = shown["data_schema"].schema["kind"].config["options"]
    assert {"value": "parrot", "label": "Parrot"} in offered

    shown = await flows.async_configure(shown["flow_id"], {"kind": "parrot"})
    assert (shown["step_id"], shown["description_placeholders"]) == ("plug_in", {"kind": "Parrot"})
    shown = await flows.async_configure(shown["flow_id"], {"name": "Polly", "Repetitions": 3})
    assert shown["step_id"] == "models"
    sections = {"limits": {"concurrent": 1}, "patience": {}}
    shown = await flows.async_configure(shown["flow_id"], {"models": ["grey"], **sections})
    assert shown["type"] == "create_entry"
    await hass.async_block_till_done()

    (subentry,) = entry.subentries.values()
    assert (subentry.title, subentry.data["kind"], subentry.data["options"]) == ("Polly", "parrot", {"times": 3})
    assert subentry.data["concurrent"] == 1
    assert (await ask(entry, subentry.subentry_id, "Hi")).text.split() == ["Hi"] * 3
    await settled(hass, entry)
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, subentry.subentry_id), entry.entry_id)
    assert device is not None
    assert device.model == "Parrot"


# --- a second integration, with an entry of its own ---------------------------------------------------


@pytest.fixture
def bring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what the integration `parrots` registers."""
    module = importlib.import_module("custom_components.parrots.ai_router")

    def bring(*registering: Callable[[Registration], Any]) -> None:
        monkeypatch.setattr(module, "REGISTER", list(registering))

    return bring


async def parrots(hass: HomeAssistant) -> MockConfigEntry:
    entry = MockConfigEntry(domain="parrots", title="Parrots")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def kind(kind_id: str = "macaw", build: Callable[..., Any] = Demo, **more: Any) -> Kind:
    return Kind(kind_id, build, **({"url": Need.NONE, "key": Need.NONE, "name": "Macaw"} | more))


def brings(*brought: Any) -> Callable[[Registration], None]:
    def register(registration: Registration) -> None:
        for each in brought:
            registration.add_provider_kind(each)

    return register


DEMO_CHAT = "demo-chat"


async def test_its_providers_wait_while_it_is_away(hass: HomeAssistant, bring: Callable[..., None]) -> None:
    bring(brings(kind()))
    neighbour = await parrots(hass)
    entry = await move_in(hass, None, provider("macaw", model=DEMO_CHAT), demo(ATTIC, "Attic"))
    await hass.async_block_till_done()
    assert "Demo answer" in (await ask(entry, PARROT)).text
    entity = next(
        state.entity_id for state in hass.states.async_all("sensor") if state.entity_id.startswith("sensor.polly_")
    )
    assert hass.states.get(entity).state != "unavailable"  # type: ignore[union-attr] # it was found just now

    for _ in range(2):
        assert await hass.config_entries.async_unload(neighbour.entry_id)
        await hass.async_block_till_done()
        await settled(hass, entry)
        assert PARROT not in entry.runtime_data.router.config.providers
        assert problems(hass) == {f"kind_unknown_{PARROT}"}
        assert hass.states.get(entity).state == "unavailable"  # type: ignore[union-attr] # it stays in the registry
        assert "Demo answer" in (await ask(entry, ATTIC)).text

        assert await hass.config_entries.async_setup(neighbour.entry_id)
        await hass.async_block_till_done()
        await settled(hass, entry)
        assert not problems(hass)
        assert "Demo answer" in (await ask(entry, PARROT)).text
        assert hass.states.get(entity).state != "unavailable"  # type: ignore[union-attr] # it stays in the registry

    await hass.config_entries.async_remove(neighbour.entry_id)
    await hass.async_block_till_done()
    assert PARROT not in entry.runtime_data.router.config.providers


async def settled(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entry.runtime_data.coordinator.refresh_now()
    await hass.async_block_till_done()


BAD = {
    "is no Kind": ["macaw"],
    "is taken": [kind("ollama"), kind("groq"), kind("ai_task"), kind("macaw"), kind("macaw")],
    "small letters": [kind("Macaw"), kind("user step"), kind("_a"), kind("")],
    "has no name": [kind(name=""), kind(name="  ")],
    "is not what it has to be": [
        kind(3),  # type: ignore[arg-type] # another integration is not checked
        kind(build="Demo"),  # type: ignore[arg-type] # another integration is not checked
        kind(url="required"),
        kind(options=[Option("times", "Times", TextSelector())]),
        kind(max_edge=0),
        kind(max_edge="big"),
        kind(limits=[]),
    ],
    "is no limit": [kind(limits={"models": 3}), kind(limits={"concurrent": "many"}), kind(limits={"attempts": -1})],
}


@pytest.mark.parametrize("said", BAD)
async def test_a_bad_kind_is_named_in_the_log_and_harms_nothing(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture, said: str
) -> None:
    bring(brings(*BAD[said], kind("cockatoo")))
    entry = await move_in(hass, None, demo(ATTIC, "Attic"))
    await parrots(hass)

    lines = [record for record in caplog.records if record.levelname == "ERROR"]
    expected = [each for each in BAD[said] if isinstance(each, str) or each.id != "macaw" or said != "is taken"]
    assert len(lines) == len(expected) + (said == "is taken")
    assert all("parrots" in record.message and said in record.message for record in lines)
    assert "cockatoo" in kinds(hass)
    assert kinds(hass)["ollama"].name == ""
    assert "Demo answer" in (await ask(entry, ATTIC)).text


async def test_a_platform_that_fails_keeps_what_it_brought_before(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(registration: Registration) -> None:
        raise ZeroDivisionError

    bring(brings(kind()), fail, brings(kind("cockatoo")))
    entry = await move_in(hass, None, demo(ATTIC, "Attic"))
    await parrots(hass)

    assert "macaw" in kinds(hass)
    assert "cockatoo" not in kinds(hass)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "parrots" in record.message
    assert record.exc_info is not None
    assert "Demo answer" in (await ask(entry, ATTIC)).text


# --- a provider that misbehaves ---------------------------------------------------------------------


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


def raises(err: BaseException) -> Callable[[Call], Any]:
    def answer(call: Call) -> Any:
        raise err

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


async def ask_all(entry: MockConfigEntry) -> Any:
    from custom_components.ai_router.routing.model import Caller, Message, Request, Role, Text  # noqa: PLC0415

    request = Request(id="all", caller=Caller(), messages=(Message(Role.USER, (Text("Hi"),)),))
    return await entry.runtime_data.router.process(request)


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


async def test_a_check_that_fails_is_shown_where_it_is_added(hass: HomeAssistant, bring: Callable[..., None]) -> None:
    bring(brings(kind(build=lambda *_: Macaw(yields()))))
    await parrots(hass)
    entry = await move_in(hass, None)
    flows = hass.config_entries.subentries
    shown = await flows.async_init((entry.entry_id, SUBENTRY_PROVIDER), context={"source": SOURCE_USER})
    shown = await flows.async_configure(shown["flow_id"], {"kind": "macaw"})
    shown = await flows.async_configure(shown["flow_id"], {"name": "Polly"})

    assert (shown["step_id"], shown["errors"]) == ("plug_in", {"base": "not_ready"})
    assert "ZeroDivisionError" in shown["description_placeholders"]["detail"]


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


# --- strategies -------------------------------------------------------------------------------------


class Backwards(Strategy):
    name = "backwards"

    def order(self, choice: Any) -> Any:
        return [(offer, "from the end") for offer in reversed(choice.offers)]


class Broken(Backwards):
    name = "broken"

    def keep(self, *_: Any) -> None:
        raise ZeroDivisionError

    def order(self, _: Any) -> Any:
        return None


async def test_a_strategy_comes_and_goes(hass: HomeAssistant, bring: Callable[..., None]) -> None:
    entry = await move_in(hass, None, demo(ATTIC, "Attic"), demo("01CELLAR", "Cellar"), strategy="backwards")
    with pytest.raises(RequestFailed):
        await ask_all(entry)

    bring(lambda registration: registration.add_strategy("backwards", Backwards))
    neighbour = await parrots(hass)
    assert (await ask_all(entry)).target.provider_id == "01CELLAR"

    assert await hass.config_entries.async_unload(neighbour.entry_id)
    assert "backwards" not in STRATEGIES
    with pytest.raises(RequestFailed):
        await ask_all(entry)


async def test_a_bad_strategy_harms_nothing(
    hass: HomeAssistant, bring: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    def register(registration: Registration) -> None:
        registration.add_strategy("priority", Backwards)
        registration.add_strategy("No name", Backwards)
        registration.add_strategy("failing", raises(ZeroDivisionError()))
        registration.add_strategy("empty", object)  # type: ignore[arg-type] # another integration is not checked
        registration.add_strategy("broken", Broken)

    bring(register)
    neighbour = await parrots(hass)
    entry = await move_in(hass, None, demo(ATTIC, "Attic"), demo("01CELLAR", "Cellar"), strategy="broken")

    assert sum("brings a strategy that cannot be used" in record.message for record in caplog.records) == 4
    assert (await ask_all(entry)).target.provider_id == ATTIC
    assert await hass.config_entries.async_unload(neighbour.entry_id)
    assert not {"failing", "empty", "broken"} & STRATEGIES.keys()
