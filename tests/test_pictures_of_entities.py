"""Tests of the pictures of cameras and image entities: who may see them, how they are fetched."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from PIL import Image as PilImage

from custom_components.ai_router import pictures
from custom_components.ai_router.pictures import collect, prepare
from custom_components.ai_router.routing.model import Image

from .cameras import DOOR, GARDEN, MAP, Answer, House, furnished, gives, raises
from .drawing import GREEN, halves, saved


@pytest.fixture
async def house(hass: HomeAssistant) -> House:
    return await furnished(hass)


async def test_pictures_come_in_the_order_asked_for(hass: HomeAssistant, house: House) -> None:
    late = asyncio.Event()

    async def slow() -> bytes:
        await late.wait()
        return saved(halves())

    async def quick() -> bytes:
        late.set()
        return saved(PilImage.new("RGB", (100, 100), GREEN))

    house.door.answer, house.garden.answer = slow, quick

    images = await collect(hass, Context(), [DOOR, MAP, GARDEN], max_edge=200)

    assert [(image.width, image.height) for image in images] == [(200, 100), (50, 80), (100, 100)]
    assert house.door.asked == [(None, None)]


async def test_no_pictures(hass: HomeAssistant) -> None:
    assert await collect(hass, Context(), [], max_edge=200) == ()


async def test_at_most_16(hass: HomeAssistant, house: House) -> None:
    assert len(await collect(hass, None, [DOOR] * 16, max_edge=64)) == 16

    with pytest.raises(ServiceValidationError) as caught:
        await collect(hass, None, [DOOR] * 17, max_edge=64)

    assert caught.value.translation_key == "too_many_pictures"
    assert caught.value.translation_placeholders == {"count": "17", "limit": "16"}
    assert len(house.door.asked) == 16


@pytest.mark.parametrize("entity_id", ["light.door", "media_player.tv", "camera", ""])
async def test_other_entities_are_refused(hass: HomeAssistant, house: House, entity_id: str) -> None:
    hass.states.async_set("light.door", "on")

    with pytest.raises(ServiceValidationError) as caught:
        await collect(hass, Context(), [DOOR, entity_id], max_edge=200)

    assert caught.value.translation_key in ("picture_not_supported_entity", "picture_not_found")
    assert caught.value.translation_placeholders == {"name": entity_id}
    assert house.door.asked == []


async def test_a_camera_that_does_not_exist(hass: HomeAssistant, house: House) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await collect(hass, Context(), [DOOR, "camera.attic"], max_edge=200)

    assert caught.value.translation_key == "picture_not_found"
    assert caught.value.translation_placeholders == {"name": "camera.attic"}
    assert house.door.asked == []


async def test_a_state_without_the_camera_component(hass: HomeAssistant) -> None:
    hass.states.async_set("camera.made_up", "idle")

    with pytest.raises(ServiceValidationError) as caught:
        await collect(hass, Context(), ["camera.made_up"], max_edge=200)

    assert caught.value.translation_key == "picture_not_found"


async def test_a_made_up_state_beside_real_cameras(hass: HomeAssistant, house: House) -> None:
    hass.states.async_set("camera.made_up", "idle")

    with pytest.raises(HomeAssistantError) as caught:
        await collect(hass, Context(), ["camera.made_up"], max_edge=200)

    assert caught.value.translation_key == "picture_failed"


async def test_a_removed_camera(hass: HomeAssistant, house: House) -> None:
    await house.garden.async_remove(force_remove=True)

    with pytest.raises(ServiceValidationError) as caught:
        await collect(hass, Context(), [GARDEN], max_edge=200)

    assert caught.value.translation_key == "picture_not_found"


async def failure_of(hass: HomeAssistant, entity_id: str) -> HomeAssistantError:
    """Return how asking for an entity's picture fails."""
    with pytest.raises(HomeAssistantError) as caught:
        await collect(hass, Context(), [entity_id], max_edge=200)
    return caught.value


async def test_an_unavailable_camera_is_not_asked(hass: HomeAssistant, house: House) -> None:
    house.garden._attr_available = False
    house.garden.async_write_ha_state()

    failure = await failure_of(hass, GARDEN)

    assert failure.translation_key == "picture_failed"
    assert failure.translation_placeholders == {"name": GARDEN, "reason": "unavailable"}
    assert house.garden.asked == []


async def test_a_camera_that_is_off(hass: HomeAssistant, house: House) -> None:
    house.garden._attr_is_on = False

    failure = await failure_of(hass, GARDEN)

    assert failure.translation_key == "picture_failed"
    assert failure.translation_placeholders is not None
    assert "off" in failure.translation_placeholders["reason"]


