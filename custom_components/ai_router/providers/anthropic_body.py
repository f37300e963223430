"""A call as the body of an Anthropic message, less what a model has refused."""

import re
from collections.abc import Collection, Iterator
from itertools import groupby
from typing import Any

from ..routing.call import Call
from ..routing.failures import FailureClass
from ..routing.model import Image, Message, Role, Structure, Text, ToolCall, ToolResult
from .anthropic_models import may_be_forced, takes_sampling, thinking
from .conversation import as_made, in_hand, joined, picture, schema_in_words, split, unsent, with_ids
from .error_bodies import ErrorBody
from .schemas import narrowed
from .tools import object_schema

_REPLAY = "replay"
_FORMAT = "format"
_FORCE = "tool_choice"
# What these refusals are about is this one conversation or schema: the next may be taken.
OF_THIS_CALL = frozenset({_REPLAY, _FORMAT})
_CACHED = {"type": "ephemeral"}
_IDS = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COUNTED = frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"})
_THINKS = frozenset({"adaptive", "enabled"})

# How refusals name what can be left out.
_NAMES = {
    _REPLAY: r"messages\.\d+\.\S*thinking|thinking\W+block|redacted_thinking|signature",
    _FORMAT: r"output_config\.format|output_format|json_schema|\bschema\b",
    _FORCE: r"tool_choice",
    "thinking": r"\bthinking\b",
    "effort": r"\beffort\b",
    "temperature": r"\btemperature\b",
    # Where only one of both is taken, it is the other one that is kept.
    "top_p": r"\btop_p\b|\W?temperature\W+and\W+top_p\W+cannot both",
    "stop_sequences": r"\bstop_sequences\b",
    "cache_control": r"\bcache_control\b",
}


# --- the conversation ------------------------------------------------------------------------------


def _picture_block(image: Image) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": image.mime, "data": picture(image)}}


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _user(message: Message) -> dict[str, Any]:
    parts = message.parts
    if not any(isinstance(part, Image) for part in parts):
        text = joined(parts)
        return {"role": "user", "content": text if text.strip() else ""}
    blocks = [
        _picture_block(part) if isinstance(part, Image) else _text_block(part.text)
        for part in parts
        if isinstance(part, Image) or (isinstance(part, Text) and part.text.strip())
    ]
    if sum(block["type"] == "text" for block in blocks) == 1:
        # A question is understood best behind the pictures it is about; several texts may each belong to a picture.
        blocks.sort(key=lambda block: block["type"] == "text")
    return {"role": "user", "content": blocks}


def _results(messages: Iterator[Message]) -> dict[str, Any]:
    """Return all answers of tools between two turns as the one message they must be."""
    results: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for message in messages:
        content: list[dict[str, Any]] | None = None
        for part in message.parts:
            if isinstance(part, ToolResult):
                content = [_text_block(part.content)] if part.content.strip() else []
                results.append({"type": "tool_result", "tool_use_id": part.call_id, "content": content})
            elif isinstance(part, Image):
                (others if content is None else content).append(_picture_block(part))
            elif isinstance(part, Text) and part.text.strip():
                others.append(_text_block(part.text))
    return {"role": "user", "content": results + others}


def _as_made(turn: Message, call: Call) -> list[dict[str, Any]] | None:
    return as_made(turn, call, "tool_use", "id")


