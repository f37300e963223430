"""What stands in the demo household. Everything is looked for first: a second run adds only what is missing."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from .boot import until
from .client import Refused
from .house import DOMAIN, House

FIRST = "Attic server"
SECOND = "Cheap cloud"
PROVIDERS: dict[str, dict[str, Any]] = {
    FIRST: {"priority": 20, "latency": 0.1, "success_rate": 0, "input_price": 0, "output_price": 0},
    SECOND: {
        "priority": 10,
        "latency": 0.4,
        "success_rate": 100,
        "local": False,
        "input_price": 0.5,
        "output_price": 1.5,
    },
}
LABEL = "front door"
AUTOMATION = "look_at_the_front_door"
DASHBOARD = "ai-router"
ENTITIES_SECONDS = 20

type Say = Callable[[str], None]


async def furnish(house: House, say: Say) -> None:
    """Add router, providers, camera, automation and dashboard. Raises FlowFailed, Refused."""
    await _router(house, say)
    camera = await _camera(house, say)
    button = await _helper(house, say, "input_button", {"name": "Look at the front door", "icon": "mdi:door"})
    answer = await _helper(
        house, say, "input_text", {"name": "At the front door", "icon": "mdi:message-text", "max": 255}
    )
    if (await house.states())[answer]["state"] == "unknown":
        await house.service("input_text", "set_value", {"entity_id": answer, "value": "not asked yet"}, response=False)
    await _automation(house, say, camera, button, answer)
    await _dashboard(house, say, [camera, button, answer])


async def _router(house: House, say: Say) -> None:
    if not await house.entries(DOMAIN):
        say("adding AI Router")
        await house.add_router()
    titles = {row["title"] for row in await house.subentries(await house.router())}
    for name, fields in PROVIDERS.items():
        if name not in titles:
            say(f"adding the provider {name}")
            await house.add_provider("demo", name=name, **fields)


async def _camera(house: House, say: Say) -> str:
    for entry in await house.entries("local_file"):
        for row in await house.entities(entry["entry_id"]):
            return str(row["entity_id"])
    say("hanging up a camera at the front door")
    return await house.add_camera()


async def _helper(house: House, say: Say, domain: str, fields: dict[str, Any]) -> str:
    items = await house.ws(f"{domain}/list")
    item = next((item for item in items if item["name"] == fields["name"]), None)
    if item is None:
        say(f"adding the helper {fields['name']}")
        item = await house.ws(f"{domain}/create", **fields)
    rows = await house.ws("config/entity_registry/list")
    return next(str(row["entity_id"]) for row in rows if row["platform"] == domain and row["unique_id"] == item["id"])


async def _automation(house: House, say: Say, camera: str, button: str, answer: str) -> None:
    path = f"/api/config/automation/config/{AUTOMATION}"
    status, _ = await house.rest("GET", path)
    if status == HTTPStatus.OK:
        return
    say("writing the automation that asks about the front door")
    question = "What can be seen at the front door? Answer in one sentence."
    automation = {
        "alias": "Look at the front door",
        "description": "Shows the camera's picture to the router and keeps the answer.",
        "triggers": [{"trigger": "state", "entity_id": button}],
        "actions": [
            {
                "action": f"{DOMAIN}.process",
                "data": {"prompt": question, "images": [camera], "label": LABEL},
                "response_variable": "reply",
            },
            {
                "action": "input_text.set_value",
                "target": {"entity_id": answer},
                "data": {"value": "{{ reply.text[:255] }}"},
            },
            {
                "action": "persistent_notification.create",
                "data": {
                    "title": "At the front door",
                    "message": "{{ reply.text }}\n\n{{ reply.provider }} answered, "
                    "try {{ reply.attempts | count }}, for {{ reply.cost.amount }} {{ reply.cost.currency }}.",
                },
            },
        ],
    }
    status, body = await house.rest("POST", path, automation)
    if status != HTTPStatus.OK:
        raise Refused(f"the automation was not taken: {body}")


async def _dashboard(house: House, say: Say, door: list[str]) -> None:
    if any(row["url_path"] == DASHBOARD for row in await house.ws("lovelace/dashboards/list")):
        return
    say("building the dashboard")
    router = await house.router()
    providers = {row["subentry_id"] for row in await house.subentries(router) if row["subentry_type"] == "provider"}

    async def all_there() -> bool:
        return providers <= {row["config_subentry_id"] for row in await house.entities(router)}

    await until(all_there, ENTITIES_SECONDS)
    entities = [row for row in await house.entities(router) if not row["disabled_by"] and not row["hidden_by"]]
    sections = [{"type": "grid", "cards": [{"type": "custom:ai-router-card"}]}, _door(*door)]
    for device in sorted(await house.devices(router), key=lambda device: str(device["name"])):
        ids = sorted(row["entity_id"] for row in entities if row["device_id"] == device["id"])
        if ids:
            sections.append(_section(device["name_by_user"] or device["name"], {"type": "entities", "entities": ids}))
    ids = [row["entity_id"] for row in entities]
    if ids:
        sections.append(
            _section("What happened", {"type": "logbook", "target": {"entity_id": ids}, "hours_to_show": 24})
        )
    view = {"title": "AI Router", "type": "sections", "max_columns": 3, "sections": sections}
    await house.ws("lovelace/dashboards/create", url_path=DASHBOARD, title="AI Router", icon="mdi:router-wireless")
    await house.ws("lovelace/config/save", url_path=DASHBOARD, config={"views": [view]})


def _door(camera: str, button: str, answer: str) -> dict[str, Any]:
    return _section(
        "Front door",
        {"type": "picture-entity", "entity": camera, "show_state": False},
        {"type": "entities", "entities": [button, answer]},
        {
            "type": "markdown",
            "content": f"Press the button: an automation shows the picture to the router. {FIRST} goes first and "
            f"always fails here, so {SECOND} answers, and its price is booked.",
        },
    )


def _section(title: str, *cards: dict[str, Any]) -> dict[str, Any]:
    return {"type": "grid", "cards": [{"type": "heading", "heading": title}, *cards]}
