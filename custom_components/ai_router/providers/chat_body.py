"""A call as the body of a chat completion: the safe baseline, what a brand is known to take, less what was refused."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from ..routing.call import Call
from ..routing.failures import FailureClass
from ..routing.model import Image, Message, Role, Structure, Text, Thinking, Tool, ToolCall, ToolResult
from .conversation import dumps, function, in_hand, joined, picture, schema_in_words, split, unsent, with_ids
from .error_bodies import ErrorBody
from .presets import BASELINE, Preset, Replay
from .tools import object_schema

OUTPUT_NEWER = "max_completion_tokens"
_OUTPUT = "max_tokens"
FORMAT, JSON_OBJECT, TOOL_CHOICE = "response_format", "json_object", "tool_choice"
# How a refusal names what holds an answer to its shape: tools of its own such a call has none.
_SHAPES = rf"{FORMAT}|json_schema|json_object"
_MEANS = {FORMAT: _SHAPES, JSON_OBJECT: _SHAPES, TOOL_CHOICE: r"tool_choice|tools?|tool calls?|tool calling|functions?"}
# What an id of a call may be.
_NINE, _ANY = re.compile(r"[A-Za-z0-9]{9}"), re.compile(r"[!-~]{1,64}")
# Everyday words: only in quotes are they fields.
_EVERYDAY = frozenset({"provider", "reasoning", "stop", "thinking"})
# What may be said of the server's own providers, and is not said here (one that keeps or sells what it is sent).
_PRIVATE = {"data_collection": "deny"}


def _picture_part(image: Image) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{image.mime};base64,{picture(image)}"}}


def _user(message: Message) -> dict[str, Any]:
    parts = message.parts
    if not any(isinstance(part, Image) for part in parts):
        return {"role": "user", "content": joined(parts)}
    content: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Text):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, Image):
            content.append(_picture_part(part))
    return {"role": "user", "content": content}


def _reasoned(message: Message, call: Call, preset: Preset) -> dict[str, Any]:
    """Return the reasoning behind a turn's calls as it has to go back."""
    own = [part for part in message.parts if isinstance(part, Thinking) and part.origin == call.target]
    match preset.replay:
        case Replay.TEXT:
            # It is wanted with every call; of a turn that another model made there is none.
            return {Replay.TEXT.value: "".join(part.text for part in own)}
        case Replay.DETAILS:
            details = [detail for part in own for details in part.opaque or () for detail in details]
            return {Replay.DETAILS.value: details} if details else {}
    return {}


