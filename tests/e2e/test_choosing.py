"""Who gets the request and who may ask, set up through the forms of a booted Home Assistant and kept over a restart."""

from typing import Any

import pytest
from household import forms
from household.boot import until
from household.house import House

DOMAIN = "ai_router"


async def add(house: House, kind: str, **fields: Any) -> str:
    """Add a pool or a rule through its form; return its id."""
    entry_id = await house.router()
    before = {row["subentry_id"] for row in await house.subentries(entry_id)}
    await forms.complete(house, forms.SUBENTRY_FLOW, [entry_id, kind], fields)
    (added,) = (row["subentry_id"] for row in await house.subentries(entry_id) if row["subentry_id"] not in before)
    return str(added)


async def settle(house: House, **options: Any) -> None:
    """Change the router's options through their form."""
    await forms.complete(house, forms.OPTIONS_FLOW, await house.router(), {"menu": "settings", **options})


async def asked(house: House, **data: Any) -> dict[str, Any]:
    """Ask, and get what stood in the way as data, too."""
    return await house.process(prompt="Hi", on_error="return", **data)


@pytest.fixture(scope="module")
async def providers(house: House, router: str) -> dict[str, str]:
    """Two providers that need nothing; ids by name."""
    assert router
    return {name: await house.add_provider("demo", name=name, latency=0) for name in ("Attic", "Cellar")}


@pytest.fixture(scope="module")
async def automations(house: House) -> dict[str, str]:
    """Two automations that ask, each under its own label; entity ids by name."""
    for name in ("dawn", "dusk"):
        action = {
            "action": "ai_router.process",
            "data": {"prompt": "Hi", "label": name, "on_error": "return"},
            "response_variable": "reply",
        }
        told = {"event": "told", "event_data": {"who": name, "error": "{{ (reply.error | default({})).code }}"}}
        body = {"alias": name, "triggers": [], "conditions": [], "actions": [action, told]}
        status, answer = await house.rest("POST", f"/api/config/automation/config/{name}", body)
        assert status == 200, answer

    async def there() -> bool:
        status, _ = await house.rest("GET", "/api/states/automation.dusk")
        return status == 200

    await until(there, 20)
    return {name: f"automation.{name}" for name in ("dawn", "dusk")}


async def attempts(house: House, label: str) -> int:
    _, usage = await house.service(DOMAIN, "get_usage", {"period": "today", "by": ["label"]})
    return sum(row["attempts"] for row in usage["rows"] if row["label"] == label)


async def test_only_the_chosen_automation_may_ask(
    house: House, providers: dict[str, str], automations: dict[str, str]
) -> None:
    await settle(house, automations=[automations["dawn"]])
    for entity_id in automations.values():
        await house.service("automation", "trigger", {"entity_id": entity_id}, response=False)

    async def answered() -> bool:
        return await attempts(house, "dawn") == 1

    await until(answered, 20)
    assert await attempts(house, "dusk") == 0
    assert "error" not in await asked(house), "people are not meant"

    await settle(house, automations=[])
    await house.service("automation", "trigger", {"entity_id": automations["dusk"]}, response=False)

    async def both() -> bool:
        return await attempts(house, "dusk") == 1

    await until(both, 20)


async def test_a_rule_leads_to_its_pool_and_lets_nothing_through_when_that_is_gone(
    house: House, providers: dict[str, str]
) -> None:
    pool = await add(house, "pool", name="Down", members=[providers["Cellar"]])
    await add(house, "rule", name="Door", labels=["door"], pool=pool)

    reply = await asked(house, label="door", provider="Cellar")
    assert (reply["provider"], reply["pool"], reply["route"]["rule"]) == ("Cellar", "Down", "Door")
    assert (await asked(house, label="door", provider="Attic"))["error"]["code"] == "no_capable_target"

    entry_id = await house.router()
    await house.ws("config_entries/subentries/delete", entry_id=entry_id, subentry_id=pool)

    async def gone() -> bool:
        return (await asked(house, label="door")).get("error", {}).get("code") == "unknown_pool"

    await until(gone, 20)
    assert "error" not in await asked(house)


async def test_what_an_experiment_has_shown_outlives_a_restart_and_a_power_cut(
    house: House, providers: dict[str, str]
) -> None:
    pool = await add(house, "pool", name="Trial", members=[*providers.values()], strategy="experiment")
    assert pool
    replies = [await asked(house, pool="Trial", conversation=f"{number % 6}") for number in range(12)]
    assert [reply["provider"] for reply in replies[:6]] == [reply["provider"] for reply in replies[6:]]
    for reply in replies:
        data = {"request_id": reply["request_id"], "value": 0.5}
        assert (await house.service(DOMAIN, "score", data, response=False))[0] == 200
    # What is cached is scored for its arm as well.
    await asked(house, pool="Trial", temperature=0)
    again = await asked(house, pool="Trial", temperature=0)
    assert again["cached"]
    status, _ = await house.service(DOMAIN, "score", {"request_id": again["request_id"], "value": 1}, response=False)
    assert status == 200
    _, before = await house.service(DOMAIN, "get_experiment", {"pool": "Trial"})
    assert sum(arm["requests"] for arm in before["arms"]) == 13
    assert sum(arm["score"]["values"] for arm in before["arms"]) == 13

    await house.restart()
    _, after = await house.service(DOMAIN, "get_experiment", {"pool": "Trial"})
    assert after == before

    reply = await asked(house, pool="Trial")
    await house.service(DOMAIN, "score", {"request_id": reply["request_id"], "value": 0}, response=False)
    _, before = await house.service(DOMAIN, "get_experiment", {"pool": "Trial"})
    state = house.folder / ".storage" / "ai_router.state"

    async def written() -> bool:
        return state.stat().st_mtime > started

    started = state.stat().st_mtime
    await until(written, 20)
    await house.kill()
    await house.restart()
    _, after = await house.service(DOMAIN, "get_experiment", {"pool": "Trial"})
    assert after == before


async def test_a_strategy_is_chosen_for_all_and_for_one_request(house: House, providers: dict[str, str]) -> None:
    await settle(house, strategy="round_robin")
    plan = await asked(house, dry_run=True)
    everybody = {(each["provider"], each["model"]) for each in plan["targets"]}
    answers = [await asked(house) for _ in range(2 * len(everybody))]
    turns = [(each["provider"], each["model"]) for each in answers]
    assert turns[: len(everybody)] == turns[len(everybody) :]
    assert set(turns) == everybody
    assert {each["route"]["strategy"] for each in answers} == {"round_robin"}
    assert (await asked(house, strategy="manual", provider="Cellar"))["provider"] == "Cellar"
    assert (await asked(house, strategy="best"))["error"]["code"] == "unknown_strategy"
    assert (await asked(house, prefer=["Cellar"]))["provider"] == "Cellar"
    assert (await asked(house, exclude=["Cellar"]))["provider"] == "Attic"
