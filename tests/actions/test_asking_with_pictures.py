"""Pictures from media pickers, files and addresses: what may be sent along, and what rules know of it."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, override

import pytest
from aiohttp import web
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.media_source import MediaSource, MediaSourceItem, PlayMedia
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    MockUser,
    mock_integration,
    mock_platform,
    setup_test_component_platform,
)

from custom_components.ai_router import pictures, pictures_of_media
from custom_components.ai_router.pictures_of_media import file_source
from custom_components.ai_router.providers.demo import VISION_MODEL
from custom_components.ai_router.routing.model import Capability, Model
from custom_components.ai_router.stored_models import model_to_stored
from tests.cameras import FakeCamera, gives
from tests.drawing import halves, saved
from tests.household import ATTIC, CLOUD, demo, move_in, subentry

from .calling import asked, call
from .test_asking import RULE

EYES = [model_to_stored(Model(VISION_MODEL, Capability.CHAT | Capability.VISION), "0", "0")]
LOCAL_EYES = [model_to_stored(Model(VISION_MODEL, Capability.CHAT | Capability.VISION, local=True), "0", "0")]
PICTURE = saved(halves())


@pytest.fixture
async def entry(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> MockConfigEntry:
    setup_test_component_platform(hass, "camera", [FakeCamera("Door", gives(PICTURE))])
    assert await async_setup_component(hass, "camera", {"camera": {"platform": "test"}})
    return await move_in(
        hass,
        freezer,
        demo(CLOUD, "Cloud", options={"latency": 0}, models=EYES, priority=5),
        demo(ATTIC, "Attic", options={"latency": 0}, models=LOCAL_EYES),
    )


@pytest.fixture
def folder(hass: HomeAssistant, tmp_path: Path) -> Path:
    """A folder that Home Assistant may read."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    hass.config.allowlist_external_dirs = {str(folder)}
    (folder / "door.jpg").write_bytes(PICTURE)
    return folder


# --- files -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("entry")
async def test_a_file_in_an_allowed_folder_is_sent_along(hass: HomeAssistant, folder: Path) -> None:
    reply = await call(hass, "process", prompt="What is it?", files=str(folder / "door.jpg"))

    assert (reply["model"], reply["usage"]["images"]) == (VISION_MODEL, 1)


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    "name", ["../secret.jpg", "link.jpg", "/etc/hostname", "../allowed/../secret.jpg", "in\0ner/a.jpg"]
)
async def test_no_other_file_is_read(hass: HomeAssistant, folder: Path, name: str) -> None:
    (folder.parent / "secret.jpg").write_bytes(PICTURE)
    (folder / "link.jpg").symlink_to(folder.parent / "secret.jpg")

    with pytest.raises(ServiceValidationError) as refused:
        await call(hass, "process", prompt="What is it?", files=str(folder / name))

    assert refused.value.translation_key == "path_not_allowed"


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("none.jpg", "picture_failed"),
        ("no\0ne.jpg", "picture_failed"),
        (f"{'n' * 300}.jpg", "picture_failed"),
        ("pipe", "picture_not_readable"),
        ("inner", "picture_not_readable"),
        ("text.jpg", "picture_not_readable"),
        ("large.jpg", "picture_too_large"),
    ],
)
async def test_what_is_no_picture_is_said_to_be_none(
    hass: HomeAssistant, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "inner").mkdir()
    (folder / "text.jpg").write_text("no picture")
    (folder / "large.jpg").write_bytes(bytes(2_000))
    for module in (pictures, pictures_of_media):
        monkeypatch.setattr(module, "MAX_BYTES", 1_000)

    async with asyncio.timeout(5):
        returned = await call(hass, "process", prompt="What is it?", files=[str(folder / name)], on_error="return")

    assert returned["error"]["code"] == key


# --- addresses -----------------------------------------------------------------------------------------


