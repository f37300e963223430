"""Cloudflare's own form of a chat, for what its models take in no other."""

from typing import Any, override

from ..routing.call import Call, Finish
from ..routing.failures import FailureClass, Phase
from ..routing.model import Image, Part, ToolCall, ToolResult
from .chat_reader import ChatReader
from .chat_usage import count
from .cloudflare_models import JSON_MODE, PICTURE_APART
from .conversation import dumps, joined, picture, schema_in_words, split, unsent
from .replies import Replies
from .thinking import Habit


def is_native(call: Call) -> bool:
    """Say whether a call has to be asked in the own form: there is a shape or a picture that goes no other way."""
    model = call.target.model_id
    if model in JSON_MODE:
        # Tools go the other way, and the shape is asked for in words there.
        return call.structure is not None and not _has_tools(call)
    return model in PICTURE_APART and bool(_of(call, Image))


def _of[P: Part](call: Call, kind: type[P]) -> list[P]:
    return [part for message in call.messages for part in message.parts if isinstance(part, kind)]


def _has_tools(call: Call) -> bool:
    return bool(call.tools or _of(call, ToolCall) or _of(call, ToolResult))


def native_body(call: Call) -> dict[str, Any]:
    """Return the body for a call. May block where there is a picture. Raises `AttemptFailed`."""
    system, turns = split(call.messages)
    pictures, sampling = _of(call, Image), call.sampling
    shaped = call.structure is not None and call.target.model_id in JSON_MODE
    if _has_tools(call):
        raise unsent(FailureClass.CAPABILITY, "this model takes a picture or tools, not both")
    if len(pictures) > (0 if shaped else 1):
        raise unsent(FailureClass.CAPABILITY, "this model cannot be shown so many pictures at once")
    if call.structure is not None and not shaped:
        system = f"{system}\n\n{schema_in_words(call.structure)}".strip()
    said = [("system", system), *((turn.role.value, joined(turn.parts)) for turn in turns)]
    fields = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "image": f"data:{pictures[0].mime};base64,{picture(pictures[0])}" if pictures else None,
        "response_format": {"type": "json_schema", "json_schema": call.structure.schema}
        if call.structure is not None and shaped
        else None,
    }
    return {
        "messages": [{"role": role, "content": content} for role, content in said if content],
        "max_tokens": call.max_output,
        # A shape is kept to only in one piece.
        "stream": call.stream and not shaped,
        **{name: value for name, value in fields.items() if value is not None},
    }


class NativeReader(ChatReader):
    """Reads the answer in the own form, streamed or whole; newer models answer in OpenAI's even there."""

    __slots__ = ("_bound",)

    def __init__(self, replies: Replies, call: Call, habit: Habit | None = None) -> None:
        """Begin before the first byte. `habit` as in `TaggedReader`."""
        super().__init__(replies, call.target.model_id, habit=habit)
        self._bound = call.max_output

    @override
    def _take(self, message: dict[str, Any]) -> bool:
        if message.get("errors") or message.get("error"):
            phase = Phase.SENT if self._in_one else self.phase
            self.failure = self._replies.in_band(message, phase, self._model) or self._replies.malformed(
                "the server gave up", phase
            )
            return True
        result = message.get("result")
        if isinstance(result, dict):
            message = result
        if "choices" in message:
            return super()._take(message)
        if message.get("usage"):
            self._told = message["usage"]
        said = message.get("response")
        if isinstance(said, dict | list):
            self._text(dumps(said).decode())
        elif said is not None and said != "":
            # A token of digits alone comes as a number.
            self._content(str(said))
        return "response" in message

    @override
    def _close(self) -> Finish | None:
        if self.done and not self._finish:
            # Nothing says how it ended, only that it did: an answer as long as its bound was cut.
            written = count(self._told, "completion_tokens")
            self._finish = "unknown" if not written else "length" if written >= self._bound else "stop"
        return super()._close()
