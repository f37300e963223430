"""The ground the end-to-end tests stand on: Home Assistant itself, its users, the camera, restart and power cut."""

import pytest
from household import picture
from household.client import Refused
from household.house import House


async def test_it_is_the_version_we_test_against(house: House) -> None:
    status, config = await house.rest("GET", "/api/config")

    assert (status, config["version"], config["state"]) == (200, "2026.11.0", "RUNNING")
    assert not config["recovery_mode"]


async def test_the_camera_serves_a_jpeg_that_tells_where_it_was_taken(house: House, camera: str) -> None:
    status, content_type, content = await house.download(f"/api/camera_proxy/{camera}")

    assert (status, content_type) == (200, "image/jpeg")
    position = picture.position(content)
    assert (position[1], position[2]) == ("N", picture.LATITUDE)
    assert (position[3], position[4]) == ("E", picture.LONGITUDE)
    assert b"DC-000042" in content


async def test_the_reader_may_look_but_change_nothing(house: House, camera: str) -> None:
    assert (await house.reader.state(camera)) is not None

    status, _ = await house.reader.service("camera", "turn_off", {"entity_id": camera}, response=False)

    assert status == 401
    with pytest.raises(Refused, match="unauthorized"):
        await house.reader.ws("config/auth/list")


async def test_events_of_the_bus_are_heard(house: House) -> None:
    async with house.events("somebody_rang") as heard:
        await house.rest("POST", "/api/events/somebody_rang", {"door": "front"})

        assert (await heard.get())["data"] == {"door": "front"}


async def test_a_restart_keeps_users_and_camera(house: House, camera: str) -> None:
    await house.restart()

    assert (await house.until(camera, "idle"))["entity_id"] == camera
    assert (await house.reader.state(camera)) is not None


async def test_a_power_cut_keeps_users_and_camera(house: House, camera: str) -> None:
    await house.kill()
    await house.restart()

    assert (await house.until(camera, "idle"))["entity_id"] == camera
    assert (await house.reader.state(camera)) is not None
