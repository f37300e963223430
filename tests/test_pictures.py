"""Tests of what is made of a picture before it is sent."""

import struct
import zlib
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest
from homeassistant.exceptions import HomeAssistantError
from PIL import ExifTags
from PIL import Image as PilImage
from PIL.PngImagePlugin import PngInfo

from custom_components.ai_router import pictures
from custom_components.ai_router.pictures import prepare
from custom_components.ai_router.routing.model import Image

from .drawing import BLUE, GREEN, RED, WHITE, halves, saved

DOOR = "camera.door"


def noise(width: int, height: int) -> PilImage.Image:
    """Draw a picture that compresses badly."""
    return PilImage.effect_noise((width, height), 80).convert("RGB")


def shown(image: Image) -> PilImage.Image:
    """Open what would be sent."""
    picture = PilImage.open(BytesIO(image.load()))
    picture.load()
    return picture


def close_to(colour: Any, wanted: tuple[int, int, int]) -> bool:
    """Say whether a colour is the wanted one but for JPEG's losses."""
    return all(abs(is_ - should) < 12 for is_, should in zip(colour, wanted, strict=True))


def segments(jpeg: bytes) -> list[int]:
    """List the markers of a JPEG's segments before its pixels."""
    markers, at = [], 2
    while jpeg[at + 1] != 0xDA:
        markers.append(jpeg[at + 1])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return markers


