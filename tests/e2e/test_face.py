"""What an automation, another user and an admin meet on a booted Home Assistant: triggers, rights, diagnostics, reloads."""

import asyncio
import json
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from household.boot import until
from household.client import Client, Refused
from household.house import House

from custom_components.ai_router.condition import CONDITIONS
from custom_components.ai_router.trigger import TRIGGERS

SECRET_PROMPT = "where is grandmother's silver hidden"
TIMES = 50
AT_ONCE = 4
# What a reader may do by an action, and what not.
FREE_FOR_ALL = {
    "process": {"prompt": "Hi", "provider": "Attic"},
    "process_batch": {"prompts": ["Hi"], "provider": "Attic"},
    "count_tokens": {"prompt": "Hi"},
    "estimate": {"input_tokens": 1},
    "get_status": {},
    "check_health": {},
    "get_usage": {},
    "get_metrics": {},
}
OF_ADMINS = {
    "set_provider": {"provider": "Attic", "priority": 7},
    "reset": {},
    "clear_cache": {},
    "purge": {"everything": True},
    "export_usage": {},
    "check_health": {"deep": True},
}
NO_ANSWER = {"set_provider", "reset", "clear_cache"}


@pytest.fixture(scope="module")
async def providers(house: House, router: str) -> dict[str, str]:
    """Devices by name: a provider that answers, and one that never does."""
    assert router
    await house.add_provider("demo", name="Attic", latency=0.01)
    await house.add_provider("demo", name="Broken", latency=0.01, success_rate=0, error="overloaded")
    found: dict[str, str] = {}

    async def there() -> bool:
        found.update({str(row["name"]): str(row["id"]) for row in await house.devices(router)})
        return {"Attic", "Broken"} <= found.keys()

    await until(there, 20)
    return found


async def automate(house: House, name: str, **automation: Any) -> None:
    """Write an automation that tells on the bus when it runs. Raises Refused."""
    actions = [{"event": "automated", "event_data": {"by": name, "told": "{{ trigger.platform }}"}}]
    body = {"alias": name, "mode": "parallel", "actions": actions, **automation}
    status, answer = await house.rest("POST", f"/api/config/automation/config/{name}", body)
    if status != HTTPStatus.OK:
        raise Refused(str(answer))

    async def taken() -> bool:
        states = await house.states()
        return any(state["attributes"].get("id") == name and state["state"] == "on" for state in states.values())

    await until(taken, 20)


async def test_every_trigger_is_taken_and_runs(house: House, providers: dict[str, str]) -> None:
    assert providers
    for kind in TRIGGERS:
        await automate(house, f"on_{kind}", triggers=[{"trigger": f"ai_router.{kind}"}])
    async with house.events("automated") as runs:
        for kind in TRIGGERS:
            await house.rest("POST", f"/api/events/ai_router_{kind}", {"device_id": "any", "name": "Any"})
        told = [(await asyncio.wait_for(runs.get(), 20))["data"] for _ in TRIGGERS]
    assert Counter((each["by"], each["told"]) for each in told) == Counter(
        (f"on_{kind}", f"ai_router.{kind}") for kind in TRIGGERS
    )


async def test_a_trigger_and_every_condition_in_one_automation(house: House, providers: dict[str, str]) -> None:
    options: dict[str, dict[str, Any]] = {
        "budget_left": {"at_least": 0.01},
        "provider_healthy": {"device_id": [providers["Attic"]]},
    }
    assert options.keys() == CONDITIONS.keys()
    await house.process(prompt="Hi", provider="Attic")  # known to be well from now on
    conditions = [{"condition": f"ai_router.{name}", "options": given} for name, given in options.items()]
    ill = {"condition": "ai_router.provider_healthy", "options": {"device_id": [providers["Broken"]]}}
    triggers = [{"trigger": "ai_router.all_failed"}]
    await automate(house, "well", triggers=triggers, conditions=conditions)
    await automate(house, "ill", triggers=triggers, conditions=[*conditions, ill])
    async with house.events("automated") as runs:
        with pytest.raises(Refused):
            await house.process(prompt="Hi", provider="Broken")
        by = {(await asyncio.wait_for(runs.get(), 20))["data"]["by"] for _ in range(2)}
        await asyncio.sleep(1)
        by |= {runs.get_nowait()["data"]["by"] for _ in range(runs.qsize())}
    assert by == {"on_all_failed", "well"}


async def test_a_condition_that_cannot_be_is_refused(house: House, providers: dict[str, str]) -> None:
    assert providers
    wrong = {"condition": "ai_router.provider_healthy", "options": {"device_id": ["nobody"]}}
    with pytest.raises((Refused, TimeoutError)):
        await automate(house, "wrong", triggers=[{"trigger": "ai_router.failover"}], conditions=[wrong])


