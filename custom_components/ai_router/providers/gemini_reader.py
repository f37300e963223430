"""Gemini's answers as events: streamed pieces and whole answers alike."""

from typing import Any, override
from uuid import uuid4

from ..routing.call import Finish, ThinkingDelta, UsageTotal
from ..routing.failures import Phase
from ..routing.model import ToolCall
from .gemini_usage import gemini_usage
from .lines import ServerSentEvents
from .replies import Replies
from .streams import Reader

_MAX_CALLS = 128
_FINISHES = {
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    # The rest would have to be asked for: only outputs of tens of thousands of tokens end so.
    "CONTINUATION": Finish.LENGTH,
    "SAFETY": Finish.FILTERED,
    "RECITATION": Finish.FILTERED,
    "LANGUAGE": Finish.FILTERED,
    "BLOCKLIST": Finish.FILTERED,
    "PROHIBITED_CONTENT": Finish.FILTERED,
    "SPII": Finish.FILTERED,
    "IMAGE_SAFETY": Finish.FILTERED,
    "IMAGE_PROHIBITED_CONTENT": Finish.FILTERED,
    "IMAGE_RECITATION": Finish.FILTERED,
    "ESCALATION": Finish.FILTERED,
    "MODEL_ARMOR": Finish.FILTERED,
}
_BLOCKED = "PROHIBITED_CONTENT"
# The model wrote what its own server could not read: another try may do better.
_BROKEN = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
    }
)
_MARKS = frozenset({"candidates", "promptFeedback", "usageMetadata"})


class GeminiReader(Reader):
    """Reads one answer. A stream has no last message of its own: it ends behind the one that tells why."""

    __slots__ = ("_calls", "_finish", "_model", "_signatures", "_told")

    def __init__(self, replies: Replies, model: str) -> None:
        """Begin before the first byte."""
        super().__init__(ServerSentEvents(), replies)
        self._model = model
        self._calls: list[ToolCall] = []
        self._signatures: dict[str, str] = {}
        self._finish = ""
        self._told: Any = None

    @override
    def _take(self, message: dict[str, Any]) -> bool:
        if message.get("usageMetadata"):
            # Each counts all that was before it.
            self._told = message["usageMetadata"]
        candidates, feedback = message.get("candidates"), message.get("promptFeedback")
        if isinstance(candidates, list) and candidates and isinstance(candidates[0], dict):
            self._candidate(candidates[0])
        elif isinstance(feedback, dict) and feedback.get("blockReason"):
            self._finish = _BLOCKED
        if message.get("error"):
            phase = Phase.SENT if self._in_one else self.phase
            self.failure = self._replies.in_band(message, phase, self._model) or self._replies.malformed(
                "the server gave up", phase
            )
            return True
        return not _MARKS.isdisjoint(message)

    def _candidate(self, candidate: dict[str, Any]) -> None:
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self._part(part)
        reason = candidate.get("finishReason")
        # What was cut stays cut, whatever is said after it.
        if reason and _FINISHES.get(self._finish) not in (Finish.LENGTH, Finish.FILTERED):
            self._finish = str(reason)

    def _part(self, part: dict[str, Any]) -> None:
        # A text may be signed too, but need not be sent back so: its pieces are not kept apart.
        text = part.get("text")
        if text and isinstance(text, str):
            if part.get("thought"):
                self._thought(text)
            else:
                self._text(text)
        if "functionCall" in part:
            self._tool(part["functionCall"], part.get("thoughtSignature"))

    def _tool(self, call: Any, signature: Any) -> None:
        name = call.get("name") if isinstance(call, dict) else None
        arguments = call.get("args") if isinstance(call, dict) else None
        if not (isinstance(name, str) and name and isinstance(arguments, dict | None)):
            self.failure = self._replies.malformed("a tool call that makes no sense", self.phase)
            return
        if len(self._calls) >= _MAX_CALLS:
            self.failure = self._replies.malformed("too many tool calls", self.phase)
            return
        told = call.get("id")
        known = {one.id for one in self._calls}
        call_id = told if isinstance(told, str) and told and told not in known else uuid4().hex[:9]
        self._calls.append(ToolCall(call_id, name, arguments or {}))
        if signature and isinstance(signature, str):
            self._signatures[call_id] = signature

    @override
    def counted(self) -> UsageTotal | None:
        if self.phase is not Phase.STREAMING:
            # What ends before the first word is not billed.
            return None
        self.usage = gemini_usage(self._told)
        return self._news()

    @override
    def _close(self) -> Finish | None:
        self.usage = gemini_usage(self._told)
        if self._finish in _BROKEN:
            if self.usage is not None:
                self._events.append(UsageTotal(self.usage))
            self.failure = self._replies.malformed(f"the model broke off: {self._finish}", self.phase)
            return None
        if not self._finish:
            return None
        finish = _FINISHES.get(self._finish, Finish.OTHER)
        if finish is Finish.FILTERED:
            # What the provider took back is not to be carried out.
            return finish
        self._pass_on_calls()
        return Finish.TOOLS if finish is Finish.STOP and self._calls else finish

    def _pass_on_calls(self) -> None:
        """Pass the calls on, and before them what has to come back with them when they are answered."""
        for call_id, signature in self._signatures.items():
            self._events.append(ThinkingDelta("", {"call": call_id, "signature": signature}))
        for call in self._calls:
            self._call(call)