def png_bomb(width: int, height: int) -> bytes:
    """Make a PNG whose header promises a size that its few bytes do not have."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_a_phone_photo_becomes_upright_and_anonymous() -> None:
    exif = PilImage.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "SecretMaker"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    photo = saved(halves(), exif=exif, comment=b"at home", icc_profile=b"P3" * 100, xmp=b"<x:xmpmeta/>", dpi=(300, 300))
    assert PilImage.open(BytesIO(photo)).getexif().get_ifd(ExifTags.IFD.GPSInfo)

    image = prepare(photo, 1568)

    picture = shown(image)
    assert (image.width, image.height) == picture.size == (200, 400)
    assert close_to(picture.getpixel((100, 50)), RED)  # what was left is on top
    assert close_to(picture.getpixel((100, 350)), BLUE)
    sent = image.load()
    assert not picture.getexif()
    assert not any(mark in sent for mark in (b"Exif", b"SecretMaker", b"at home", b"xmpmeta", b"ICC_PROFILE"))
    assert set(segments(sent)) <= {0xE0, 0xDB, 0xC0, 0xC4}  # JFIF, tables and frame: nothing that could tell


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation(orientation: int, kind: str) -> None:
    upright = PilImage.new("RGB", (320, 160), WHITE)
    upright.paste(RED, (0, 0, 160, 80))
    # The way back of each turn: what a camera stores when it is held so.
    stored = {6: PilImage.Transpose.ROTATE_90, 8: PilImage.Transpose.ROTATE_270}.get(
        orientation, pictures._TO_UPRIGHT.get(orientation)
    )
    exif = PilImage.Exif()
    exif[ExifTags.Base.Orientation] = orientation

    picture = shown(prepare(saved(upright.transpose(stored) if stored is not None else upright, kind, exif=exif), 1568))

    assert picture.size == (320, 160)
    corners = [picture.getpixel(at) for at in ((40, 40), (280, 40), (40, 120), (280, 120))]
    assert all(map(close_to, corners, (RED, WHITE, WHITE, WHITE), strict=True))


@pytest.mark.filterwarnings("ignore:.*EXIF", "ignore:Truncated")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "tiff", [b"\x00garbage", b"II*\x00", b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x02\x00\x04\x00\x00\x00abc\x00"]
)
def test_damaged_exif_does_not_cost_the_picture(kind: str, tiff: bytes) -> None:
    content = saved(halves(), kind, exif=b"Exif\x00\x00" + tiff)

    assert shown(prepare(content, 1568)).size == (400, 200)


@pytest.mark.parametrize(
    ("size", "max_edge", "wanted"),
    [
        ((3840, 2160), 1568, (1568, 882)),
        ((2160, 3840), 1568, (882, 1568)),
        ((1568, 1000), 1568, (1568, 1000)),
        ((320, 240), 1568, (320, 240)),
        ((9000, 2), 1000, (1000, 1)),
        ((2, 9000), 1000, (1, 1000)),
        ((1, 1), 1568, (1, 1)),
        ((4000, 3000), 64, (64, 48)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_scaled_down_never_up(size: tuple[int, int], max_edge: int, wanted: tuple[int, int], kind: str) -> None:
    image = prepare(saved(halves(*size), kind), max_edge)

    assert (image.width, image.height) == shown(image).size == wanted


def test_a_large_jpeg_is_never_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    flat = pictures._flat
    monkeypatch.setattr(pictures, "_flat", lambda picture: decoded.append(picture.size) or flat(picture))

    prepare(saved(halves(4000, 3000)), 640)

    assert decoded == [(1000, 750)]


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP"])
def test_formats_are_told_by_their_bytes(kind: str) -> None:
    image = prepare(saved(halves(), kind), 1568)

    picture = shown(image)
    assert image.mime == "image/jpeg"
    assert picture.format == "JPEG"
    assert close_to(picture.getpixel((50, 50)), RED)
    assert close_to(picture.getpixel((350, 50)), BLUE)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "RGBA", "LA", "I;16"])
def test_all_modes_become_rgb(mode: str) -> None:
    grey = PilImage.new("L", (64, 64), 255 if mode == "1" else 100)
    picture = PilImage.new(mode, (64, 64), 100 * 256) if mode == "I;16" else grey.convert("RGB").convert(mode)

    sent = shown(prepare(saved(picture, "JPEG" if mode == "CMYK" else "PNG"), 1568))

    assert sent.mode == "RGB"
    assert close_to(sent.getpixel((30, 30)), WHITE if mode == "1" else (100, 100, 100))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparent_becomes_white(kind: str) -> None:
    picture = PilImage.new("RGBA", (64, 64), (255, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 32, 64))

    sent = shown(prepare(saved(picture, kind, lossless=True), 1568))

    assert close_to(sent.getpixel((10, 30)), RED)
    assert close_to(sent.getpixel((50, 30)), WHITE)


def test_a_transparent_palette_becomes_white() -> None:
    picture = PilImage.new("P", (64, 64), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.paste(0, (32, 0, 64, 64))

    sent = shown(prepare(saved(picture, "PNG", transparency=0), 1568))

    assert close_to(sent.getpixel((10, 30)), RED)
    assert close_to(sent.getpixel((50, 30)), WHITE)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animated_gives_its_first_frame(kind: str) -> None:
    frames = [PilImage.new("RGB", (64, 64), colour) for colour in (RED, GREEN, BLUE)]
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)

    assert close_to(shown(prepare(content, 1568)).getpixel((30, 30)), RED)


def test_the_same_pixels_give_the_same_digest() -> None:
    picture = noise(300, 200)
    early, late = PilImage.Exif(), PilImage.Exif()
    early[ExifTags.Base.DateTime], late[ExifTags.Base.DateTime] = "2026:11:21 10:00:00", "2026:11:21 10:00:01"

    one, two = prepare(saved(picture, exif=early), 128), prepare(saved(picture, exif=late), 128)

    assert one == two
    assert one.load() == two.load()
    assert one.digest == sha256(one.load()).hexdigest()
    assert prepare(saved(noise(300, 200), exif=early), 128).digest != one.digest


def test_text_in_a_png_is_dropped() -> None:
    info = PngInfo()
    info.add_text("Comment", "at home", zip=True)
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")

    sent = prepare(saved(halves(), "PNG", pnginfo=info), 1568).load()

    assert set(segments(sent)) <= {0xE0, 0xDB, 0xC0, 0xC4}


def test_more_than_20_mb_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    content = saved(noise(64, 64)) + bytes(100_000_000)
    monkeypatch.setattr(PilImage, "open", lambda *_, **__: pytest.fail("looked into it"))

    with pytest.raises(HomeAssistantError) as caught:
        prepare(content, 1568, DOOR)

    assert caught.value.translation_key == "picture_too_large"
    assert caught.value.translation_placeholders == {"name": DOOR, "limit": "20"}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (10_000, 10_000), (4_001, 4_000)])
def test_a_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch, width: int, height: int) -> None:
    # Memory for the pixels is taken in `load`.
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    limit_of_pillow = PilImage.MAX_IMAGE_PIXELS

    with pytest.raises(HomeAssistantError) as caught:
        prepare(png_bomb(width, height), 1568, DOOR)

    assert caught.value.translation_key == "picture_too_many_pixels"
    assert caught.value.translation_placeholders == {"name": DOOR, "jpeg": "50", "webp": "4", "others": "16"}
    assert limit_of_pillow == PilImage.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(("kind", "edge"), [("JPEG", 7_071), ("WEBP", 2_000), ("PNG", 4_000), ("GIF", 4_000)])
def test_how_many_pixels_each_format_may_have(monkeypatch: pytest.MonkeyPatch, kind: str, edge: int) -> None:
    taken = prepare(saved(PilImage.new("L", (edge, edge), 100), kind), 64)
    assert (taken.width, taken.height) == (64, 64)
    content = saved(PilImage.new("L", (edge, edge + 1), 100), kind)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))

    with pytest.raises(HomeAssistantError) as caught:
        prepare(content, 64)

    assert caught.value.translation_key == "picture_too_many_pixels"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8\xff",
        b"<html><body>401 Unauthorized</body></html>",
        b"GIF89a" + bytes(20),
        b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(30),
        b"BM" + b"\xff" * 60,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
        png_bomb(100, 100),
        saved(noise(640, 480))[:-5_000],
        saved(noise(640, 480), "PNG")[:-5_000],
        saved(noise(64, 64), "TIFF"),
        saved(noise(64, 64), "PPM"),
        saved(noise(64, 64), "AVIF"),
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64),
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    ],
    ids=[
        *("empty", "stub", "html", "gif", "webp", "bmp", "eps", "short png", "cut jpeg", "cut png"),
        *("tiff", "ppm", "avif", "heic", "svg"),
    ],
)
def test_what_is_no_sound_picture_is_refused(content: bytes) -> None:
    with pytest.raises(HomeAssistantError) as caught:
        prepare(content, 1568, DOOR)

    assert caught.value.translation_key == "picture_not_readable"
    assert caught.value.translation_placeholders == {"name": DOOR}