async def test_the_logbook_says_what_happened_in_words(house: House, providers: dict[str, str]) -> None:
    with pytest.raises(Refused):
        await house.process(prompt="Hi", provider="Broken")
    said: list[str] = []

    async def written() -> bool:
        rows = await house.ws(
            "logbook/get_events", start_time="2020-01-01T00:00:00+00:00", device_ids=[*providers.values()]
        )
        said[:] = [str(row.get("message")) for row in rows]
        return any(text.startswith("could not get an answer") for text in said)

    await until(written, 20)


async def call(client: Client, action: str, data: dict[str, Any]) -> int:
    status, _ = await client.service("ai_router", action, data, response=action not in NO_ANSWER)
    return status


async def test_a_reader_asks_and_changes_nothing(house: House, providers: dict[str, str]) -> None:
    assert providers
    _, actions = await house.rest("GET", "/api/services")
    ours = next(set(each["services"]) for each in actions if each["domain"] == "ai_router")
    # Of these four nothing is here to ask for: tests/test_rights.py has them.
    assert ours == {*FREE_FOR_ALL, *OF_ADMINS, "embed", "find_similar", "get_experiment", "score"}
    for action, data in FREE_FOR_ALL.items():
        assert await call(house.reader, action, data) == HTTPStatus.OK, action
    for action, data in OF_ADMINS.items():
        assert await call(house.reader, action, data) == HTTPStatus.UNAUTHORIZED, action
    rows = await house.entities(await house.router())
    controls = [row["entity_id"] for row in rows if not row["disabled_by"]]
    for domain, action in (("switch", "toggle"), ("button", "press"), ("select", "select_first")):
        for entity_id in (each for each in controls if each.startswith(f"{domain}.")):
            status, _ = await house.reader.service(domain, action, {"entity_id": entity_id}, response=False)
            assert status == HTTPStatus.UNAUTHORIZED, entity_id


async def test_diagnostics_are_complete_and_clean(house: House, providers: dict[str, str]) -> None:
    reply = await house.process(prompt=SECRET_PROMPT, provider="Attic", label="silver")
    router = await house.router()
    status, told = await house.diagnostics(router)
    assert status == HTTPStatus.OK
    assert SECRET_PROMPT in reply["text"]
    assert SECRET_PROMPT not in json.dumps(told)
    assert {"Attic", "Broken"} <= {each["name"] for each in found(told, "name")}
    for device_id in providers.values():
        status, told = await house.diagnostics(router, device_id)
        assert status == HTTPStatus.OK
        assert told["data"]
        assert SECRET_PROMPT not in json.dumps(told)


def found(data: Any, key: str) -> list[dict[str, Any]]:
    """Return every part of some data that has a key."""
    if isinstance(data, list):
        return [part for each in data for part in found(each, key)]
    if not isinstance(data, dict):
        return []
    return [*([data] if key in data else []), *(part for each in data.values() for part in found(each, key))]


def kept(house: House) -> dict[str, int]:
    """Count what the process holds: threads, and files of ours."""
    process = house.home_assistant._process
    assert process is not None
    here = Path(f"/proc/{process.pid}")
    files = [each.readlink() if each.is_symlink() else each for each in (here / "fd").iterdir()]
    return {
        "threads of ours": sum("ai_router" in (each / "comm").read_text() for each in (here / "task").iterdir()),
        "files of ours": sum("ai_router" in str(file) for file in files),
        "files": len(files),
    }


async def test_off_and_on_again_under_load(house: House, providers: dict[str, str]) -> None:
    assert providers
    router = await house.router()
    reload_path = f"/api/config/config_entries/entry/{router}/reload"
    await house.rest("POST", reload_path)
    before, logged = kept(house), len(house.log())
    entities = {row["entity_id"] for row in await house.entities(router)}
    stop = asyncio.Event()
    answers: Counter[int] = Counter()

    async def ask() -> None:
        while not stop.is_set():
            status, _ = await house.service("ai_router", "process", {"prompt": "Hi", "provider": "Attic"})
            answers[status] += 1

    asking = [asyncio.create_task(ask()) for _ in range(AT_ONCE)]
    for number in range(TIMES):
        if number % 2:
            await house.rest("POST", reload_path)
        else:
            for disabled_by in ("user", None):
                await house.ws("config_entries/disable", entry_id=router, disabled_by=disabled_by)
    stop.set()
    await asyncio.gather(*asking)
    assert answers[HTTPStatus.OK] > 0

    async def quiet() -> bool:
        after = kept(house)
        return all(after[name] <= before[name] for name in ("threads of ours", "files of ours"))

    await until(quiet, 20)
    assert kept(house)["files"] <= before["files"] + 2 * AT_ONCE
    assert {row["entity_id"] for row in await house.entities(router)} == entities
    assert (await house.process(prompt="Hi", provider="Attic"))["provider"] == "Attic"
    lines = house.log()[logged:].splitlines()
    ours = [line for line in lines if "[custom_components.ai_router" in line]
    assert [line for line in ours if " WARNING " in line or " ERROR " in line] == []
    assert [line for line in lines if "Traceback" in line or "Detected that custom integration" in line] == []
