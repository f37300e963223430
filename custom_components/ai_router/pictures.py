"""Pictures for a request: from camera and image entities to small, upright JPEGs without metadata."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from io import BytesIO
from typing import Final, NamedTuple

from homeassistant.auth.permissions.const import POLICY_READ
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.util.hass_dict import HassKey
from PIL import ExifTags, WebPImagePlugin
from PIL import Image as PilImage

from .const import DOMAIN
from .providers.registry import KINDS, Kind
from .routing.config import RouterConfig
from .routing.model import Capability, Image
from .routing.request import Request

MAX_PICTURES: Final = 16
MAX_BYTES: Final = 20_000_000
# By header, before anything is decoded. A JPEG is decoded at a fraction of its size, all others whole, for 300 MB at the
# most; a WebP in one go in which Pillow lets no other thread run, the event loop's neither: 30 ms for 4 megapixels.
MAX_PIXELS: Final = {"JPEG": 50_000_000, "MPO": 50_000_000, "WEBP": 4_000_000}
MAX_PIXELS_OF_OTHERS: Final = 16_000_000
MIME: Final = "image/jpeg"

_LIMITS: Final = {
    "jpeg": str(MAX_PIXELS["JPEG"] // 1_000_000),
    "webp": str(MAX_PIXELS["WEBP"] // 1_000_000),
    "others": str(MAX_PIXELS_OF_OTHERS // 1_000_000),
}
_CAMERA: Final = "camera"
_IMAGE: Final = "image"
_FETCH_TIMEOUT: Final = 10
_USUAL_EDGE: Final = 1_568
_QUALITY: Final = 85
_AT_ONCE: Final = 2
_SLOTS: HassKey[asyncio.Semaphore] = HassKey(f"{DOMAIN}_picture_slots")

# What cameras send, read by decoders that are well tested; TIFF, PDF, EPS and the like stay shut.
# WebP by its plugin: a format that is not loaded yet makes Pillow load all forty.
_FORMATS: Final = ("JPEG", "PNG", "GIF", "BMP", str(WebPImagePlugin.WebPImageFile.format))

_TO_UPRIGHT: Final = {
    2: PilImage.Transpose.FLIP_LEFT_RIGHT,
    3: PilImage.Transpose.ROTATE_180,
    4: PilImage.Transpose.FLIP_TOP_BOTTOM,
    5: PilImage.Transpose.TRANSPOSE,
    6: PilImage.Transpose.ROTATE_270,
    7: PilImage.Transpose.TRANSVERSE,
    8: PilImage.Transpose.ROTATE_90,
}


class Source(NamedTuple):
    """Where a picture comes from that is no entity's: how errors call it, and what fetches its bytes."""

    name: str
    fetch: Callable[[], Awaitable[bytes]]


async def collect(
    hass: HomeAssistant,
    context: Context | None,
    entity_ids: Sequence[str],
    sources: Sequence[Source] = (),
    *,
    max_edge: int,
) -> tuple[Image, ...]:
    """Fetch the pictures of camera and image entities, then the others, in the order given; `max_edge` is in pixels.

    All or nothing. Raises `Unauthorized` (`UnknownUser`) when the caller may not read one of them,
    `ServiceValidationError` for what cannot be asked for, `HomeAssistantError` for a picture that cannot be had.
    """
    if (count := len(entity_ids) + len(sources)) > MAX_PICTURES:
        raise mistake("too_many_pictures", count=str(count), limit=str(MAX_PICTURES))
    await _check_rights(hass, context, entity_ids)
    _check_entities(hass, entity_ids)
    wanted = [*(Source(entity_id, partial(_fetch, hass, entity_id)) for entity_id in entity_ids), *sources]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_picture(hass, source, max_edge)) for source in wanted]
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
    else:
        return tuple(task.result() for task in tasks)
    raise first


def useful_edge(config: RouterConfig, request: Request, kinds: Mapping[str, Kind] = KINDS) -> int:
    """Return the longest edge (pixels) that any target of a request makes use of: more is neither seen nor sent."""
    local_only = request.local_only or config.local_only
    pinned = request.pins.providers
    edges = (
        kinds[provider.kind].max_edge
        for provider in config.providers.values()
        if provider.enabled
        and provider.kind in kinds
        and (not pinned or provider.id in pinned)
        and any(Capability.VISION in model.caps and (model.local or not local_only) for model in provider.models)
    )
    return max(edges, default=_USUAL_EDGE)


