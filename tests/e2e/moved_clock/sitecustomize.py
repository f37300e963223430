"""Give the process that starts with this folder on its path the wall clock that a file names, and that a test moves.

The monotonic clock stays the machine's, as it does when a real clock is set.
"""

import os
import threading
import time
from datetime import datetime
from pathlib import Path

import time_machine

_FILE = Path(os.environ["MOVED_CLOCK"])
_LOOK_SECONDS = 0.05


def _follow(traveller: time_machine.Traveller, last: str) -> None:
    while True:
        time.sleep(_LOOK_SECONDS)
        if (wanted := _FILE.read_text(encoding="utf-8")) != last:
            traveller.move_to(datetime.fromisoformat(wanted))
            last = wanted


_START = _FILE.read_text(encoding="utf-8")
_traveller = time_machine.travel(datetime.fromisoformat(_START), tick=True).start()
threading.Thread(target=_follow, args=(_traveller, _START), daemon=True).start()