@pytest.mark.parametrize("entity_id", [DOOR, MAP])
@pytest.mark.parametrize("answer", [gives(None), gives(b""), raises(TimeoutError()), raises(HomeAssistantError("no"))])
async def test_an_entity_without_a_picture(hass: HomeAssistant, house: House, entity_id: str, answer: Answer) -> None:
    house.door.answer = house.map.answer = answer

    failure = await failure_of(hass, entity_id)

    assert failure.translation_key == "picture_failed"
    assert failure.translation_placeholders is not None
    assert failure.translation_placeholders["name"] == entity_id
    assert failure.translation_placeholders["reason"]


@pytest.mark.parametrize("entity_id", [DOOR, MAP])
async def test_a_platforms_own_error_does_not_show_its_text(hass: HomeAssistant, house: House, entity_id: str) -> None:
    house.door.answer = house.map.answer = raises(KeyError("rtsp://admin:hunter2@10.0.0.9"))

    failure = await failure_of(hass, entity_id)

    assert failure.translation_key == "picture_failed"
    assert failure.translation_placeholders == {"name": entity_id, "reason": "KeyError"}


@pytest.mark.parametrize("entity_id", [DOOR, MAP])
async def test_a_web_page_instead_of_a_picture(hass: HomeAssistant, house: House, entity_id: str) -> None:
    house.door.answer = house.map.answer = gives(b"<html>Please log in</html>")

    failure = await failure_of(hass, entity_id)

    assert failure.translation_key == "picture_not_readable"
    assert failure.translation_placeholders == {"name": entity_id}


async def test_one_failure_ends_all_and_leaves_nothing_behind(hass: HomeAssistant, house: House) -> None:
    stopped = asyncio.Event()

    async def never() -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return b""

    house.door.answer, house.garden.answer = never, raises(HomeAssistantError("dead"))

    with pytest.raises(HomeAssistantError) as caught:
        await collect(hass, Context(), [DOOR, GARDEN, MAP], max_edge=200)

    assert caught.value.translation_placeholders == {"name": GARDEN, "reason": "dead"}
    assert stopped.is_set()


@pytest.mark.parametrize("entity_id", [DOOR, MAP])
async def test_an_entity_that_takes_too_long_is_given_up(
    hass: HomeAssistant, house: House, monkeypatch: pytest.MonkeyPatch, entity_id: str
) -> None:
    async def slow() -> bytes:
        for _ in range(100):
            await asyncio.sleep(0)
        return saved(halves())

    house.door.answer = house.map.answer = slow
    assert len(await collect(hass, Context(), [entity_id], max_edge=200)) == 1
    monkeypatch.setattr(pictures, "_FETCH_TIMEOUT", 0)

    failure = await failure_of(hass, entity_id)

    assert failure.translation_key == "picture_failed"


@pytest.mark.parametrize("entity_id", [DOOR, MAP])
async def test_a_cancelled_request_ends_as_cancelled(hass: HomeAssistant, house: House, entity_id: str) -> None:
    asked = asyncio.Event()

    async def hang() -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    house.door.answer = house.map.answer = hang
    task = asyncio.create_task(collect(hass, Context(), [entity_id], max_edge=200))
    await asked.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


class Gate:
    """Stands in the way of the preparing threads and counts them."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, content: bytes, max_edge: int, name: str) -> Image:
        assert threading.current_thread() is not threading.main_thread()
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.open.wait()
        with self._lock:
            self.inside -= 1
        return prepare(content, max_edge, name)

    async def until_inside(self, count: int) -> None:
        """Wait until so many threads stand here."""
        while self.inside < count:  # noqa: ASYNC110 - threads come in here, and they set no asyncio.Event
            await asyncio.sleep(0.001)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(pictures, "prepare", gate)
    yield gate
    gate.open.set()


async def test_two_at_a_time_in_the_whole_house_and_off_the_loop(hass: HomeAssistant, house: House, gate: Gate) -> None:
    requests = [asyncio.create_task(collect(hass, None, [DOOR, GARDEN, MAP], max_edge=64)) for _ in range(4)]
    await gate.until_inside(2)
    for _ in range(20):
        await asyncio.sleep(0)
    assert gate.inside == 2
    gate.open.set()

    assert [len(images) for images in await asyncio.gather(*requests)] == [3] * 4
    assert gate.most == 2


async def test_cancelled_requests_do_not_pile_up_threads(
    hass: HomeAssistant, house: House, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    house.door.answer = gives(b"fails after everybody has left")
    for _ in range(3):
        task = asyncio.create_task(collect(hass, None, [DOOR, DOOR], max_edge=64))
        await gate.until_inside(2)
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert gate.most == 2
    gate.open.set()
    house.door.answer = gives(saved(halves()))
    assert len(await collect(hass, None, [DOOR, GARDEN], max_edge=64)) == 2
    assert caplog.text == ""
