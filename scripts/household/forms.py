"""Goes through a flow's forms as a person would, filling in by field name what it was told."""

import asyncio
from http import HTTPStatus
from typing import Any

from .client import Client

ENTRY_FLOW = "/api/config/config_entries/flow"
OPTIONS_FLOW = "/api/config/config_entries/options/flow"
SUBENTRY_FLOW = "/api/config/config_entries/subentries/flow"

MAX_STEPS = 50
PROGRESS_SECONDS = 0.2


class FlowFailed(Exception):
    """A flow was aborted, showed errors, or never asked for something it was to be told."""


async def start(client: Client, path: str, handler: Any, **more: Any) -> dict[str, Any]:
    """Start a flow and return its first step. `subentry_id=...` reconfigures that subentry."""
    return await _step(client, path, {"handler": handler, **more})


async def configure(client: Client, path: str, flow_id: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Answer a step and return the next one."""
    return await _step(client, f"{path}/{flow_id}", answer)


async def complete(
    client: Client,
    path: str,
    handler: Any,
    values: dict[str, Any],
    *,
    where_asked: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Go through a whole flow and return its last step. Menus take `values["menu"]`. Raises FlowFailed.

    Each of `values` must be asked for; those of `where_asked` may be.
    """
    unused = set(values)
    values = {**(where_asked or {}), **values}
    step = await start(client, path, handler, **more)
    for _ in range(MAX_STEPS):
        match step["type"]:
            case "form":
                answer = await _fill_form(client, path, step, values, unused)
            case "menu":
                unused.discard("menu")
                answer = {"next_step_id": values["menu"]}
            case "progress":
                await asyncio.sleep(PROGRESS_SECONDS)
                _, step = await client.rest("GET", f"{path}/{step['flow_id']}")
                continue
            case _:
                break
        step = await configure(client, path, step["flow_id"], answer)
    if step["type"] == "abort" and not step["reason"].endswith("_successful"):
        raise FlowFailed(f"{handler}: aborted: {step['reason']}")
    if unused:
        raise FlowFailed(f"{handler}: no form asked for {', '.join(sorted(unused))}")
    return step


async def _fill_form(
    client: Client, path: str, step: dict[str, Any], values: dict[str, Any], unused: set[str]
) -> dict[str, Any]:
    if step.get("errors"):
        await client.rest("DELETE", f"{path}/{step['flow_id']}")
        raise FlowFailed(f"{step['handler']}: step {step['step_id']} shows {step['errors']}")
    return fill(step["data_schema"] or [], values, unused)


def fill(schema: list[dict[str, Any]], values: dict[str, Any], unused: set[str]) -> dict[str, Any]:
    """Return the answer to a form: what is told, what the form suggests, all of a list that must not be empty."""
    answer: dict[str, Any] = {}
    for field in schema:
        name = field["name"]
        if field.get("type") == "expandable":
            answer[name] = fill(field["schema"], values, unused)
        elif name in values:
            answer[name] = values[name]
            unused.discard(name)
        elif (suggested := (field.get("description") or {}).get("suggested_value")) is not None:
            answer[name] = suggested
        elif field.get("required") and "default" not in field and (options := _many(field)):
            answer[name] = options
    return answer


def _many(field: dict[str, Any]) -> list[str]:
    select = field.get("selector", {}).get("select", {})
    options = select.get("options", []) if select.get("multiple") else []
    return [option["value"] if isinstance(option, dict) else option for option in options]


async def _step(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, step = await client.rest("POST", path, body)
    if status != HTTPStatus.OK:
        raise FlowFailed(f"{path} answered {status}: {step}")
    return dict(step)