class Web:
    """A web server with pictures."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""
        self.port = 0
        self.end = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        match request.path:
            case "/redirect.jpg":
                raise web.HTTPFound("/door.jpg")
            case "/none.jpg":
                raise web.HTTPNotFound
            case "/never.jpg":
                await self.end.wait()
            case "/large.jpg":
                return web.Response(body=bytes(2_000_000))
        return web.Response(body=PICTURE)


@pytest.fixture
async def server(socket_enabled: None) -> AsyncGenerator[Web]:
    server = Web()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{server.port}"
    yield server
    server.end.set()
    await runner.cleanup()


@pytest.mark.usefixtures("entry")
async def test_a_picture_is_fetched_from_an_allowed_address(hass: HomeAssistant, server: Web) -> None:
    hass.config.allowlist_external_urls = {f"{server.url}/"}

    reply = await call(hass, "process", prompt="What is it?", files=[f"{server.url}/door.jpg?size=1"])

    assert reply["usage"]["images"] == 1
    assert server.asked == ["/door.jpg?size=1"]


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("{url}/other.jpg", "url_not_allowed"),
        ("http://user:sesame@127.0.0.1/allowed/door.jpg", "url_not_usable"),
        ("http://169.254.169.254/latest", "url_never_asked"),
        ("http://", "url_not_usable"),
        ("http://[::1/x", "url_not_usable"),
    ],
)
async def test_no_other_address_is_asked(hass: HomeAssistant, server: Web, place: str, key: str) -> None:
    hass.config.allowlist_external_urls = {f"{server.url}/allowed/", "http://169.254.169.254/"}

    returned = await call(
        hass, "process", prompt="What is it?", files=[place.format(url=server.url)], on_error="return"
    )

    assert returned["error"]["code"] == key
    assert "sesame" not in returned["error"]["message"]
    assert not server.asked


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize(
    ("path", "told"),
    [("redirect.jpg", "HTTP 302"), ("none.jpg", "HTTP 404"), ("large.jpg", "larger than")],
)
async def test_what_an_address_gives_is_bounded_and_not_followed(
    hass: HomeAssistant, server: Web, monkeypatch: pytest.MonkeyPatch, path: str, told: str
) -> None:
    hass.config.allowlist_external_urls = {f"{server.url}/"}
    monkeypatch.setattr(pictures_of_media, "MAX_BYTES", 1_000_000)

    returned = await call(
        hass, "process", prompt="What is it?", files=[f"{server.url}/{path}?token=sesame"], on_error="return"
    )

    assert told in returned["error"]["message"]
    assert "sesame" not in str(returned)
    assert len(server.asked) == 1


async def test_an_address_is_not_waited_for_for_ever(
    hass: HomeAssistant, server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    hass.config.allowlist_external_urls = {f"{server.url}/"}
    monkeypatch.setattr(pictures_of_media, "_SECONDS", 0.2)

    with pytest.raises(HomeAssistantError) as refused:
        await file_source(hass, f"{server.url}/never.jpg", local_only=False).fetch()

    assert refused.value.translation_key == "picture_failed"


@pytest.mark.usefixtures("entry")
async def test_a_server_that_is_not_there(hass: HomeAssistant, socket_enabled: None) -> None:
    hass.config.allowlist_external_urls = {"http://127.0.0.1:9/"}

    with pytest.raises(HomeAssistantError) as refused:
        await call(hass, "process", prompt="What is it?", files=["http://127.0.0.1:9/door.jpg"])

    assert refused.value.translation_key == "picture_failed"


@pytest.mark.usefixtures("entry")
async def test_a_name_of_the_internet_never_leads_into_the_house(
    hass: HomeAssistant, server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def lead_home(host: Any, *args: Any, **kwargs: Any) -> Any:
        places = {"pictures.example.com": "127.0.0.1", "nas.local": "127.0.0.1", "cloud.local": "169.254.169.254"}
        return real(places.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lead_home)
    public, home = (f"http://{host}:{server.port}" for host in ("pictures.example.com", "nas.local"))
    hass.config.allowlist_external_urls = {f"{public}/", f"{home}/"}

    with pytest.raises(HomeAssistantError):
        await call(hass, "process", prompt="What is it?", files=[f"{public}/door.jpg"])
    assert not server.asked

    # A name of the house may lead there, but to no cloud's metadata service.
    cloud = f"http://cloud.local:{server.port}"
    hass.config.allowlist_external_urls.add(f"{cloud}/")
    with pytest.raises(HomeAssistantError):
        await call(hass, "process", prompt="What is it?", files=[f"{cloud}/door.jpg"])

    # A name of the house is meant to lead there, once it is listed.
    assert (await call(hass, "process", prompt="What is it?", files=[f"{home}/door.jpg"]))["usage"]["images"] == 1


@pytest.mark.usefixtures("entry")
async def test_a_request_that_stays_in_the_house_fetches_from_the_house_only(hass: HomeAssistant, server: Web) -> None:
    hass.config.allowlist_external_urls = {"https://pictures.example.com/", f"{server.url}/"}

    with pytest.raises(ServiceValidationError) as refused:
        await call(
            hass, "process", prompt="What is it?", files=["https://pictures.example.com/door.jpg"], local_only=True
        )
    assert refused.value.translation_key == "url_not_local"

    reply = await call(hass, "process", prompt="What is it?", files=[f"{server.url}/door.jpg"], local_only=True)
    assert (reply["provider"], reply["usage"]["images"]) == ("Attic", 1)


# --- media -----------------------------------------------------------------------------------------------


def medium(content_id: str) -> dict[str, Any]:
    return {"media_content_id": content_id, "media_content_type": "image/jpeg", "metadata": {"title": "x"}}


@pytest.fixture
async def library(hass: HomeAssistant, tmp_path: Path) -> Path:
    library = tmp_path / "library"
    library.mkdir()
    (library / "cat.jpg").write_bytes(PICTURE)
    hass.config.media_dirs = {"local": str(library)}
    assert await async_setup_component(hass, "media_source", {})
    return library


@pytest.mark.usefixtures("entry", "library")
async def test_local_media_are_sent_along(hass: HomeAssistant) -> None:
    reply = await call(
        hass, "process", prompt="What is it?", media=[medium("media-source://media_source/local/cat.jpg")]
    )

    assert reply["usage"]["images"] == 1


@pytest.mark.usefixtures("entry", "library")
@pytest.mark.parametrize(
    "content_id",
    [
        "media-source://media_source/local/dog.jpg",
        "media-source://media_source/local/../door.jpg",
        "media-source://nobody/x",
    ],
)
async def test_media_that_are_not_there(hass: HomeAssistant, content_id: str) -> None:
    returned = await call(hass, "process", prompt="What is it?", media=[medium(content_id)], on_error="return")

    assert returned["error"]["code"] == "picture_failed"


@pytest.mark.usefixtures("entry", "library")
@pytest.mark.parametrize(
    ("field", "place", "named"),
    [
        ("media", "nonsense", "nonsense"),
        ("media", "http://user:sesame@10.0.0.1/door.jpg?key=sesame", "http://…"),
        ("files", "ftp://user:sesame@10.0.0.1/door.jpg", "ftp://…"),
    ],
)
async def test_what_is_of_nowhere_is_told_without_its_address(
    hass: HomeAssistant, field: str, place: str, named: str
) -> None:
    data = {field: [medium(place) if field == "media" else place]}

    returned = await call(hass, "process", prompt="What is it?", on_error="return", **data)

    assert returned["error"]["code"] == {"media": "media_not_local", "files": "path_not_allowed"}[field]
    assert named in returned["error"]["message"]
    assert "sesame" not in str(returned)


class Elsewhere(MediaSource):
    """A source whose media are not files of the house, or that is broken."""

    name = "Elsewhere"

    @override
    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        if item.identifier == "broken":
            raise ValueError("http://user:sesame@10.0.0.1/")
        return PlayMedia("https://pictures.example.com/cat.jpg", "image/jpeg")


async def get_elsewhere(_: HomeAssistant) -> MediaSource:
    return Elsewhere("elsewhere")


@pytest.mark.usefixtures("entry", "library")
@pytest.mark.parametrize(("name", "key"), [("cat.jpg", "media_not_local"), ("broken", "picture_failed")])
async def test_media_that_are_no_files_of_the_house(hass: HomeAssistant, name: str, key: str) -> None:
    mock_integration(hass, MockModule("elsewhere"))
    mock_platform(hass, "elsewhere.media_source", SimpleNamespace(async_get_media_source=get_elsewhere))
    assert await async_setup_component(hass, "elsewhere", {})

    returned = await call(
        hass, "process", prompt="What is it?", media=[medium(f"media-source://elsewhere/{name}")], on_error="return"
    )

    assert returned["error"]["code"] == key
    assert "sesame" not in str(returned)


@pytest.mark.usefixtures("entry")
async def test_a_house_without_media(hass: HomeAssistant) -> None:
    assert "media_source" not in hass.config.components

    returned = await call(
        hass,
        "process",
        prompt="What is it?",
        media=[medium("media-source://media_source/local/cat.jpg")],
        on_error="return",
    )

    assert returned["error"]["code"] == "picture_failed"


async def test_a_camera_among_media_needs_the_right_to_it(
    hass: HomeAssistant, entry: MockConfigEntry, hass_read_only_user: MockUser, hass_admin_user: MockUser
) -> None:
    camera = medium("media-source://camera/camera.door")
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {"camera.other": True}}})

    with pytest.raises(Unauthorized):
        await call(hass, "process", hass_read_only_user, prompt="What is it?", media=[camera])

    reply = await call(hass, "process", hass_admin_user, prompt="What is it?", media=camera)
    assert reply["usage"]["images"] == 1


# --- what rules know of it -----------------------------------------------------------------------------


@pytest.mark.parametrize("data", [{"images": "camera.door"}, {"media": [medium("media-source://camera/camera.door")]}])
async def test_a_request_bears_its_entities_and_their_areas(
    hass: HomeAssistant, entry: MockConfigEntry, data: dict[str, Any]
) -> None:
    registered = er.async_get(hass).async_get("camera.door")
    assert registered is not None
    area = ar.async_get(hass).async_create("Porch")
    assert (await asked(hass, entry, **data)).areas == ()

    er.async_get(hass).async_update_entity("camera.door", area_id=area.id)

    request = await asked(hass, entry, **data)
    assert (request.entities, request.areas) == (("camera.door", registered.id), (area.id,))

    device = dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, identifiers={("x", "camera")})
    er.async_get(hass).async_update_entity("camera.door", area_id=None, device_id=device.id)
    assert (await asked(hass, entry, **data)).areas == ()
    dr.async_get(hass).async_update_device(device.id, area_id=area.id)
    assert (await asked(hass, entry, **data)).areas == (area.id,)


async def test_a_camera_that_stays_in_the_house_does_so_also_from_the_cache(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    data = {"prompt": "What is it?", "images": "camera.door", "cache": "use"}
    assert (await call(hass, "process", **data))["provider"] == "Cloud"
    assert (await call(hass, "process", **data))["cached"]
    registered = er.async_get(hass).async_get("camera.door")
    assert registered is not None

    rule = subentry(RULE, "rule", "Door", when={"entities": [registered.id]}, local_only=True)
    hass.config_entries.async_add_subentry(entry, rule)
    await hass.async_block_till_done()

    reply = await call(hass, "process", **data)
    assert (reply["provider"], reply["cached"], reply["route"]["rule"]) == ("Attic", False, "Door")
    er.async_get(hass).async_update_entity("camera.door", new_entity_id="camera.porch")
    await hass.async_block_till_done()
    reply = await call(hass, "process", **{**data, "images": "camera.porch", "cache": "bypass"})
    assert (reply["provider"], reply["route"]["rule"]) == ("Attic", "Door")


async def test_pictures_are_as_large_as_the_household_wants(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    async def width() -> int:
        request = await asked(hass, entry, images="camera.door")
        return int(request.messages[0].parts[0].width)  # type: ignore[union-attr] # the picture comes first

    assert await width() == 400

    hass.config_entries.async_update_entry(entry, options={"picture_size": 256})
    await hass.async_block_till_done()

    assert await width() == 256
