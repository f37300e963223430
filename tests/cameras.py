"""Cameras and an image entity in a real Home Assistant that do what a test tells them."""

from collections.abc import Awaitable, Callable
from typing import override

from homeassistant.components.camera import Camera
from homeassistant.components.image import ImageEntity
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from PIL import Image as PilImage
from pytest_homeassistant_custom_component.common import setup_test_component_platform

from .drawing import BLUE, GREEN, halves, saved

DOOR = "camera.door"
GARDEN = "camera.garden"
MAP = "image.map"

type Answer = Callable[[], Awaitable[bytes | None]]


class FakeCamera(Camera):
    """A camera that does what a test tells it."""

    def __init__(self, name: str, answer: Answer) -> None:
        super().__init__()
        self._attr_name = name
        self._attr_unique_id = f"camera-{name}"
        self.answer = answer
        self.asked: list[tuple[int | None, int | None]] = []

    @override
    async def async_camera_image(self, width: int | None = None, height: int | None = None) -> bytes | None:
        self.asked.append((width, height))
        return await self.answer()


class FakeImage(ImageEntity):
    """An image entity that does what a test tells it."""

    def __init__(self, hass: HomeAssistant, name: str, answer: Answer) -> None:
        super().__init__(hass)
        self._attr_name = name
        self.answer = answer

    @override
    async def async_image(self) -> bytes | None:
        return await self.answer()


def gives(content: bytes | None) -> Answer:
    """Answer with these bytes."""

    async def answer() -> bytes | None:
        return content

    return answer


def raises(error: Exception) -> Answer:
    """Answer with an error."""

    async def answer() -> bytes | None:
        raise error

    return answer


class House:
    """Two cameras and an image entity, set up in a real Home Assistant."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.door = FakeCamera("Door", gives(saved(halves())))
        self.garden = FakeCamera("Garden", gives(saved(PilImage.new("RGB", (100, 100), GREEN), "PNG")))
        self.map = FakeImage(hass, "Map", gives(saved(PilImage.new("RGB", (50, 80), BLUE), "PNG")))


async def furnished(hass: HomeAssistant) -> House:
    """Set the house up."""
    house = House(hass)
    setup_test_component_platform(hass, "camera", [house.door, house.garden])
    setup_test_component_platform(hass, "image", [house.map])
    for domain in ("camera", "image"):
        assert await async_setup_component(hass, domain, {domain: {"platform": "test"}})
    await hass.async_block_till_done()
    return house
