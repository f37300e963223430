"""Boots a fresh household, lets it ask about a text and about a picture, and says what came back."""

import tempfile
from pathlib import Path
from typing import Any

from .client import Refused
from .forms import FlowFailed
from .furnish import FIRST, LABEL, SECOND, Say, furnish
from .house import House, opened


class CheckFailed(Exception):
    """The household answers, but not as it should."""


async def check(components: Path, say: Say) -> None:
    """Route one text and one picture request. Raises CheckFailed, or what went wrong on the way."""
    with tempfile.TemporaryDirectory(prefix="ai-router-check-") as folder:
        say("booting Home Assistant in a fresh folder")
        async with opened(Path(folder), components) as house:
            try:
                await _ask(house, say)
            except (CheckFailed, FlowFailed, Refused) as err:
                raise CheckFailed(f"{err}\nThe end of Home Assistant's log:\n{house.home_assistant.log_end()}") from err
        _look_for_errors(house.log())


async def _ask(house: House, say: Say) -> None:
    await furnish(house, say)
    text = await house.process(prompt="Name three things to do on a rainy Sunday.", label="text")
    _report(say, "text", text)
    if text["attempts"][0]["provider"] != FIRST:
        raise CheckFailed(f"{FIRST} has the larger priority but was not asked first")
    (camera,) = (entity_id for entity_id in await house.states() if entity_id.startswith("camera."))
    vision = await house.process(prompt="What is at the door?", images=[camera], label=LABEL)
    _report(say, "picture", vision)
    if not vision["usage"]["images"]:
        raise CheckFailed(f"the picture was not sent: usage is {vision['usage']}")


def _report(say: Say, what: str, reply: dict[str, Any]) -> None:
    say(f"{what}: {reply['text']}")
    for attempt in reply["attempts"]:
        say(f"  {attempt['provider']} / {attempt['model']}: {attempt['outcome']}, {attempt['latency_ms']} ms")
    say(f"  {reply['provider']} answered for {reply['cost']['amount']:.8f} {reply['cost']['currency']}")
    if not reply["text"].strip():
        raise CheckFailed(f"the {what} request got an empty answer")
    if reply["provider"] != SECOND or reply["attempts"][-1]["provider"] != SECOND:
        raise CheckFailed(f"{SECOND} should answer, {FIRST} always fails")
    if not reply["cost"]["amount"] > 0:
        raise CheckFailed(f"the {what} request cost {reply['cost']}, though {SECOND} has a price")


def _look_for_errors(log: str) -> None:
    ours = [line for line in log.splitlines() if " ERROR " in line and "ai_router" in line]
    if ours:
        raise CheckFailed("Home Assistant's log has errors of ours:\n" + "\n".join(ours))
