"""AI Task entities of another integration as providers, in a real Home Assistant."""

from types import ModuleType
from typing import Any

import probatio
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import llm
from homeassistant.util.yaml.objects import NodeStrClass

from custom_components.ai_router.ai_task_target import AiTaskTarget
from custom_components.ai_router.providers.registry import ProviderSetup
from custom_components.ai_router.routing.call import Call, Timeouts
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import (
    Capability,
    Role,
    Structure,
    Target,
    Tool,
    ToolCall,
    ToolResult,
)
from custom_components.ai_router.routing.money import PICODOLLARS_PER_DOLLAR
from custom_components.ai_router.routing.refusals import RequestFailed
from tests.household import move_in

from .oracles import DELPHI, put, refused, request, said, target

# --- what is asked, what comes back -----------------------------------------------------------------


async def test_a_prompt_is_passed_on_as_it_is(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))

    reply = await put(entry, request("Who is at the door?"))

    (task,) = oracle.TASKS["Delphi"]
    assert (task.instructions, task.structure, task.attachments, task.llm_api) == (
        "Who is at the door?",
        None,
        None,
        None,
    )
    assert (reply.text, reply.target) == ("Delphi has spoken", Target(DELPHI, "ai_task.delphi"))
    assert (reply.cost, reply.estimated) == (PICODOLLARS_PER_DOLLAR // 50, True)


async def test_who_spoke_is_named_where_more_is_said_than_a_prompt(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))

    await put(
        entry,
        request(
            said(Role.SYSTEM, "Be brief."),
            said(Role.USER, "Is it dark?"),
            said(Role.ASSISTANT, "I look.", ToolCall("1", "light", {"room": "hall"})),
            said(Role.TOOL, ToolResult("1", "light", "12 lx")),
            said(Role.ASSISTANT, "Yes."),
            said(Role.USER, "How dark?", "In numbers."),
        ),
    )

    assert oracle.TASKS["Delphi"][0].instructions == (
        "System: Be brief.\n\nUser: Is it dark?\n\n"
        'Assistant: I look.\n[calls light: {"room":"hall"}]\n\nTool: [light answers: 12 lx]\n\n'
        "Assistant: Yes.\n\nUser: How dark?\nIn numbers."
    )


SCHEMA = {
    "type": "object",
    "properties": {
        "package": {"type": "boolean", "description": "Is there one?"},
        "size": {"type": "string", "enum": ["small", "large"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "weight": {"type": "number"},
        "day": {"type": "string", "format": "date"},
        "names": {"type": "array", "items": {"type": "string"}},
        "sender": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "city": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["package", "size"],
    "additionalProperties": False,
}


async def test_a_structure_reaches_the_entity_as_it_was_asked_for(hass: HomeAssistant, oracle: ModuleType) -> None:
    data = {
        "package": True,
        "size": "large",
        "count": 2,
        "weight": 1,
        "names": ["A"],
        "sender": {"name": "B"},
        "note": None,
    }

    async def tell(task: Any) -> Any:
        # Names that come from an automation are texts of YAML's own kind.
        return {NodeStrClass(name): value for name, value in task.structure(data).items()}

    oracle.DEEDS["Delphi"] = tell
    entry = await move_in(hass, None, target(hass))

    reply = await put(entry, request("What came?", structure=Structure("Parcel", SCHEMA)))

    (task,) = oracle.TASKS["Delphi"]
    # As every core integration turns it into what its model is held to.
    seen = probatio.to_openapi(task.structure, custom_serializer=llm.selector_serializer, openapi_version="3.1.0")
    assert (seen, task.name) == (SCHEMA, "Parcel")
    assert reply.data == data
    with pytest.raises(probatio.Invalid):
        task.structure({**data, "size": "huge"})
    with pytest.raises(probatio.Invalid):
        task.structure({"size": "large"})


@pytest.mark.parametrize(
    ("answer", "cls"),
    [
        ("", FailureClass.EMPTY),
        (None, FailureClass.EMPTY),
        ("not JSON", FailureClass.INVALID_ANSWER),
        ({"a": object()}, FailureClass.INVALID_ANSWER),
    ],
)
async def test_what_is_no_answer_is_not_passed_on_as_one(
    hass: HomeAssistant, oracle: ModuleType, answer: Any, cls: FailureClass
) -> None:
    async def tell(task: Any) -> Any:
        return answer

    oracle.DEEDS["Delphi"] = tell
    entry = await move_in(hass, None, target(hass, attempts=1))

    structure = Structure("Parcel", {"type": "object", "properties": {"a": {}}})
    assert await refused(entry, request("What?", structure=structure)) is cls


async def test_tools_are_not_its_business(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))
    tool = Tool("light", "", {"type": "object"})

    with pytest.raises(RequestFailed):
        await put(entry, request("Light!", tools=(tool,), needs=Capability.CHAT | Capability.TOOLS))
    call = Call(Target(DELPHI, "x"), (said(Role.USER, "Light!"),), 100, Timeouts(), tools=(tool,))
    with pytest.raises(Exception, match="calls no tools"):
        await anext(
            AiTaskTarget(hass, ProviderSetup("p", "ai_task", options={"entity": "ai_task.delphi"})).attempt(call)
        )
    assert not oracle.TASKS


# --- prices, locality -------------------------------------------------------------------------------


async def test_a_price_of_nothing_is_nothing_and_none_is_unknown(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass, price="0"))
    (free,) = entry.runtime_data.router.config.providers[DELPHI].models
    assert free.prices is not None
    assert (free.prices.free, free.prices.source, (await put(entry, request("Hi"))).cost) == (True, "user", 0)

    hass.config_entries.async_update_subentry(entry, entry.subentries[DELPHI], data=target(hass, price=None).data)
    await hass.async_block_till_done()
    (unknown,) = entry.runtime_data.router.config.providers[DELPHI].models
    assert (unknown.prices, unknown.local) == (None, False)


async def test_local_only_asks_only_what_an_admin_calls_local(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))
    with pytest.raises(RequestFailed):
        await put(entry, request("Hi", local_only=True))
    assert not oracle.TASKS

    hass.config_entries.async_update_subentry(entry, entry.subentries[DELPHI], data=target(hass, local=True).data)
    await hass.async_block_till_done()
    assert (await put(entry, request("Hi", local_only=True))).text == "Delphi has spoken"