def prepare(content: bytes, max_edge: int, name: str = "the request") -> Image:
    """Make a picture ready to send: its first frame, upright, at most `max_edge` pixels long, JPEG without metadata.

    Transparency becomes white. The same content gives the same bytes and digest. Blocks: call it in an executor.
    `name` says in errors where the picture comes from. Raises `HomeAssistantError`.
    """
    if len(content) > MAX_BYTES:
        raise failure("picture_too_large", name=name, limit=str(MAX_BYTES // 1_000_000))
    jpeg = BytesIO()
    try:
        with PilImage.open(BytesIO(content), formats=_FORMATS) as picture:
            small = _small(picture, max_edge)
            small.save(jpeg, "JPEG", quality=_QUALITY)
    except (PilImage.DecompressionBombError, PilImage.DecompressionBombWarning) as err:
        raise failure("picture_too_many_pixels", name=name, **_LIMITS) from err
    except Exception as err:  # decoders raise whatever a broken file provokes
        raise failure("picture_not_readable", name=name) from err
    data = jpeg.getvalue()
    return Image(sha256(data).hexdigest(), MIME, small.width, small.height, lambda: data)


async def _check_rights(hass: HomeAssistant, context: Context | None, entity_ids: Iterable[str]) -> None:
    """Refuse a caller who may not read every entity; says nothing about which of them exist."""
    if context is None or context.user_id is None:
        return
    if (user := await hass.auth.async_get_user(context.user_id)) is None:
        raise UnknownUser(context=context)
    for entity_id in entity_ids:
        if not (user.is_active and user.permissions.check_entity(entity_id, POLICY_READ)):
            raise Unauthorized(context=context, entity_id=entity_id, permission=POLICY_READ)


def _check_entities(hass: HomeAssistant, entity_ids: Iterable[str]) -> None:
    """Refuse what is no camera or image entity, or is not there."""
    for entity_id in entity_ids:
        domain = entity_id.partition(".")[0]
        if domain not in (_CAMERA, _IMAGE):
            raise mistake("picture_not_supported_entity", name=entity_id)
        if domain not in hass.config.components or (state := hass.states.get(entity_id)) is None:
            raise mistake("picture_not_found", name=entity_id)
        if state.state == STATE_UNAVAILABLE:
            raise failure("picture_failed", name=entity_id, reason=STATE_UNAVAILABLE)


async def _picture(hass: HomeAssistant, source: Source, max_edge: int) -> Image:
    """Fetch and prepare one picture; at most two of the whole house are prepared at a time."""
    content = await source.fetch()
    slots = hass.data.setdefault(_SLOTS, asyncio.Semaphore(_AT_ONCE))

    def free(job: asyncio.Future[Image]) -> None:
        slots.release()
        if not job.cancelled():
            job.exception()  # marks it as seen: after a cancel nobody else does

    await slots.acquire()
    job = hass.async_add_executor_job(prepare, content, max_edge, source.name)
    job.add_done_callback(free)
    # A thread cannot be cancelled: the slot stays taken until it is done, however early the caller leaves.
    return await asyncio.shield(job)


async def _fetch(hass: HomeAssistant, entity_id: str) -> bytes:
    """Return an entity's picture as it comes. Width and height are not passed on: cameras scale on the event loop."""
    # A component with entities is imported already; a house without cameras is spared 200 ms at start.
    try:
        if entity_id.startswith(f"{_CAMERA}."):
            from homeassistant.components import camera  # noqa: PLC0415 - see above

            return (await camera.async_get_image(hass, entity_id, timeout=_FETCH_TIMEOUT)).content
        from homeassistant.components import image  # noqa: PLC0415 - see above

        return (await image.async_get_image(hass, entity_id, timeout=_FETCH_TIMEOUT)).content
    except HomeAssistantError as err:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError from err  # up to 2026.10 both components swallow a cancel
        raise failure("picture_failed", name=entity_id, reason=str(err)) from err
    except Exception as err:  # a platform's own; its text may carry the camera's address and password
        raise failure("picture_failed", name=entity_id, reason=type(err).__name__) from err


def _small(picture: PilImage.Image, max_edge: int) -> PilImage.Image:
    """Return the picture upright and in RGB, no edge longer than `max_edge`; never larger than it was."""
    # Nothing has been decoded yet: the size is what the header says.
    if picture.width * picture.height > MAX_PIXELS.get(picture.format or "", MAX_PIXELS_OF_OTHERS):
        raise PilImage.DecompressionBombError
    if (shrink := max(picture.size) / max_edge) > 1:
        # A JPEG is decoded at a half, a quarter or an eighth, as long as it stays larger than what is wanted.
        picture.draft(None, (max(1, round(picture.width / shrink)), max(1, round(picture.height / shrink))))
    picture.load()
    turn = _TO_UPRIGHT.get(_orientation(picture))
    small = _flat(picture)
    small.thumbnail((max_edge, max_edge))
    if turn is not None:
        small = small.transpose(turn)
    small.info.clear()
    return small


def _orientation(picture: PilImage.Image) -> int:
    """Return the EXIF orientation; 1, upright, where there is none."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - damaged metadata is no reason to refuse a sound picture
        return 1


def _flat(picture: PilImage.Image) -> PilImage.Image:
    """Return the picture in RGB, transparent parts on white."""
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda value: value / 256).convert("L")  # convert alone would clip to white
    if picture.has_transparency_data:
        layer = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        ground = PilImage.new("RGB", picture.size, "white")
        ground.paste(layer, mask=layer)
        return ground
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def mistake(key: str, **placeholders: str) -> ServiceValidationError:
    """Make the error for what cannot be asked for."""
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)


def failure(key: str, **placeholders: str) -> HomeAssistantError:
    """Make the error for a picture that cannot be had."""
    return HomeAssistantError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)
