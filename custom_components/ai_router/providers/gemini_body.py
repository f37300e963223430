"""A call as Gemini takes it, as far as the model's generation does, less what the model has refused."""

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

from ..routing.call import Call
from ..routing.failures import FailureClass
from ..routing.model import Image, Message, Part, Role, Text, Thinking, Tool, ToolCall, ToolResult
from .conversation import picture, schema_in_words, split, unsent
from .error_bodies import ErrorBody
from .gemini_models import BUDGETS, FIXED_SAMPLING, LEVELS, generation, thinks_minimally
from .gemini_schemas import gemini_schema

SIGNATURES = "thoughtSignature"
_SCHEMA = "responseJsonSchema"
_MIME = "responseMimeType"
# What these refusals are about is this one conversation or schema: the next may be taken.
OF_THIS_CALL = frozenset({SIGNATURES, _SCHEMA})
# What the provider wants in place of a signature for a call that it did not make itself.
_UNSIGNED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

_OFF = frozenset({"off", "none", "minimal"})
_THINKING_LEVELS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
_THINKING_TOKENS = {"low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
# The fewest tokens to think with: for Flash Lite, where it thinks at all, and for Pro, which cannot do without.
_LEAST_THINKING, _LEAST_OF_PRO = 512, 128

# How refusals name what can be left out.
_NAMES = {
    SIGNATURES: r"thought.?signature",
    "thinkingConfig": r"thinking",
    _SCHEMA: r"response.?(json.?)?schema|too many states",
    _MIME: r"json mode|response.?mime.?type",
    "temperature": r"temperature",
    "topP": r"\btop.?p\b",
    "seed": r"\bseed\b",
    "stopSequences": r"stop.?sequence",
}


_WORDLESS = "request contains an invalid argument."


def _spoken(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    for part in parts:
        if isinstance(part, Text) and part.text:
            yield {"text": part.text}
        elif isinstance(part, Image):
            yield _inline(part)


def _inline(image: Image) -> dict[str, Any]:
    return {"inlineData": {"mimeType": image.mime, "data": picture(image)}}


def _signatures(message: Message, call: Call) -> dict[str, str]:
    """Return the signatures of a turn's tool calls, by the calls' ids. Those of another model would be refused."""
    return {
        kept["call"]: kept["signature"]
        for part in message.parts
        if isinstance(part, Thinking) and part.origin == call.target
        for kept in part.opaque or ()
    }


def _answer(message: Message, call: Call, refused: Collection[str]) -> Iterator[dict[str, Any]]:
    """Write a turn of the model."""
    if any(isinstance(part, Image) for part in message.parts):
        raise unsent(FailureClass.CAPABILITY, "a picture cannot be sent as the model's own words")
    yield from _spoken(message.parts)
    signatures = {} if SIGNATURES in refused else _signatures(message, call)
    # Only the first call of a turn must be signed.
    must = generation(call.target.model_id) >= LEVELS
    for part in message.parts:
        if isinstance(part, ToolCall):
            signature = signatures.get(part.id) or (_UNSIGNED if must else None)
            must = False
            signed = {SIGNATURES: signature} if signature else {}
            yield {"functionCall": {"id": part.id, "name": part.name, "args": part.arguments}, **signed}


def _results(messages: Iterable[Message], order: list[str], call: Call) -> tuple[list[dict[str, Any]], list[Part]]:
    """Write the tools' answers to one turn, in the order of its calls, and what has no place among them."""
    results: list[dict[str, Any]] = []
    rest: list[Part] = []
    holds_pictures = generation(call.target.model_id) >= LEVELS
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolResult):
                result = {"id": part.call_id, "name": part.name, "response": {"output": part.content}}
                results.append({"functionResponse": result})
            elif isinstance(part, Image) and holds_pictures and results:
                results[-1]["functionResponse"].setdefault("parts", []).append(_inline(part))
            else:
                rest.append(part)
    places = {call_id: place for place, call_id in enumerate(order)}
    results.sort(key=lambda part: places.get(part["functionResponse"]["id"], len(places)))
    return results, rest


def _contents(turns: list[Message], call: Call, refused: Collection[str]) -> Iterator[dict[str, Any]]:
    order: list[str] = []
    for of_tools, group in groupby(turns, lambda turn: turn.role is Role.TOOL):
        if of_tools:
            results, rest = _results(group, order, call)
            yield {"role": "user", "parts": results}
            yield {"role": "user", "parts": list(_spoken(rest))}
            continue
        for turn in group:
            if turn.role is Role.ASSISTANT:
                order = [part.id for part in turn.parts if isinstance(part, ToolCall)]
                yield {"role": "model", "parts": list(_answer(turn, call, refused))}
            else:
                yield {"role": "user", "parts": list(_spoken(turn.parts))}


def _taken(contents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the contents as they may follow each other: none empty, and no two of the model."""
    taken: list[dict[str, Any]] = []
    for content in contents:
        # A turn of reasoning alone has no form here.
        if not content["parts"]:
            continue
        if taken and taken[-1]["role"] == content["role"] == "model":
            taken[-1]["parts"] += content["parts"]
        else:
            taken.append(content)
    return taken


def _thinking(call: Call) -> dict[str, Any] | None:
    wish, model = call.sampling.reasoning, call.target.model_id
    if wish is None or generation(model) < BUDGETS:
        return None
    shown = {} if wish in _OFF else {"includeThoughts": True}
    if generation(model) >= LEVELS:
        level = ("MINIMAL" if thinks_minimally(model) else "LOW") if wish in _OFF else _THINKING_LEVELS.get(wish)
        return shown | ({"thinkingLevel": level} if level else {})
    if wish in _OFF:
        return {"thinkingBudget": _LEAST_OF_PRO if "pro" in model else 0}
    tokens = _THINKING_TOKENS.get(wish)
    # Thoughts count as output: half of it is left for the answer.
    budget = {"thinkingBudget": max(_LEAST_THINKING, min(tokens, call.max_output // 2))} if tokens else {}
    return shown | budget


def _optional(call: Call) -> dict[str, Any]:
    """Return what may be left out when a model refuses it."""
    sampling, age = call.sampling, generation(call.target.model_id)
    free = age < FIXED_SAMPLING
    # Older models take tools or a form of the answer, not both.
    shaped = call.structure is not None and (age >= LEVELS or not call.tools)
    fields = {
        "temperature": sampling.temperature if free else None,
        "topP": sampling.top_p if free else None,
        "seed": sampling.seed,
        "stopSequences": list(sampling.stop) or None,
        "thinkingConfig": _thinking(call),
        _MIME: "application/json" if shaped else None,
        _SCHEMA: gemini_schema(call.structure.schema) if call.structure is not None and shaped else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _declared(tool: Tool) -> dict[str, Any]:
    # An object without properties is refused.
    takes = {"parametersJsonSchema": gemini_schema(tool.parameters)} if tool.parameters.get("properties") else {}
    return {"name": tool.name, "description": tool.description, **takes}


def _less(fields: dict[str, Any], refused: Collection[str]) -> dict[str, Any]:
    return {
        name: value
        for name, value in fields.items()
        if name not in refused and not (name == _SCHEMA and _MIME in refused)
    }


def gemini_body(call: Call, refused: Collection[str] = ()) -> dict[str, Any]:
    """Return the body for a call. May block where there are pictures. Raises `AttemptFailed`."""
    system, turns = split(call.messages)
    config = _less(_optional(call), refused)
    if call.structure is not None and _SCHEMA not in config:
        system = f"{system}\n\n{schema_in_words(call.structure)}".strip()
    body: dict[str, Any] = {
        "contents": _taken(_contents(turns, call, refused)),
        "generationConfig": {"maxOutputTokens": call.max_output, **config},
        "store": False,
    }
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if call.tools:
        body["tools"] = [{"functionDeclarations": [_declared(tool) for tool in call.tools]}]
    return body


def count_body(call: Call, refused: Collection[str] = ()) -> dict[str, Any]:
    """Return the body that asks for the tokens of a call's input: what goes into them, and nothing else."""
    body = gemini_body(call, refused)
    asked = {name: body[name] for name in ("contents", "systemInstruction", "tools") if name in body}
    return {"generateContentRequest": {"model": f"models/{call.target.model_id.removeprefix('models/')}", **asked}}


def objection(error: ErrorBody, call: Call, refused: Collection[str]) -> str | None:
    """Return what a refusal objects to and can be left out, if anything."""
    words = " ".join((error.message, *error.params)).lower()
    sent = {SIGNATURES, *_less(_optional(call), refused)} - set(refused)
    named = next((name for name, pattern in _NAMES.items() if name in sent and re.search(pattern, words)), None)
    # So much it says of a schema that its own checks passed and the model's server did not.
    return _SCHEMA if named is None and _SCHEMA in sent and words.strip() == _WORDLESS else named
