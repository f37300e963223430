"""Chat completions as events: streamed chunks and whole answers alike."""

from dataclasses import dataclass, field
from typing import Any, override
from uuid import uuid4

import orjson

from ..routing.call import Finish, UsageTotal
from ..routing.failures import Phase
from ..routing.model import ToolCall
from .chat_usage import chat_usage, told_cost
from .conversation import dumps
from .lines import ServerSentEvents
from .presets import BASELINE, Preset, Replay
from .replies import Replies
from .tagged_reader import TaggedReader
from .thinking import Habit

_DONE = b"[DONE]"
_MAX_CALLS = 128
_GROWING = frozenset({"data", "summary", "text"})
_FINISHES = {
    "stop": Finish.STOP,
    "tool_calls": Finish.TOOLS,
    "function_call": Finish.TOOLS,
    "length": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "content_filter": Finish.FILTERED,
}
# What was cut stays cut, whatever is said after it.
_WHOLE = (Finish.STOP, Finish.TOOLS)
_NOT_WHOLE = (Finish.LENGTH, Finish.FILTERED)


@dataclass(slots=True)
class _Call:
    """A tool call while it comes in pieces. `whole` is set by servers that send the arguments as an object."""

    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    whole: dict[str, Any] | None = None

    def is_over(self, call_id: Any, arguments: Any) -> bool:
        """Say whether a piece with a name begins another call: some servers number all their calls 0, or none.

        So it is with another id, and with arguments behind arguments that are whole.
        """
        if call_id and self.id and call_id != self.id:
            return True
        begun = self.whole is not None or any(self.pieces)
        return begun and bool(arguments) and self.arguments() is not None

    def arguments(self) -> dict[str, Any] | None:
        """Return the arguments, None where they are not a whole object."""
        if self.whole is not None:
            return self.whole
        text = "".join(self.pieces).strip()
        if not text:
            return {}
        try:
            arguments = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        return arguments if isinstance(arguments, dict) else None


