"""The answer of an Ollama server to one chat."""

from typing import Any, override

from ..routing.call import Finish, Usage
from ..routing.failures import Billed, Failure, FailureClass, Phase
from ..routing.model import ToolCall
from .chat_usage import MANY
from .lines import JsonLines
from .ollama_models import names_a_cloud
from .replies import Replies
from .tagged_reader import TaggedReader
from .thinking import Habit

_FINISHES = {"stop": Finish.STOP, "length": Finish.LENGTH}
_NO_ANSWERS = frozenset({"load", "unload"})


def not_local(model: str, phase: Phase, billed: Billed) -> Failure:
    """Say that a model which was to run in the house does not: nothing more may go there as if it did."""
    return Failure(FailureClass.NOT_LOCAL, phase, f"{model} is passed on to a cloud", billed=billed)


class OllamaReader(TaggedReader):
    """Reads the answer to one chat, line by line or in one piece.

    `trusted`: names of models believed to run in the house, or None where this one is not. An answer that names a cloud
    is a breach, not an answer, and strikes its model off.
    """

    __slots__ = ("_called", "_finish", "_model", "_trusted")

    def __init__(
        self, replies: Replies, model: str, trusted: set[str] | None = None, habit: Habit | None = None
    ) -> None:
        """Begin before the first byte. `habit` as in `TaggedReader`."""
        super().__init__(JsonLines(), replies, habit)
        self._model = model
        self._trusted = trusted
        self._called = 0
        self._finish: Finish | None = None

    @override
    def _take(self, message: dict[str, Any]) -> bool:
        if self._trusted is not None and names_a_cloud(message):
            self._trusted.discard(self._model)
            self.failure = not_local(self._model, self.phase, Billed.PARTIAL)
            return True
        said = message.get("message")
        if isinstance(said, dict):
            thought, text, calls = said.get("thinking"), said.get("content"), said.get("tool_calls")
            if thought and isinstance(thought, str):
                self._thought(thought)
            if text and isinstance(text, str):
                self._content(text)
            if calls and isinstance(calls, list):
                for call in calls:
                    self._tool(call)
        if "error" in message:
            phase = Phase.SENT if self._in_one else self.phase
            self.failure = self._replies.in_band(message, phase, self._model) or self._replies.malformed(
                "the server gave up", phase
            )
        elif message.get("done") is True:
            self._ended(message)
        return "message" in message or self.failure is not None

    def _tool(self, call: Any) -> None:
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if not (isinstance(name, str) and name and isinstance(arguments, dict | None)):
            self.failure = self._replies.malformed("a tool call that makes no sense", self.phase)
            return
        told = call.get("id")
        self._called += 1
        call_id = told if isinstance(told, str) and told else f"call_{self._called}"
        self._call(ToolCall(call_id, name, arguments or {}))

    def _ended(self, message: dict[str, Any]) -> None:
        self.done = True
        reason = str(message.get("done_reason") or "stop")
        if reason in _NO_ANSWERS:
            self.failure = Failure(FailureClass.EMPTY, self.phase, f"the server only did a {reason}", billed=Billed.NO)
            return
        self._finish = _FINISHES.get(reason, Finish.OTHER)
        if self._finish is Finish.STOP and self._called:
            self._finish = Finish.TOOLS
        read, written = message.get("prompt_eval_count"), message.get("eval_count")
        # The count of what was read is left out where all of it was still known: that is not zero tokens.
        if type(read) is int and type(written) is int and 0 <= read < MANY and 0 <= written < MANY:
            self.usage = Usage(fresh_in=read, text_out=written)

    @override
    def _close(self) -> Finish | None:
        self._end_of_content(whole=self._finish in (Finish.STOP, Finish.TOOLS))
        return self._finish
