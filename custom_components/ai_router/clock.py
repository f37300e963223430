"""The house's clocks as the core wants them."""

import asyncio
import time


class SystemClock:
    """Monotonic time is the running event loop's own, so that timers and timestamps agree."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Follow a loop."""
        self.monotonic = loop.time
        self.now = time.time