def _assistant(message: Message, call: Call, preset: Preset, *, under_way: bool) -> dict[str, Any] | None:
    if any(isinstance(part, Image) for part in message.parts):
        raise unsent(FailureClass.CAPABILITY, "a picture cannot be sent as the model's own words")
    text = joined(message.parts)
    calls = [
        {
            "id": part.id,
            "type": "function",
            "function": {"name": part.name, "arguments": dumps(part.arguments).decode()},
        }
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    if calls:
        turn = {"role": "assistant", "content": text or None, "tool_calls": calls}
        return turn | _reasoned(message, call, preset) if under_way else turn
    # A turn of reasoning alone has no form here, and an empty one is refused.
    return {"role": "assistant", "content": text} if text else None


def _turns(messages: list[Message], call: Call, preset: Preset) -> Iterator[dict[str, Any]]:
    pictures: list[Image] = []
    begin = in_hand(messages)
    for place, message in enumerate(messages):
        if pictures and message.role is not Role.TOOL:
            yield _user(Message(Role.USER, tuple(pictures)))
            pictures = []
        if message.role is Role.TOOL:
            for part in message.parts:
                if isinstance(part, ToolResult):
                    yield {"role": "tool", "tool_call_id": part.call_id, "content": part.content}
                elif isinstance(part, Image):
                    # A tool's answer takes text only, and all answers come before the next turn.
                    pictures.append(part)
        elif message.role is Role.ASSISTANT:
            turn = _assistant(message, call, preset, under_way=place >= begin)
            if turn is not None:
                yield turn
        else:
            yield _user(message)
    if pictures:
        yield _user(Message(Role.USER, tuple(pictures)))


def _answered(turns: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Put a word of the assistant between a tool and the user, for servers that want one there."""
    before = ""
    for turn in turns:
        if before == "tool" and turn["role"] == "user":
            yield {"role": "assistant", "content": "OK."}
        before = turn["role"]
        yield turn


# --- what may be left out --------------------------------------------------------------------------


def answer_name(call: Call) -> str | None:
    """Return the name of the answer's shape, under which a model may be made to call it; None where it cannot be.

    Beside tools of the call's own, none can be forced: the model is to choose.
    """
    return None if call.structure is None or call.tools else _name(call.structure)


def _name(structure: Structure) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", structure.name)[:64] or "answer"


def _shape(call: Call, refused: Collection[str], preset: Preset) -> dict[str, Any]:
    """Return the field that holds the answer to its shape, by the best means left; none where only words are left."""
    structure = call.structure
    if structure is None:
        return {}
    name = _name(structure)
    if preset.schemas and FORMAT not in refused:
        return {FORMAT: {"type": "json_schema", "json_schema": {"name": name, "schema": structure.schema}}}
    if preset.json_mode and JSON_OBJECT not in refused:
        return {JSON_OBJECT: {"type": "json_object"}}
    return {TOOL_CHOICE: {"type": "function", "function": {"name": name}}} if preset.forces and not call.tools else {}


def _optional(call: Call, refused: Collection[str], preset: Preset) -> dict[str, Any]:
    """Return what may be left out when a model refuses it; the bound on the output may only change its name."""
    sampling = call.sampling
    fields: dict[str, Any] = {
        "stream_options": {"include_usage": True} if call.stream and preset.asks_usage else None,
        **_shape(call, refused, preset),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        preset.seed: sampling.seed,
        "stop": list(sampling.stop) or None,
        **(preset.reasoning(sampling.reasoning) if sampling.reasoning is not None else {}),
    }
    if preset.private:
        # Else what a route does not know is dropped there without a word.
        strict = {"require_parameters": True} if call.tools or call.structure is not None else {}
        fields["provider"] = _PRIVATE | strict
    return {name: value for name, value in fields.items() if value is not None and name not in refused}


def chat_body(call: Call, refused: Collection[str] = (), preset: Preset = BASELINE) -> dict[str, Any]:
    """Return the body for a call. May block where there are pictures. Raises `AttemptFailed`."""
    system, turns = split(call.messages)
    optional = _optional(call, refused, preset)
    if call.structure is not None and FORMAT not in optional:
        system = f"{system}\n\n{schema_in_words(call.structure)}".strip()
    said = _turns(with_ids(turns, _NINE if preset.nine else _ANY), call, preset)
    messages = list(_answered(said) if preset.answered else said)
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, Any] = {
        "model": call.target.model_id,
        "messages": messages,
        "stream": call.stream,
        OUTPUT_NEWER if _OUTPUT in refused else preset.output: call.max_output,
    }
    tools = call.tools
    if call.structure is not None and TOOL_CHOICE in optional:
        schema = object_schema(call.structure.schema) or call.structure.schema
        tools = (Tool(_name(call.structure), "Give the answer.", schema),)
    if tools:
        body["tools"] = [function(tool) for tool in tools]
    if JSON_OBJECT in optional:
        optional[FORMAT] = optional.pop(JSON_OBJECT)
    return body | optional


def count_body(call: Call, refused: Collection[str] = (), preset: Preset = BASELINE) -> dict[str, Any]:
    """Return the body that asks for the tokens of a call's input: what goes into them, and nothing else."""
    body = chat_body(call, refused, preset)
    return {name: body[name] for name in ("model", "messages", "tools") if name in body}


def _named(name: str, error: ErrorBody) -> bool:
    name = _MEANS.get(name, name)
    if error.params:
        return any(re.match(rf"(?:{name})\b", param) for param in error.params)
    words = error.message.lower()
    if name in _EVERYDAY:
        return re.search(rf"""['"`]{name}\b""", words) is not None
    return re.search(rf"\b(?:{name})\b", words) is not None or (
        "_" in name and re.search(rf"\b(?:{name.replace('_', ' ')})\b", words) is not None
    )


def objection(error: ErrorBody, call: Call, refused: Collection[str], preset: Preset = BASELINE) -> str | None:
    """Return the field of our request that a refusal objects to and that can be left out or renamed, if any."""
    may_be_renamed = preset.output == _OUTPUT and _OUTPUT not in refused
    if may_be_renamed and OUTPUT_NEWER in error.message and _named(_OUTPUT, error):
        return _OUTPUT
    return next((name for name in _optional(call, refused, preset) if _named(name, error)), None)
