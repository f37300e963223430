"""Anthropic's messages as events: streamed and in one piece alike."""

from dataclasses import dataclass, field
from typing import Any, override

import orjson

from ..routing.call import Finish, Usage, UsageTotal
from ..routing.failures import Billed, Failure, FailureClass, FailureScope, Phase
from ..routing.model import ToolCall
from .chat_usage import count
from .conversation import dumps
from .lines import ServerSentEvents
from .replies import Replies
from .streams import Reader

_MAX_BLOCKS = 512
_FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "tool_use": Finish.TOOLS,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.FILTERED,
}
# The field of each kind of piece, and the field of its block that it goes on.
_PIECES = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}


def messages_usage(told: dict[str, Any]) -> Usage | None:
    """Sort the counts of one answer; None where nothing was counted.

    Read and written cache lies beside the input's count, thinking lies inside the output's.
    """
    fresh, made = count(told, "input_tokens"), count(told, "output_tokens")
    read, written = count(told, "cache_read_input_tokens"), count(told, "cache_creation_input_tokens")
    if not (fresh or read or written or made):
        return None
    hour = min(count(told.get("cache_creation"), "ephemeral_1h_input_tokens"), written)
    thought = min(count(told.get("output_tokens_details"), "thinking_tokens"), made)
    return Usage(
        fresh_in=fresh,
        cache_read=read,
        cache_write_5m=written - hour,
        cache_write_1h=hour,
        text_out=made - thought,
        reasoning_out=thought,
    )


@dataclass(slots=True)
class _Block:
    """A block of the answer: as it began, and the pieces that its fields were continued with."""

    begun: dict[str, Any]
    pieces: dict[str, list[str]] = field(default_factory=dict)

    @property
    def kind(self) -> Any:
        return self.begun.get("type")

    def text(self, name: str) -> str:
        begun = self.begun.get(name)
        return (begun if isinstance(begun, str) else "") + "".join(self.pieces.get(name, ()))

    def arguments(self) -> dict[str, Any] | None:
        """Return the arguments of a tool call, None where they are not a whole object."""
        text = "".join(self.pieces.get("input", ())).strip()
        if not text:
            begun = self.begun.get("input") or {}
            return begun if isinstance(begun, dict) else None
        try:
            arguments = orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        return arguments if isinstance(arguments, dict) else None


