"""Reading answers in whose text a model's reasoning may stand too."""

from typing import override

from ..routing.call import Rethought
from .lines import JsonLines
from .replies import Replies
from .streams import Reader
from .thinking import Habit, ThinkTags


class TaggedReader(Reader):
    """Tells reasoning in the text from the answer, and remembers for the next time how the model does it."""

    __slots__ = ("_habit", "_rethought", "_tags")

    def __init__(self, lines: JsonLines, replies: Replies, habit: Habit | None = None) -> None:
        """Begin before the first byte. `habit` is what is known of the model, and is corrected."""
        super().__init__(lines, replies)
        self._habit = habit or Habit()
        self._tags = ThinkTags(inside=self._habit.unopened is True)
        self._rethought = False

    def _content(self, text: str) -> None:
        if self._tags.plain(text):
            self._text(text)
        else:
            self._pass_on(self._tags.feed(text))

    @override
    def _thought(self, text: str, opaque: object = None) -> None:
        if text:
            self._pass_on(self._tags.apart())
        super()._thought(text, opaque)

    def _end_of_content(self, *, whole: bool) -> None:
        """Pass on what was held back; `whole`: the answer was not cut."""
        self._pass_on(self._tags.end(whole=whole))
        if whole:
            self._habit.unopened = self._tags.unopened

    def _pass_on(self, pieces: list[tuple[bool, str]]) -> None:
        if self._tags.unopened and not self._rethought:
            self._rethought = True
            self._events.append(Rethought())
        for thought, text in pieces:
            if thought:
                super()._thought(text)
            else:
                self._text(text)
