"""AI Task entities of another integration as providers, and what they are asked."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from PIL import Image as PilImage
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.ai_router.const import SUBENTRY_PROVIDER, Conf
from custom_components.ai_router.pictures import prepare
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import (
    Capability,
    Image,
    Message,
    Model,
    Role,
    Text,
)
from custom_components.ai_router.routing.outcome import Reply
from custom_components.ai_router.routing.refusals import RequestFailed
from custom_components.ai_router.routing.request import Caller, Request
from custom_components.ai_router.stored_models import CALL_PRICE, model_to_stored
from tests.household import subentry

DELPHI = "01DELPHI"
BLIND, SEEING, IDLE = 1, 3, 4
SEES = Capability.CHAT | Capability.STRUCTURED | Capability.VISION


def stored_id(hass: HomeAssistant, entity_id: str) -> str:
    entry = er.async_get(hass).async_get(entity_id)
    assert entry is not None
    return entry.id


def target(
    hass: HomeAssistant,
    entity_id: str = "ai_task.delphi",
    *,
    price: str | None = "0.02",
    caps: Capability = SEES,
    local: bool = False,
    **settings: Any,
) -> ConfigSubentry:
    own = None if price is None else {CALL_PRICE: price}
    data = {
        Conf.KIND.value: "ai_task",
        Conf.OPTIONS.value: {"entity": stored_id(hass, entity_id), "local": local},
        Conf.MODELS.value: [model_to_stored(Model(entity_id, caps, local=local, told=SEES), own=own)],
        **settings,
    }
    return subentry(DELPHI, SUBENTRY_PROVIDER, "Delphi", **data)


def said(role: Role, *parts: Any) -> Message:
    return Message(role, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def request(*messages: Message | str, **more: Any) -> Request:
    whole = tuple(said(Role.USER, each) if isinstance(each, str) else each for each in messages)
    return Request(id="asked", caller=Caller(), messages=whole, **more)


async def put(entry: MockConfigEntry, asked: Request) -> Reply:
    reply: Reply = await entry.runtime_data.router.process(asked)
    return reply


async def refused(entry: MockConfigEntry, asked: Request) -> FailureClass:
    with pytest.raises(RequestFailed) as err:
        await put(entry, asked)
    failure = err.value.attempts[0].outcome.failure
    assert failure is not None
    return failure.cls


def photo() -> Image:
    """A picture that lay on its side, with a place in it."""
    picture = PilImage.new("RGB", (400, 200), "red")
    exif = PilImage.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 15.0)
    raw = io.BytesIO()
    picture.save(raw, "JPEG", exif=exif)
    return prepare(raw.getvalue(), 100)


async def gone(path: Path) -> None:
    """Wait until another thread has deleted a file."""
    async with asyncio.timeout(10):
        while path.exists():  # noqa: ASYNC110, ASYNC240 - a file tells nobody when it goes, and asking takes no time
            await asyncio.sleep(0.01)