class MessagesReader(Reader):
    """Reads the answer to one message. `answer_tool`: a call of this tool is the answer itself."""

    __slots__ = ("_answer_tool", "_blocks", "_model", "_stop_reason", "_told")

    def __init__(self, replies: Replies, model: str, answer_tool: str | None = None) -> None:
        """Begin before the first byte."""
        super().__init__(ServerSentEvents(), replies)
        self._model = model
        self._answer_tool = answer_tool
        self._blocks: dict[Any, _Block] = {}
        self._stop_reason: Any = None
        self._told: dict[str, Any] = {}

    @override
    def _take(self, message: dict[str, Any]) -> bool:
        match message.get("type"):
            case "content_block_delta":
                self._continue(message.get("index"), message.get("delta"))
            case "content_block_start":
                self._begin(message.get("index"), message.get("content_block"))
            case "message_start":
                self._count(message.get("message"))
            case "message_delta":
                self._count(message)
                self._stop(message.get("delta"))
            case "message_stop":
                self.done = True
            case "message":
                self._whole(message)
            case _:
                return self._other(message)
        return True

    def _other(self, message: dict[str, Any]) -> bool:
        """Look for an error; pings and events that are not known yet are passed over. False for a stranger's."""
        if "error" in message or message.get("type") == "error":
            self.failure = self._replies.in_band(message, self.phase, self._model) or self._replies.malformed(
                "the server gave up", self.phase
            )
            return True
        return False

    def _whole(self, message: dict[str, Any]) -> None:
        content = message.get("content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            self._begin(index, block)
        self._count(message)
        self._stop(message)

    def _count(self, holder: Any) -> None:
        """Keep the last word on each count: they are of all so far, and some are told only once."""
        usage = holder.get("usage") if isinstance(holder, dict) else None
        if isinstance(usage, dict):
            self._told |= {name: value for name, value in usage.items() if value is not None}

    def _stop(self, delta: Any) -> None:
        if isinstance(delta, dict):
            self._stop_reason = delta.get("stop_reason") or self._stop_reason

    def _begin(self, index: Any, begun: Any) -> None:
        if not isinstance(begun, dict) or not isinstance(index, int):
            return
        if len(self._blocks) >= _MAX_BLOCKS:
            self.failure = self._replies.malformed("too many blocks", self.phase)
            return
        self._blocks[index] = block = _Block(begun)
        for name in ("text", "thinking"):
            if block.kind == name and (text := block.text(name)):
                self._say(name, text)

    def _continue(self, index: Any, delta: Any) -> None:
        if not isinstance(delta, dict) or not isinstance(index, int):
            return
        block = self._blocks.get(index)
        source, name = _PIECES.get(str(delta.get("type")), ("", ""))
        text = delta.get(source)
        if block is None or not text or not isinstance(text, str):
            return
        block.pieces.setdefault(name, []).append(text)
        if name == "input":
            if self._is_answer(block):
                self._say("text", text)
        elif name != "signature":
            self._say(name, text)

    def _say(self, name: str, text: str) -> None:
        if name == "thinking":
            self._thought(text)
        else:
            self._text(text)

    def _is_answer(self, block: _Block) -> bool:
        return self._answer_tool is not None and block.begun.get("name") == self._answer_tool

    @override
    def counted(self) -> UsageTotal | None:
        if self.phase is not Phase.STREAMING:
            # What ends before the first word is not billed.
            return None
        self.usage = messages_usage(self._told)
        return self._news()

    @override
    def _close(self) -> Finish | None:
        self.usage = messages_usage(self._told)
        if not self.done:
            return None
        finish = _FINISHES.get(str(self._stop_reason), Finish.OTHER)
        calls = [block for block in self._blocks.values() if block.kind == "tool_use"]
        if finish is Finish.FILTERED:
            if not self._blocks:
                # Refused before the first word: nothing of it is billed.
                words = "the provider refused to answer"
                self.failure = Failure(
                    FailureClass.CONTENT_POLICY, self.phase, words, FailureScope.REQUEST, billed=Billed.NO
                )
            return finish
        for block in calls:
            if self._is_answer(block) and "input" not in block.pieces:
                self._say("text", dumps(block.begun.get("input") or {}).decode())
        passed = self._pass_on([block for block in calls if not self._is_answer(block)], cut=finish is Finish.LENGTH)
        if finish in {Finish.STOP, Finish.TOOLS}:
            return Finish.TOOLS if passed else Finish.STOP
        return finish

    def _pass_on(self, calls: list[_Block], *, cut: bool) -> bool:
        """Pass on the calls that are whole; say whether there are any."""
        whole: list[ToolCall] = []
        if cut and calls and calls[-1] is [*self._blocks.values()][-1] and "input" not in calls[-1].pieces:
            # It was cut where its arguments begin, or they came in one piece: nothing tells whether they are all.
            calls = calls[:-1]
        for block in calls:
            arguments, name, call_id = block.arguments(), block.begun.get("name"), block.begun.get("id")
            if arguments is None or not (isinstance(name, str) and name and isinstance(call_id, str) and call_id):
                if not cut:
                    self.failure = self._replies.malformed("a tool call that makes no sense", self.phase)
                    return False
                continue
            whole.append(ToolCall(call_id, name, arguments))
        if whole and (turn := self._turn()) is not None:
            self._thought("", turn)
        for call in whole:
            self._call(call)
        return bool(whole)

    def _turn(self) -> list[dict[str, Any]] | None:
        """Return the turn as it must be sent back with the tools' answers; None where it needs no thoughts."""
        turn: list[dict[str, Any]] = []
        thought = False
        for block in self._blocks.values():
            match block.kind:
                case "thinking":
                    thought = True
                    signature = block.text("signature")
                    if not signature:
                        return None
                    turn.append({"type": "thinking", "thinking": block.text("thinking"), "signature": signature})
                case "redacted_thinking":
                    thought = True
                    turn.append({"type": "redacted_thinking", "data": block.begun.get("data")})
                case "text":
                    if (text := block.text("text")).strip():
                        turn.append({"type": "text", "text": text})
                case "tool_use" if (arguments := block.arguments()) is not None:
                    kept = {name: block.begun.get(name) for name in ("type", "id", "name")}
                    turn.append({**kept, "input": arguments})
                case _:
                    return None
        return turn if thought else None
