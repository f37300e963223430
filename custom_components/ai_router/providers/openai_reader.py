"""OpenAI's responses as events: streamed and in one piece alike."""

from typing import Any, override

import orjson

from ..routing.call import Finish, Usage
from ..routing.model import ToolCall
from .chat_usage import count
from .lines import ServerSentEvents
from .replies import Replies
from .streams import Reader

_DONE = b"[DONE]"
_MAX_ITEMS = 512
_CUT = {
    "max_output_tokens": Finish.LENGTH,
    "max_messages": Finish.LENGTH,
    "content_filter": Finish.FILTERED,
}
_KEPT = frozenset({"message", "reasoning", "function_call"})


def responses_usage(told: Any) -> Usage | None:
    """Sort the counts of one answer; None where nothing was counted.

    Read and written cache lies inside the input's count, reasoning lies inside the output's.
    """
    read, made = count(told, "input_tokens"), count(told, "output_tokens")
    if not read and not made:
        return None
    inside = told.get("input_tokens_details")
    cached = min(count(inside, "cached_tokens"), read)
    written = min(count(inside, "cache_write_tokens"), read - cached)
    thought = min(count(told.get("output_tokens_details"), "reasoning_tokens"), made)
    return Usage(
        fresh_in=read - cached - written,
        cache_read=cached,
        cache_write_5m=written,
        text_out=made - thought,
        reasoning_out=thought,
    )


def _parts(item: dict[str, Any], field: str) -> list[dict[str, Any]]:
    parts = item.get(field)
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


class ResponsesReader(Reader):
    """Reads one response. `bound`: the tokens it was allowed."""

    __slots__ = ("_bound", "_finish", "_items", "_model", "_refused")

    def __init__(self, replies: Replies, model: str, bound: int | None = None) -> None:
        """Begin before the first byte."""
        super().__init__(ServerSentEvents(), replies)
        self._model = model
        self._bound = bound
        self._items: dict[int, dict[str, Any]] = {}
        self._refused = False
        self._finish: Finish | None = None

    @override
    def _not_json(self, data: bytes) -> None:
        if data.strip() != _DONE:
            self._odd()

    @override
    def _take(self, message: dict[str, Any]) -> bool:
        match message.get("type"):
            case "response.output_text.delta":
                self._say(message.get("delta"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._think(message.get("delta"))
            case "response.reasoning_summary_part.added" if message.get("summary_index"):
                self._think("\n\n")
            case "response.refusal.delta" | "response.refusal.done":
                self._refused = True
            case "response.output_item.done":
                self._keep(message.get("output_index"), message.get("item"))
            case "response.completed" | "response.incomplete" | "response.failed":
                self._end(message.get("response"))
            case _:
                return self._other(message)
        return True

    def _other(self, message: dict[str, Any]) -> bool:
        """Look for an answer in one piece or an error; what is not known yet is passed over. False for a stranger's."""
        if message.get("object") == "response" and "status" in message:
            output = message.get("output")
            for index, item in enumerate(output if isinstance(output, list) else ()):
                self._keep(index, item)
            self._speak()
            self._end(message)
        elif message.get("error") or message.get("type") == "error":
            self._fail(message)
        else:
            return False
        return True

    def _say(self, text: Any) -> None:
        if text and isinstance(text, str):
            self._text(text)

    def _think(self, text: Any) -> None:
        if text and isinstance(text, str):
            self._thought(text)

    def _keep(self, told: Any, item: Any) -> None:
        if not isinstance(item, dict):
            return
        # Some servers do not number what they stream.
        index = told if isinstance(told, int) else len(self._items)
        if len(self._items) >= _MAX_ITEMS:
            self.failure = self._replies.malformed("too many items", self.phase)
            return
        self._items[index] = item
        if any(part.get("type") == "refusal" for part in _parts(item, "content")):
            self._refused = True

    def _speak(self) -> None:
        """Pass on the words of an answer that came in one piece."""
        for item in self._items.values():
            if item.get("type") == "message":
                for part in _parts(item, "content"):
                    self._say(part.get("text"))
            elif item.get("type") == "reasoning":
                thoughts = _parts(item, "summary") or _parts(item, "content")
                self._think("\n\n".join(str(thought.get("text", "")) for thought in thoughts))

    def _fail(self, told: Any) -> None:
        self.failure = self._replies.in_band(told, self.phase, self._model) or self._replies.malformed(
            "the server gave up", self.phase
        )

    def _end(self, response: Any) -> None:
        response = response if isinstance(response, dict) else {}
        self.usage = responses_usage(response.get("usage"))
        match response.get("status"):
            case "completed":
                # Some servers call an answer complete that was cut at its bound.
                self._finish = Finish.LENGTH if self._used_up() else Finish.STOP
            case "incomplete":
                details = response.get("incomplete_details")
                reason = details.get("reason") if isinstance(details, dict) else None
                self._finish = _CUT.get(str(reason), Finish.OTHER)
            case _:
                self._fail({"error": response.get("error")})
                return
        self.done = True

    def _used_up(self) -> bool:
        return self._bound is not None and self.usage is not None and self.usage.output_tokens >= self._bound

    @override
    def _close(self) -> Finish | None:
        if self._finish is None:
            return None
        if self._refused or self._finish is Finish.FILTERED:
            return Finish.FILTERED
        called = self._pass_on(cut=self._finish is not Finish.STOP)
        return Finish.TOOLS if called and self._finish is Finish.STOP else self._finish

    def _pass_on(self, *, cut: bool) -> bool:
        """Pass on the calls that are whole; say whether there are any."""
        calls: list[ToolCall] = []
        for item in self._items.values():
            if item.get("type") != "function_call":
                continue
            arguments, name, call_id = _arguments(item), item.get("name"), item.get("call_id")
            if arguments is None or not (isinstance(name, str) and name and isinstance(call_id, str) and call_id):
                if not cut:
                    self.failure = self._replies.malformed("a tool call that makes no sense", self.phase)
                    return False
                continue
            calls.append(ToolCall(call_id, name, arguments))
        if calls and (turn := self._turn()) is not None:
            self._thought("", turn)
        for call in calls:
            self._call(call)
        return bool(calls)

    def _turn(self) -> list[dict[str, Any]] | None:
        """Return the turn as it must be sent back with the tools' answers; None where it needs no more than its words.

        Nothing is kept at the server, so reasoning goes back whole and encrypted or not at all.
        """
        items = [self._items[index] for index in sorted(self._items)]
        worth = False
        for item in items:
            if item.get("type") not in _KEPT:
                return None
            if item["type"] == "reasoning":
                worth = True
                if not item.get("encrypted_content"):
                    return None
            elif item.get("phase"):
                worth = True
        return items if worth else None


def _arguments(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return the arguments of a call, None where they are not a whole object."""
    text = item.get("arguments")
    if not isinstance(text, str):
        return None
    try:
        arguments = orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        return None
    return arguments if isinstance(arguments, dict) else None
