"""What a task usually needs: learned from the last answers, so that budgets far from their limit need not be strict."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from math import ceil
from typing import Any

from .call import Usage
from .model import Target
from .ports import TokenCounter
from .tokens import Size

_KEPT = 20
_ENOUGH = 5
_TASKS = 512
_SHARE = 0.9
_MARGIN = 1.2
# How fast the estimate of input tokens follows what providers count.
_LEARNING = 0.1
_RATIO_BOUNDS = (0.2, 5.0)

type _Task = tuple[Target, str | None]


class Usual:
    """The usual output of a task (a target and a label), and how a target's tokenizer differs from our estimate.

    Both maps are bounded: the task that was not seen for longest is forgotten.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._outputs: OrderedDict[_Task, deque[int]] = OrderedDict()
        self._ratios: OrderedDict[Target, float] = OrderedDict()
        self.count: TokenCounter | None = None

    def output(self, target: Target, label: str | None) -> int | None:
        """Return the output tokens that nine of ten answers stay below, with a margin; None until enough is known."""
        seen = self._outputs.get((target, label))
        if seen is None or len(seen) < _ENOUGH:
            return None
        ordered = sorted(seen)
        return ceil(ordered[min(len(ordered) - 1, int(len(ordered) * _SHARE))] * _MARGIN)

    def mean_output(self, target: Target, label: str | None) -> float | None:
        """Return the output tokens of a task's usual answer; None if there was none yet."""
        seen = self._outputs.get((target, label))
        return sum(seen) / len(seen) if seen else None

    def expected(self, target: Target, size: Size) -> int:
        """Return the input tokens to expect: counted where this model's tokens can be, else as learned so far."""
        words = None if self.count is None else self.count(target.model_id, size.texts)
        return ceil(size.estimate * self.ratio(target)) if words is None else words + size.beside

    def ratio(self, target: Target) -> float:
        """Return real input tokens for each estimated one."""
        return self._ratios.get(target, 1.0)

    def _learn_output(self, task: _Task, tokens: int) -> None:
        seen = self._outputs.get(task)
        if seen is None:
            if len(self._outputs) >= _TASKS:
                self._outputs.popitem(last=False)
            seen = self._outputs[task] = deque(maxlen=_KEPT)
        seen.append(tokens)
        self._outputs.move_to_end(task)

    def learn(self, target: Target, label: str | None, usage: Usage, estimate: int) -> None:
        """Note an answered request: its usage, and what was estimated for its input (tokens, uncorrected)."""
        if usage.output_tokens:  # none are written where texts are only embedded
            self._learn_output((target, label), usage.output_tokens)
        if usage.input_tokens and estimate:
            if len(self._ratios) >= _TASKS and target not in self._ratios:
                self._ratios.popitem(last=False)
            low, high = _RATIO_BOUNDS
            real = min(high, max(low, usage.input_tokens / estimate))
            known = self._ratios.get(target)
            self._ratios[target] = real if known is None else known + _LEARNING * (real - known)

    # --- what outlives a restart ---------------------------------------------------------------------

    def state(self) -> list[list[Any]]:
        """Return what is known as plain values."""
        return [
            [[*target, label, list(seen)] for (target, label), seen in self._outputs.items()],
            [[*target, ratio] for target, ratio in self._ratios.items()],
        ]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Take back what an earlier run knew. Raises `ValueError` or `TypeError` for what cannot be read."""
        outputs, ratios = state
        for provider_id, model_id, label, seen in outputs:
            for tokens in seen:
                self._learn_output((Target(provider_id, model_id), label), int(tokens))
        low, high = _RATIO_BOUNDS
        for provider_id, model_id, ratio in ratios:
            self._ratios[Target(provider_id, model_id)] = min(high, max(low, float(ratio)))
