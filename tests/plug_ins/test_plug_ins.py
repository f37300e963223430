"""Another integration brings a kind of provider or a strategy: before us, after us, for a while, and badly."""

import asyncio
import importlib
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import TextSelector
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router import plug_ins
from custom_components.ai_router.const import DOMAIN, ROUTER_STRATEGIES, SUBENTRY_PROVIDER, Conf
from custom_components.ai_router.plug_ins import Kind, Need, Option, ProviderSetup, Registration, kinds
from custom_components.ai_router.providers import apart
from custom_components.ai_router.providers.demo import Demo
from custom_components.ai_router.routing.call import Call, Event, Finish, Finished, Opened, TextDelta, Usage, UsageTotal
from custom_components.ai_router.routing.failures import AttemptFailed, FailureClass
from custom_components.ai_router.routing.model import Message, Model, Role, Text
from custom_components.ai_router.routing.plans import Because, Reason
from custom_components.ai_router.routing.request import Caller, Request
from custom_components.ai_router.routing.strategies import STRATEGIES, Strategy
from custom_components.ai_router.stored_models import model_to_stored
from tests.household import ATTIC, ask, demo, move_in, pass_time

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


@pytest.mark.parametrize("broken", ["raise RuntimeError", "1 +", "async_register = 3"])
@pytest.mark.parametrize("before", [True, False])
async def test_a_platform_that_cannot_be_imported_takes_no_other_with_it(
    hass: HomeAssistant, bring: Callable[..., None], neighbours: Path, broken: str, before: bool
) -> None:
    home = neighbours / "crash"
    home.mkdir()
    manifest = {"domain": "crash", "name": "Crash", "version": "1.0.0", "documentation": "", "codeowners": []}
    (home / "manifest.json").write_text(json.dumps(manifest))
    (home / "__init__.py").write_text("async def async_setup(hass, config): return True\n")
    (home / "ai_router.py").write_text(f"{broken}\n")
    bring(brings(kind()))
    if before:
        assert await async_setup_component(hass, "crash", {})
        await parrots(hass)

    entry = await move_in(hass, None, provider("macaw", model=DEMO_CHAT), demo(ATTIC, "Attic"))
    if not before:
        assert await async_setup_component(hass, "crash", {})
        await parrots(hass)
    await hass.async_block_till_done()

    assert "Demo answer" in (await ask(entry, PARROT)).text
    assert not problems(hass)


async def test_one_that_does_not_come_to_an_end_is_not_waited_for(
    hass: HomeAssistant, bring: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def register(hass: HomeAssistant, registration: Registration) -> None:
        registration.add_provider_kind(kind())
        await asyncio.Event().wait()

    monkeypatch.setattr(plug_ins, "_SECONDS", 0.05)
    bring()
    monkeypatch.setattr(importlib.import_module("custom_components.parrots.ai_router"), "async_register", register)
    async with asyncio.timeout(10):
        await parrots(hass)
        entry = await move_in(hass, None, provider("macaw", model=DEMO_CHAT))
        await hass.async_block_till_done()

        assert "Demo answer" in (await ask(entry, PARROT)).text
    assert "The platform ai_router of integration parrots failed" in caplog.text


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


async def test_a_check_without_an_end_is_ended(
    hass: HomeAssistant, bring: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(Demo):
        async def probe(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr("custom_components.ai_router.flows.provider_check._SECONDS", 0.05)
    bring(brings(kind(build=Silent)))
    await parrots(hass)
    entry = await move_in(hass, None)
    flows = hass.config_entries.subentries
    shown = await flows.async_init((entry.entry_id, SUBENTRY_PROVIDER), context={"source": SOURCE_USER})
    shown = await flows.async_configure(shown["flow_id"], {"kind": "macaw"})
    shown = await flows.async_configure(shown["flow_id"], {"name": "Polly"})

    assert (shown["step_id"], shown["errors"]) == ("plug_in", {"base": "not_ready"})
    assert shown["description_placeholders"]["detail"] == "no answer in time"


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
    await hass.async_block_till_done()
    reply = await ask_all(entry)
    assert (reply.target.provider_id, reply.plan.strategy) == (ATTIC, "priority")
    assert reply.plan.candidates[0].reasons[-1] == Reason(Because.STRATEGY_GONE)
    assert problems(hass) == {"strategy_unknown"}

    bring(lambda registration: registration.add_strategy("backwards", Backwards))
    neighbour = await parrots(hass)
    reply = await ask_all(entry)
    assert (reply.target.provider_id, reply.plan.strategy) == ("01CELLAR", "backwards")
    assert not problems(hass)

    assert await hass.config_entries.async_unload(neighbour.entry_id)
    await hass.async_block_till_done()
    assert "backwards" not in STRATEGIES
    assert (await ask_all(entry)).target.provider_id == ATTIC
    assert problems(hass) == {"strategy_unknown"}


async def test_a_strategy_can_be_chosen_while_it_is_there(
    hass: HomeAssistant, bring: Callable[..., None], freezer: FrozenDateTimeFactory
) -> None:
    entry = await move_in(hass, freezer, demo(ATTIC, "Attic"), demo("01CELLAR", "Cellar"))
    select = er.async_get(hass).async_get_entity_id("select", DOMAIN, f"{entry.entry_id}_strategy")
    assert select is not None

    def offered() -> tuple[str, list[str]]:
        state = hass.states.get(select)
        assert state is not None
        return state.state, [name for name in state.attributes["options"] if name not in ROUTER_STRATEGIES]

    async def in_forms(pool: str | None = None) -> tuple[bool, bool]:
        """Say whether the options and a pool offer it."""
        options = hass.config_entries.options
        shown = await options.async_init(entry.entry_id)
        shown = await options.async_configure(shown["flow_id"], {"next_step_id": "settings"})
        routing = shown["data_schema"].schema["routing"].schema.schema["strategy"].config["options"]
        options.async_abort(shown["flow_id"])
        flows = hass.config_entries.subentries
        context = {"source": "user"} if pool is None else {"source": "reconfigure", "subentry_id": pool}
        shown = await flows.async_init((entry.entry_id, "pool"), context=context)
        of_pool = shown["data_schema"].schema["strategy"].config["options"]
        flows.async_abort(shown["flow_id"])
        return "backwards" in routing, "backwards" in of_pool

    assert (offered(), await in_forms()) == (("priority", []), (False, False))

    bring(lambda registration: registration.add_strategy("backwards", Backwards))
    neighbour = await parrots(hass)
    assert (offered(), await in_forms()) == (("priority", ["backwards"]), (True, True))

    choose = {"entity_id": select, "option": "backwards"}
    await hass.services.async_call("select", "select_option", choose, blocking=True)
    pool = ConfigSubentry(
        data=MappingProxyType({"members": [{"provider": ATTIC}], "strategy": "backwards"}),
        subentry_id="01POOL",
        subentry_type="pool",
        title="Both",
        unique_id=None,
    )
    hass.config_entries.async_add_subentry(entry, pool)
    await pass_time(hass, freezer)
    assert offered() == ("backwards", ["backwards"])
    assert (await ask_all(entry)).target.provider_id == "01CELLAR"

    assert await hass.config_entries.async_unload(neighbour.entry_id)
    await hass.async_block_till_done()
    assert offered() == ("unknown", [])
    assert problems(hass) == {"strategy_unknown", "strategy_unknown_01POOL"}
    # What is set stays set, unless somebody chooses something else.
    assert await in_forms("01POOL") == (True, True)
    assert await in_forms() == (True, False)


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
