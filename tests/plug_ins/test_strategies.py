"""Strategies that another integration brings: they come, go, and harm nothing where they are bad."""

from collections.abc import Callable
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from custom_components.ai_router.const import DOMAIN, ROUTER_STRATEGIES
from custom_components.ai_router.plug_ins import Registration
from custom_components.ai_router.routing.plans import Because, Reason
from custom_components.ai_router.routing.strategies import STRATEGIES, Strategy
from tests.household import ATTIC, demo, move_in, pass_time, subentry

from .parrots import ask_all, parrots, problems, raises


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
    pool = subentry("01POOL", "pool", "Both", members=[{"provider": ATTIC}], strategy="backwards")
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