class ChatReader(TaggedReader):
    """Reads the answer to one chat completion."""

    __slots__ = (
        "_answer_name",
        "_calls",
        "_current",
        "_details",
        "_finish",
        "_model",
        "_preset",
        "_refused",
        "_summed",
        "_told",
    )

    def __init__(
        self,
        replies: Replies,
        model: str,
        preset: Preset = BASELINE,
        habit: Habit | None = None,
        answer_name: str | None = None,
    ) -> None:
        """Begin before the first byte. `habit` as in `TaggedReader`; a call of `answer_name` is the answer itself."""
        super().__init__(ServerSentEvents(), replies, habit)
        self._model = model
        self._answer_name = answer_name
        self._preset = preset
        self._details: dict[int, dict[str, Any]] = {}
        self._calls: list[_Call] = []
        self._current: dict[int, _Call] = {}
        self._finish = ""
        self._refused = False
        self._told: Any = None
        self._summed: Any = None

    @override
    def _not_json(self, data: bytes) -> None:
        if data.strip() == _DONE:
            self.done = True
        else:
            self._odd()

    @override
    def _take(self, message: dict[str, Any]) -> bool:
        choices = message.get("choices")
        usage = message.get("usage")
        groq = message.get("x_groq")
        if isinstance(groq, dict):
            usage = usage or groq.get("usage")
            if groq.get("error"):
                message = {"error": groq["error"]}
        if usage:
            self._told = usage
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, dict):
            delta = choice.get("delta") or choice.get("message")
            if isinstance(delta, dict):
                self._delta(delta)
                if self._preset.replay is Replay.DETAILS:
                    self._detail(delta.get("reasoning_details"))
            finish = choice.get("finish_reason")
            if finish and (finish == "error" or _FINISHES.get(self._finish) not in _NOT_WHOLE):
                self._finish = str(finish)
            if choice.get("error"):
                # What went wrong with the one choice there is stands in it, when it is not a stream.
                message = choice
        if message.get("error") or self._finish == "error" or choices is None:
            return self._odd_chunk(message)
        return True

    def _odd_chunk(self, message: dict[str, Any]) -> bool:
        """Look at a chunk that is an error, or has none of an answer's marks; false for a stranger's."""
        phase = Phase.SENT if self._in_one else self.phase
        failure = self._replies.in_band(message, phase, self._model)
        if failure is not None or self._finish == "error" or message.get("error"):
            self.failure = failure or self._replies.malformed("the server gave up in the middle", self.phase)
            return True
        return "choices" in message

    def _delta(self, delta: dict[str, Any]) -> None:
        thought = delta.get("reasoning") or delta.get("reasoning_content") or delta.get("thinking")
        if thought and isinstance(thought, str):
            self._thought(thought)
        content = delta.get("content")
        if content:
            if isinstance(content, str):
                self._content(content)
            elif isinstance(content, list):
                for part in content:
                    self._part(part)
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            for position, piece in enumerate(calls):
                self._piece(position, piece)
        if delta.get("refusal"):
            self._refused = True

    def _part(self, part: Any) -> None:
        """Read a piece of content that says its type, as Mistral sends them."""
        if not isinstance(part, dict):
            return
        if part.get("type") == "thinking":
            thinking = part.get("thinking")
            for thought in thinking if isinstance(thinking, list) else [{"text": thinking}]:
                text = thought.get("text") if isinstance(thought, dict) else None
                if text and isinstance(text, str):
                    self._thought(text)
        elif isinstance(part.get("text"), str):
            self._content(part["text"])

    def _piece(self, position: int, piece: Any) -> None:
        function = piece.get("function") if isinstance(piece, dict) else None
        if not isinstance(function, dict):
            return
        told = piece.get("index")
        index = told if isinstance(told, int) else position
        name, call_id, arguments = function.get("name"), piece.get("id"), function.get("arguments")
        call = self._current.get(index)
        if call is None or (name and call.is_over(call_id, arguments)):
            if len(self._calls) >= _MAX_CALLS:
                self.failure = self._replies.malformed("too many tool calls", self.phase)
                return
            call = self._current[index] = _Call()
            self._calls.append(call)
        call.id = call.id or (call_id if isinstance(call_id, str) else "")
        call.name = call.name or (name if isinstance(name, str) else "")
        if isinstance(arguments, str):
            call.pieces.append(arguments)
        elif isinstance(arguments, dict):
            call.whole = arguments

    def _detail(self, details: Any) -> None:
        """Put together what comes in pieces: texts grow, everything else is told once."""
        for place, piece in enumerate(details if isinstance(details, list) else ()):
            if not isinstance(piece, dict):
                continue
            told = piece.get("index")
            detail = self._details.setdefault(told if isinstance(told, int) else place, {})
            for name, value in piece.items():
                grows = name in _GROWING and isinstance(value, str) and isinstance(detail.get(name), str)
                if grows or value is not None or name not in detail:
                    detail[name] = detail[name] + value if grows else value
            if len(self._details) > _MAX_CALLS:
                self.failure = self._replies.malformed("too much reasoning", self.phase)

    @override
    def counted(self) -> UsageTotal | None:
        if self._told is self._summed:
            return None
        self._count_up()
        return self._news()

    def _count_up(self) -> None:
        """Sum up the counts that came last: each counts all that was before it."""
        self._summed = self._told
        self.usage = chat_usage(self._told)
        if self._preset.costs:
            self.cost = told_cost(self._told)

    @override
    def _close(self) -> Finish | None:
        self._end_of_content(whole=self.failure is None and _FINISHES.get(self._finish, Finish.LENGTH) in _WHOLE)
        self._count_up()
        if self._details and self._calls:
            self._thought("", [self._details[index] for index in sorted(self._details)])
        finish = _FINISHES.get(self._finish, Finish.OTHER) if self._finish else None
        if finish is None and self.done:
            if self._calls:
                finish = Finish.TOOLS
            elif self._in_one:
                # Nothing says that it is whole, but it is not known to be cut either.
                finish = Finish.OTHER
        if finish is None:
            return None
        self._pass_on_calls(cut=finish is Finish.LENGTH)
        if self._refused:
            return Finish.FILTERED
        if finish in _WHOLE:
            return Finish.TOOLS if {call.name for call in self._calls} - {self._answer_name} else Finish.STOP
        return finish

    def _pass_on_calls(self, *, cut: bool) -> None:
        ids: set[str] = set()
        for call in self._calls:
            arguments = call.arguments()
            if arguments is None or not call.name:
                if not cut:
                    self.failure = self._replies.malformed("a tool call that makes no sense", self.phase)
                    return
                continue
            if call.name == self._answer_name:
                self._text(dumps(arguments).decode())
                continue
            # Nine letters and digits: the one form of an id that every server takes back.
            call_id = call.id if call.id and call.id not in ids else uuid4().hex[:9]
            ids.add(call_id)
            self._call(ToolCall(call_id, call.name, arguments))
