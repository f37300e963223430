"""A call as the body of a chat completion: the safe baseline that all servers take, less what a model has refused."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from ..routing.failures import FailureClass
from ..routing.model import Call, Image, Message, Role, Text, ToolCall, ToolResult
from .conversation import dumps, function, joined, picture, schema_in_words, split, unsent
from .error_bodies import ErrorBody

_OUTPUT, _OUTPUT_NEWER = "max_tokens", "max_completion_tokens"


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


def _assistant(message: Message) -> dict[str, Any] | None:
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
        return {"role": "assistant", "content": text or None, "tool_calls": calls}
    # A turn of reasoning alone has no form here, and an empty one is refused.
    return {"role": "assistant", "content": text} if text else None


def _turns(messages: list[Message]) -> Iterator[dict[str, Any]]:
    pictures: list[Image] = []
    for message in messages:
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
            turn = _assistant(message)
            if turn is not None:
                yield turn
        else:
            yield _user(message)
    if pictures:
        yield _user(Message(Role.USER, tuple(pictures)))


def _response_format(call: Call) -> dict[str, Any] | None:
    if call.structure is None:
        return None
    return {
        "type": "json_schema",
        "json_schema": {
            "name": re.sub(r"[^A-Za-z0-9_-]", "_", call.structure.name)[:64] or "answer",
            "schema": call.structure.schema,
        },
    }


def _optional(call: Call) -> dict[str, Any]:
    """Return what may be left out when a model refuses it; the bound on the output may only change its name."""
    sampling = call.sampling
    fields = {
        "stream_options": {"include_usage": True} if call.stream else None,
        "response_format": _response_format(call),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def chat_body(call: Call, refused: Collection[str] = ()) -> dict[str, Any]:
    """Return the body for a call. May block where there are pictures. Raises `AttemptFailed`."""
    system, turns = split(call.messages)
    if call.structure is not None and "response_format" in refused:
        system = f"{system}\n\n{schema_in_words(call.structure)}".strip()
    messages = list(_turns(turns))
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, Any] = {
        "model": call.target.model_id,
        "messages": messages,
        "stream": call.stream,
        _OUTPUT_NEWER if _OUTPUT in refused else _OUTPUT: call.max_output,
    }
    if call.tools:
        body["tools"] = [function(tool) for tool in call.tools]
    body.update((name, value) for name, value in _optional(call).items() if name not in refused)
    return body


def _named(name: str, error: ErrorBody) -> bool:
    if error.params:
        return any(re.match(rf"{name}\b", param) for param in error.params)
    words = error.message.lower()
    if name == "stop":
        # An everyday word: only in quotes is it the field.
        return re.search(r"""['"`]stop['"`]""", words) is not None
    return re.search(rf"\b{name}\b", words) is not None or (
        "_" in name and re.search(rf"\b{name.replace('_', ' ')}\b", words) is not None
    )


def objection(error: ErrorBody, call: Call, refused: Collection[str]) -> str | None:
    """Return the field of our request that a refusal objects to and that can be left out or renamed, if any."""
    if _OUTPUT not in refused and _OUTPUT_NEWER in error.message and _named(_OUTPUT, error):
        return _OUTPUT
    return next((name for name in _optional(call) if name not in refused and _named(name, error)), None)