def _assistant(message: Message) -> list[dict[str, Any]]:
    blocks = []
    if text := joined(message.parts).strip():
        blocks.append(_text_block(text))
    for part in message.parts:
        if isinstance(part, Image):
            raise unsent(FailureClass.CAPABILITY, "a picture cannot be sent as the model's own words")
        if isinstance(part, ToolCall):
            blocks.append({"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments})
    return blocks


def _turns(turns: list[Message], call: Call, *, replay: bool) -> Iterator[dict[str, Any]]:
    begin = in_hand(turns)
    for role, group in groupby(enumerate(turns), key=lambda turn: turn[1].role):
        if role is Role.TOOL:
            yield _results(turn for _, turn in group)
            continue
        for place, turn in group:
            if role is Role.USER:
                said = _user(turn)
            else:
                # Thoughts are bound to all that stands before them, which stays the same only until the turn is over.
                blocks = _as_made(turn, call) if replay and place >= begin else None
                said = {"role": "assistant", "content": blocks or _assistant(turn)}
            if said["content"]:
                yield said


# --- what may be left out --------------------------------------------------------------------------


def answer_tool(call: Call) -> str | None:
    """Return the name of the tool that stands for the answer, where the shape of an answer may be asked for so."""
    if call.structure is None or call.tools:
        return None
    return re.sub(r"[^A-Za-z0-9_-]", "_", call.structure.name)[:64] or "answer"


def _shape(structure: Structure, call: Call, refused: Collection[str], *, thinks: bool) -> dict[str, Any]:
    """Return the field that holds the answer to its shape, by the best means left; none where only words are left."""
    schema = narrowed(structure.schema, all_required=False) if _FORMAT not in refused else None
    if schema is not None:
        return {_FORMAT: {"type": "json_schema", "schema": schema}}
    tool = answer_tool(call)
    if tool is None or _FORCE in refused or thinks or not may_be_forced(call.target.model_id):
        return {}
    return {_FORCE: {"type": "tool", "name": tool, "disable_parallel_tool_use": True}}


def _goes_on(turns: list[Message], call: Call, *, replay: bool) -> bool:
    """Say whether what the model thinks next has what it thought before the last tools, if there were any."""
    place = max((place for place, turn in enumerate(turns) if turn.role is Role.ASSISTANT), default=-1)
    if place < 0 or not any(isinstance(part, ToolCall) for part in turns[place].parts):
        return True
    return replay and place >= in_hand(turns) and _as_made(turns[place], call) is not None


def _wishes(call: Call, refused: Collection[str]) -> dict[str, Any]:
    """Return what may be left out when a model refuses it, by the names under which it is given up."""
    sampling = call.sampling
    turns = split(call.messages)[1]
    wishes: dict[str, Any] = {}
    if any(_as_made(turn, call) for turn in turns[in_hand(turns) :]):
        wishes[_REPLAY] = True
    goes_on = _goes_on(turns, call, replay=_REPLAY in wishes and _REPLAY not in refused)
    wishes |= thinking(call.target.model_id, sampling.reasoning, call.max_output, goes_on=goes_on)
    thinks = "thinking" not in refused and wishes.get("thinking", {}).get("type") in _THINKS
    if not thinks and takes_sampling(call.target.model_id):
        wishes |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    wishes["stop_sequences"] = [text for text in sampling.stop if text.strip()] or None
    if call.structure is not None:
        wishes |= _shape(call.structure, call, refused, thinks=thinks)
    if call.tools or any(turn.role is Role.ASSISTANT for turn in turns):
        # What is written once costs a quarter more, and nine tenths less each time it is read: tools and the turns so
        # far come again with the next turn, a question of its own does not.
        wishes["cache_control"] = _CACHED
    return {name: value for name, value in wishes.items() if value is not None and name not in refused}


def messages_body(call: Call, refused: Collection[str] = ()) -> dict[str, Any]:
    """Return the body for a call. May block where there are pictures. Raises `AttemptFailed`."""
    system, turns = split(call.messages)
    turns = with_ids(turns, _IDS)
    wishes = _wishes(call, refused)
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in call.tools
    ]
    if call.structure is not None:
        schema = call.structure.schema
        if _FORCE in wishes:
            tools.append({"name": wishes[_FORCE]["name"], "input_schema": object_schema(schema) or schema})
        elif _FORMAT not in wishes:
            system = f"{system}\n\n{schema_in_words(call.structure)}".strip()
    body: dict[str, Any] = {
        "model": call.target.model_id,
        "max_tokens": call.max_output,
        "messages": list(_turns(turns, call, replay=wishes.pop(_REPLAY, False))),
        "stream": call.stream,
    }
    if output := {name: wishes.pop(name) for name in ("effort", _FORMAT) if name in wishes}:
        body["output_config"] = output
    mark = {"cache_control": _CACHED} if "cache_control" in wishes else {}
    if tools:
        body["tools"] = [*tools[:-1], tools[-1] | mark]
    if system:
        body["system"] = [_text_block(system) | mark]
    return body | wishes


def count_body(call: Call, refused: Collection[str] = ()) -> dict[str, Any]:
    """Return the body that asks for the tokens of a call's input: what goes into them, and nothing else."""
    body = messages_body(call, refused)
    return {name: value for name, value in body.items() if name in _COUNTED}


def objection(error: ErrorBody, call: Call, refused: Collection[str]) -> str | None:
    """Return what a refusal objects to and can be left out: of several, what it names first."""
    words = error.message.lower()
    found = {name: re.search(_NAMES[name], words) for name in _wishes(call, refused)}
    named = {name: match.start() for name, match in found.items() if match is not None}
    return min(named, key=lambda name: named[name], default=None)
