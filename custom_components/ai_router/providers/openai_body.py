"""A call as the body of OpenAI's Responses API, less what a model has refused."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ..routing.call import Call
from ..routing.failures import FailureClass
from ..routing.model import Image, Message, Part, Role, Structure, Text, ToolCall, ToolResult
from .conversation import as_made, dumps, in_hand, joined, picture, schema_in_words, split, unsent, with_ids
from .error_bodies import ErrorBody
from .openai_models import Family, effort, family, reasons
from .schemas import narrowed

_REPLAY = "replay"
_FORMAT = "format"
_JSON_MODE = "json_mode"
# What these refusals are about is this one conversation or schema: the next may be taken.
OF_THIS_CALL = frozenset({_REPLAY, _FORMAT})
_IDS = re.compile(r"[!-~]{1,64}")
_CONSTRAINTS = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "pattern",
    }
)

# How refusals name what can be left out, by the field or in words.
_NAMES = {
    _REPLAY: r"encrypted_content|encrypted content|reasoning.? item|^input\[\d+\]\.(id|summary)",
    _FORMAT: r"text\.format|response_format|json_schema",
    _JSON_MODE: r"text\.format|response_format|json_object",
    "effort": r"^reasoning$|reasoning.?effort",
    "summary": r"^reasoning$|reasoning.?summar",
    "include": r"\binclude\b|encrypted content",
    "temperature": r"\btemperature\b",
    "top_p": r"\btop_p\b",
    "prompt_cache_options": r"prompt_cache",
}


# --- the conversation ------------------------------------------------------------------------------


def _content(parts: Iterable[Part]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Text):
            content.append({"type": "input_text", "text": part.text})
        elif isinstance(part, Image):
            url = f"data:{part.mime};base64,{picture(part)}"
            content.append({"type": "input_image", "image_url": url, "detail": "auto"})
    return content


def _results(message: Message) -> Iterator[dict[str, Any]]:
    """Write down what tools answered: a picture belongs to the answer before it."""
    answers: list[tuple[ToolResult, list[Part]]] = []
    others: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            answers.append((part, []))
        elif isinstance(part, Image) and answers:
            answers[-1][1].append(part)
        else:
            others.append(part)
    for result, pictures in answers:
        output = _content([Text(result.content), *pictures]) if pictures else result.content
        yield {"type": "function_call_output", "call_id": result.call_id, "output": output}
    if content := _content(others):
        yield {"role": "user", "content": content}


def _own(message: Message) -> Iterator[dict[str, Any]]:
    if any(isinstance(part, Image) for part in message.parts):
        raise unsent(FailureClass.CAPABILITY, "a picture cannot be sent as the model's own words")
    if text := joined(message.parts):
        # The type may be left out, but not every server that speaks this does without.
        yield {"type": "message", "role": "assistant", "content": text}
    for part in message.parts:
        if isinstance(part, ToolCall):
            arguments = dumps(part.arguments).decode()
            yield {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments}


def _as_made(turn: Message, call: Call) -> list[dict[str, Any]] | None:
    return as_made(turn, call, "function_call", "call_id")


def _items(turns: list[Message], call: Call, *, replay: bool) -> Iterator[dict[str, Any]]:
    begin = in_hand(turns)
    for place, turn in enumerate(turns):
        match turn.role:
            case Role.TOOL:
                yield from _results(turn)
            case Role.ASSISTANT:
                made = _as_made(turn, call) if replay and place >= begin else None
                yield from made or _own(turn)
            case _:
                if content := _content(turn.parts):
                    yield {"role": "user", "content": content}


# --- what may be left out --------------------------------------------------------------------------


def _shape(structure: Structure, refused: Collection[str]) -> dict[str, Any]:
    """Return the field that holds the answer to its shape, by the best means left; none where only words are left."""
    if _FORMAT not in refused:
        schema = narrowed(structure.schema, _CONSTRAINTS, all_required=True)
        return {
            _FORMAT: {
                "type": "json_schema",
                "name": re.sub(r"[^A-Za-z0-9_-]", "_", structure.name)[:64] or "answer",
                "schema": structure.schema if schema is None else schema,
                "strict": schema is not None,
            }
        }
    return {} if _JSON_MODE in refused else {_JSON_MODE: {"type": "json_object"}}


def _reasoning(call: Call, known: Family | None, refused: Collection[str]) -> dict[str, Any]:
    """Return what is said of reasoning, and what a model takes only where it does not reason."""
    sampling = call.sampling
    asked = effort(known, sampling.reasoning)
    thinks = reasons(known, None if "effort" in refused else asked)
    wishes: dict[str, Any] = {"effort": asked}
    if sampling.reasoning is not None and thinks:
        # Otherwise nobody could tell the long silence from a dead connection.
        wishes["summary"] = "auto"
    if call.tools and thinks is not False:
        wishes["include"] = ["reasoning.encrypted_content"]
    if not thinks:
        wishes |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    return wishes


def _wishes(call: Call, refused: Collection[str]) -> dict[str, Any]:
    """Return what may be left out when a model refuses it, by the names under which it is given up."""
    known = family(call.target.model_id)
    turns = split(call.messages)[1]
    wishes: dict[str, Any] = {}
    if any(_as_made(turn, call) for turn in turns[in_hand(turns) :]):
        wishes[_REPLAY] = True
    wishes |= _reasoning(call, known, refused)
    if call.structure is not None:
        wishes |= _shape(call.structure, refused)
    once = not call.tools and not any(turn.role is Role.ASSISTANT for turn in turns)
    if once and known is not None and known.writes_cost:
        # To write the cache costs a quarter more, and a question of its own never reads it again.
        wishes["prompt_cache_options"] = {"mode": "explicit"}
    return {name: value for name, value in wishes.items() if value is not None and name not in refused}


def responses_body(call: Call, refused: Collection[str] = ()) -> dict[str, Any]:
    """Return the body for a call. May block where there are pictures. Raises `AttemptFailed`."""
    system, turns = split(call.messages)
    turns = with_ids(turns, _IDS)
    wishes = _wishes(call, refused)
    items = list(_items(turns, call, replay=wishes.pop(_REPLAY, False)))
    if call.structure is not None and _FORMAT not in wishes:
        # The mode that gives any JSON wants the word to stand in the input: instructions do not count.
        items.insert(0, {"role": "developer", "content": schema_in_words(call.structure)})
    body: dict[str, Any] = {
        "model": call.target.model_id,
        "input": items,
        "max_output_tokens": call.max_output,
        "store": False,
        "stream": call.stream,
    }
    if system:
        body["instructions"] = system
    if call.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                # Left out, the server would try to hold the model to schemas that were not made for it.
                "strict": False,
            }
            for tool in call.tools
        ]
    if reasoning := {name: wishes.pop(name) for name in ("effort", "summary") if name in wishes}:
        body["reasoning"] = reasoning
    for means in (_FORMAT, _JSON_MODE):
        if means in wishes:
            body["text"] = {"format": wishes.pop(means)}
    return body | wishes


def objection(error: ErrorBody, call: Call, refused: Collection[str]) -> str | None:
    """Return what a refusal objects to and can be left out: of several, what it names first."""
    subject = " ".join(error.params or (error.message,)).lower()
    found = {name: re.search(_NAMES[name], subject) for name in _wishes(call, refused)}
    named = {name: match.start() for name, match in found.items() if match is not None}
    return min(named, key=lambda name: named[name], default=None)
