"""Pictures on their way to an AI Task entity: handed over once, to nobody else, and gone afterwards."""

import asyncio
import io
from types import ModuleType
from typing import Any

import pytest
from homeassistant.components import media_source
from homeassistant.components.media_player import BrowseError
from homeassistant.core import HomeAssistant
from PIL import Image as PilImage
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.ai_router.ai_task_target import hand_out
from custom_components.ai_router.const import DOMAIN
from custom_components.ai_router.routing.failures import FailureClass
from custom_components.ai_router.routing.model import (
    Capability,
    Role,
)
from custom_components.ai_router.routing.refusals import RequestFailed
from tests.household import move_in

from .oracles import gone, photo, put, refused, request, said, target


async def test_a_picture_is_handed_over_ready_and_is_gone_afterwards(
    hass: HomeAssistant, oracle: ModuleType, hass_ws_client: WebSocketGenerator
) -> None:
    meddling: dict[str, Any] = {}

    async def look(task: Any) -> Any:
        """See what others could fetch while the call lasts."""
        (attachment,) = task.attachments
        where = attachment.media_content_id
        meddling["mode"] = attachment.path.stat().st_mode & 0o777
        await meddling["socket"].send_json_auto_id({"type": "media_source/resolve_media", "media_content_id": where})
        meddling["answer"] = await meddling["socket"].receive_json()
        with pytest.raises(media_source.Unresolvable):  # it was fetched once already
            await media_source.async_resolve_media(hass, where, None)
        return "red"

    oracle.DEEDS["Delphi"] = look
    entry = await move_in(hass, None, target(hass))
    meddling["socket"] = await hass_ws_client(hass)

    reply = await put(
        entry, request(said(Role.USER, photo(), "Which colour?"), needs=Capability.CHAT | Capability.VISION)
    )

    assert reply.text == "red"
    (path, mime, content) = oracle.PICTURES[0]
    with PilImage.open(io.BytesIO(content)) as seen:
        assert (seen.size, seen.format, dict(seen.getexif())) == ((50, 100), "JPEG", {})
    assert (mime, meddling["mode"]) == ("image/jpeg", 0o600)
    assert meddling["answer"]["success"] is False
    await gone(path)


async def test_a_picture_is_only_for_its_own_call(hass: HomeAssistant, oracle: ModuleType) -> None:
    """Even who knows the id, and before the entity has fetched it, gets nothing from outside."""
    asked = asyncio.Event()
    ids: list[str] = []
    resolve = media_source.async_resolve_media

    async def spy(hass: HomeAssistant, media_content_id: str, target: Any = None) -> Any:
        ids.append(media_content_id)
        asked.set()
        await asyncio.sleep(0)
        return await resolve(hass, media_content_id, target)

    entry = await move_in(hass, None, target(hass))
    seen = request(said(Role.USER, photo(), "Which colour?"), needs=Capability.CHAT | Capability.VISION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_source, "async_resolve_media", spy)
        asking = asyncio.create_task(put(entry, seen))
        await asked.wait()
        with pytest.raises(media_source.Unresolvable):
            await resolve(hass, ids[0], None)
        assert hand_out(ids[0].rpartition("/")[2]) is None
        await asking
    assert oracle.PICTURES


async def test_a_picture_that_nobody_fetched_is_gone_with_the_call(hass: HomeAssistant, oracle: ModuleType) -> None:
    over = asyncio.Event()
    late: list[asyncio.Task[Any]] = []
    resolve = media_source.async_resolve_media

    async def fetch_later(media_content_id: str) -> Any:
        await over.wait()
        return await resolve(hass, media_content_id, None)

    async def leave(hass: HomeAssistant, media_content_id: str, target: Any = None) -> Any:
        # What is begun from within the call is in its context.
        late.append(asyncio.create_task(fetch_later(media_content_id)))
        raise media_source.Unresolvable("not now")

    entry = await move_in(hass, None, target(hass, attempts=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_source, "async_resolve_media", leave)
        seen = request(said(Role.USER, photo(), "Which colour?"), needs=Capability.CHAT | Capability.VISION)
        with pytest.raises(RequestFailed):
            await put(entry, seen)
    over.set()

    assert late
    for task in late:
        with pytest.raises(media_source.Unresolvable):
            await task


async def test_there_is_nothing_to_browse(hass: HomeAssistant, oracle: ModuleType) -> None:
    await move_in(hass, None)
    with pytest.raises(BrowseError):
        await media_source.async_browse_media(hass, f"media-source://{DOMAIN}")


async def test_several_pictures_keep_their_turns(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass))
    asked = request(
        said(Role.USER, photo(), "And this?"),
        said(Role.ASSISTANT, "Red."),
        said(Role.USER, photo(), photo(), "And these?"),
        needs=Capability.CHAT | Capability.VISION,
    )
    await put(entry, asked)

    (task,) = oracle.TASKS["Delphi"]
    assert task.instructions == (
        "User: [picture 1]\nAnd this?\n\nAssistant: Red.\n\nUser: [picture 2]\n[picture 3]\nAnd these?"
    )
    assert len({attachment.path for attachment in task.attachments}) == 3


async def test_an_entity_that_has_lost_its_sight_gets_no_picture(hass: HomeAssistant, oracle: ModuleType) -> None:
    entry = await move_in(hass, None, target(hass, "ai_task.dodona"))
    asked = request(said(Role.USER, photo(), "Which colour?"), needs=Capability.CHAT | Capability.VISION)

    assert await refused(entry, asked) is FailureClass.CAPABILITY
    assert not oracle.TASKS
