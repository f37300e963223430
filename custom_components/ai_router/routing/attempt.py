"""One try on one target: its timers, its events, and what came of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from math import isfinite

from .call import (
    Alive,
    Call,
    Event,
    Finish,
    Finished,
    Opened,
    RateWindow,
    Rethought,
    TextDelta,
    ThinkingDelta,
    ToolCallDone,
    Usage,
    UsageTotal,
    Vector,
    Vectors,
)
from .failures import AttemptFailed, Billed, Failure, FailureClass, FailureScope, Phase
from .model import Op, Part, Text, Thinking, ToolCall
from .money import Picodollars
from .ports import Clock, Provider
from .tokens import output_estimate
from .watch import Watch


class Trial:
    """Runs a call and keeps what arrives. Times are monotonic seconds."""

    __slots__ = (
        "_bytes",
        "_call",
        "_client",
        "_clock",
        "_deltas",
        "_hurried",
        "_left_alone",
        "_opaque",
        "_pace",
        "_texts",
        "_thoughts",
        "_tools",
        "_watch",
        "aborted",
        "cost",
        "finish",
        "first_content",
        "phase",
        "rates",
        "usage",
        "vectors",
    )

    def __init__(
        self,
        client: Provider,
        call: Call,
        clock: Clock,
        pace: Callable[[], float],
        left_alone: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; nothing is sent before `events` is iterated.

        `pace` says how long (seconds) the next portion of a batch has to wait, and counts it where that is 0.
        `left_alone` is called if the attempt's time is over, or it is aborted, while nobody waits for its next event.
        """
        self._client = client
        self._call = call
        self._clock = clock
        self._pace = pace
        self._left_alone = left_alone
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._opaque: list[object] = []
        self._tools: list[ToolCall] = []
        self._bytes = 0
        self._deltas = 0
        self._watch: Watch | None = None
        self.aborted = False
        self._hurried = False
        self.phase = Phase.UNSENT
        self.usage: Usage | None = None
        self.cost: Picodollars | None = None
        self.finish: Finish | None = None
        self.first_content: float | None = None
        self.rates: tuple[RateWindow, ...] = ()
        self.vectors: list[Vector] = []

    async def events(self, first_by: float, hurry_by: float, end_by: float, deadline: float) -> AsyncGenerator[Event]:
        """Send the call and yield its events until the terminator; signs of life are not passed on.

        `first_by` is when a silent server must have given the first content; one that shows signs of life may take
        longer. `hurry_by` is when the caller wants it whatever the server does, `end_by` when all must be there,
        `deadline` when the request's own time is over.
        Raises `AttemptFailed`, also for an answer that ends without its terminator or says nothing.
        """
        if self.aborted:
            raise AttemptFailed(self._late(end_by, deadline))
        self.phase = Phase.SENT
        idle = self._call.timeouts.idle
        patient = min(first_by, end_by)
        limit = min(patient, hurry_by)
        self._hurried = hurry_by < patient
        watch = self._watch = Watch(end_by, self._left_alone)
        try:
            async with aclosing(self._client.attempt(self._call)) as stream:
                while not self.aborted:
                    event = await watch.until(limit, anext(stream))
                    self._keep(event)
                    if isinstance(event, Vectors) and len(self.vectors) < len(self._call.messages):
                        await self._next_portion(watch, end_by)
                    if not isinstance(event, Alive):
                        yield event
                    # Only now: how long the reader was away is no silence of the server's.
                    if self.first_content is not None:
                        limit = min(self._clock.monotonic() + idle, end_by)
                    elif isinstance(event, Alive):
                        patient = min(max(patient, self._clock.monotonic() + idle), end_by)
                        limit = min(patient, hurry_by)
                        self._hurried = hurry_by < patient
        except StopAsyncIteration:
            self._judge()
            return
        except TimeoutError:
            raise AttemptFailed(self._late(end_by, deadline)) from None
        finally:
            watch.close()
            self._watch = None
        raise AttemptFailed(self._late(end_by, deadline))

    async def _next_portion(self, watch: Watch, end_by: float) -> None:
        """Wait until the provider may get the next texts of a batch: it is asked for them when it is iterated on."""
        while (wait := self._pace()) > 0:
            now = self._clock.monotonic()
            if now + wait >= end_by:
                detail = "its limit of requests leaves no time for the rest of the texts"
                raise AttemptFailed(
                    Failure(FailureClass.TIMEOUT_TOTAL, self.phase, detail, FailureScope.REQUEST, billed=Billed.PARTIAL)
                )
            await watch.until(end_by, asyncio.sleep(wait))

    def abort(self) -> None:
        """End the attempt at once, from outside, without cancelling whoever waits for it."""
        self.aborted = True
        if self._watch is not None:
            self._watch.ring()

    def _keep(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._texts.append(text)
                self._content(text)
            case ThinkingDelta(text, opaque):
                self._thoughts.append(text)
                if opaque is not None:
                    self._opaque.append(opaque)
                self._content(text)
            case Rethought():
                self._thoughts += self._texts
                self._texts.clear()
            case ToolCallDone(call):
                self._tools.append(call)
                self._content(str(call.arguments))
            case Vectors(vectors):
                self._began()
                self._take(vectors)
            case UsageTotal(usage, cost):
                self.usage, self.cost = usage, cost
            case Opened(rates):
                self.rates = rates
            case Finished(reason):
                self.finish = reason

    def _content(self, text: str) -> None:
        self._bytes += len(text.encode(errors="surrogatepass"))
        self._deltas += 1
        self._began()

    def _began(self) -> None:
        if self.first_content is None:
            self.first_content = self._clock.monotonic()
            self.phase = Phase.STREAMING

    def _late(self, end_by: float, deadline: float) -> Failure:
        if self.aborted:
            return Failure(FailureClass.CANCELLED, self.phase, "stopped", billed=Billed.PARTIAL)
        if self._clock.monotonic() >= end_by:
            over = end_by >= deadline
            return Failure(
                FailureClass.TIMEOUT_TOTAL,
                self.phase,
                "the request's time was over" if over else "it took longer than this provider may",
                FailureScope.REQUEST if over else FailureScope.TARGET,
                billed=Billed.PARTIAL,
            )
        if self.first_content is not None:
            return Failure(FailureClass.TIMEOUT_IDLE, self.phase, "went silent in the middle", billed=Billed.PARTIAL)
        return Failure(
            FailureClass.TIMEOUT_FIRST_TOKEN,
            self.phase,
            "no answer in time",
            # A caller in a hurry says nothing about the target.
            FailureScope.REQUEST if self._hurried else FailureScope.TARGET,
            billed=Billed.PARTIAL,
        )

    def _judge(self) -> None:
        if self.finish is None:
            raise AttemptFailed(
                Failure(FailureClass.STREAM_CUT, self.phase, "ended without a terminator", billed=Billed.PARTIAL)
            )
        if self._call.op is Op.EMBED:
            self._judge_vectors()
            return
        if self._tools or any(text.strip() for text in self._texts):
            return
        if self.finish is Finish.FILTERED:
            raise AttemptFailed(
                Failure(
                    FailureClass.CONTENT_POLICY,
                    self.phase,
                    "the provider refused to answer",
                    FailureScope.REQUEST,
                    billed=Billed.PARTIAL,
                )
            )
        detail = "an empty answer" if self.finish is not Finish.LENGTH else "thinking used up all output tokens"
        raise AttemptFailed(Failure(FailureClass.EMPTY, self.phase, detail, billed=Billed.PARTIAL))

    def _take(self, vectors: tuple[Vector, ...]) -> None:
        """Keep vectors: one for each text and no more, all of one size, all of numbers."""
        self.vectors.extend(vectors)
        texts, sizes = len(self._call.messages), {len(vector) for vector in self.vectors}
        if len(self.vectors) > texts:
            raise self._invalid(f"more vectors than the {texts} texts")
        if len(sizes) > 1 or 0 in sizes:
            raise self._invalid(f"vectors of {' and '.join(map(str, sorted(sizes)))} numbers")
        if not all(isfinite(sum(vector)) for vector in vectors):
            raise self._invalid("a vector of which not all are numbers")

    def _judge_vectors(self) -> None:
        if len(self.vectors) < len(self._call.messages):
            raise self._invalid(f"{len(self.vectors)} vectors for {len(self._call.messages)} texts")

    def _invalid(self, detail: str) -> AttemptFailed:
        return AttemptFailed(Failure(FailureClass.INVALID_ANSWER, self.phase, detail, billed=Billed.PARTIAL))

    def parts(self) -> tuple[Part, ...]:
        """Return what the answer is made of."""
        parts: list[Part] = []
        if self._thoughts or self._opaque:
            parts.append(Thinking("".join(self._thoughts), tuple(self._opaque), self._call.target))
        if self._texts:
            parts.append(Text("".join(self._texts)))
        parts.extend(self._tools)
        return tuple(parts)

    def filled(self, told: Usage, input_tokens: int) -> Usage:
        """Return what was told, with our own count where nothing was: something was read, and what came was written.

        A count of nothing is one that was not told, or that made no sense.
        """
        seen = self.seen(input_tokens)
        if not told.input_tokens:
            told = told._replace(fresh_in=seen.fresh_in)
        return told if told.output_tokens else told._replace(text_out=seen.text_out)

    def seen(self, input_tokens: int) -> Usage:
        """Count what arrived ourselves, for answers whose usage was not told."""
        return Usage(fresh_in=input_tokens, text_out=output_estimate(self._bytes, self._deltas))
