"""The picture the household's camera shows: a front door with a parcel, and where it was taken."""

import io
from pathlib import Path

from PIL import ExifTags, Image, ImageDraw

LATITUDE = (52.0, 22.0, 12.0)  # degrees, minutes, seconds north
LONGITUDE = (4.0, 53.0, 42.0)  # east


def draw(path: Path) -> None:
    """Write a JPEG of 1280 x 960 with a GPS position and a camera's serial number in its EXIF."""
    image = Image.new("RGB", (1280, 960), "#b9c7cf")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 760, 1280, 960), fill="#8d8579")
    pen.rectangle((440, 160, 840, 800), fill="#5b3f2b")
    pen.rectangle((470, 190, 810, 800), fill="#2f6b4f")
    for left in (510, 660):
        for top in (240, 500):
            pen.rectangle((left, top, left + 110, top + 210), outline="#24533d", width=8)
    pen.ellipse((765, 500, 795, 530), fill="#d9b44a")
    pen.rectangle((880, 660, 1100, 830), fill="#c69a63")
    pen.rectangle((975, 660, 1005, 830), fill="#e3c595")
    image.save(path, "JPEG", quality=88, exif=_exif())


def position(picture: bytes) -> dict[int, object]:
    """Return the GPS tags of a picture; empty if it tells no position."""
    with Image.open(io.BytesIO(picture)) as image:
        return dict(image.getexif().get_ifd(ExifTags.IFD.GPSInfo))


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Demo Cameras"
    exif[ExifTags.Base.Model] = "Front door"
    exif[ExifTags.Base.DateTime] = "2026:11:01 08:30:00"
    exif[ExifTags.Base.BodySerialNumber] = "DC-000042"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: LATITUDE,
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: LONGITUDE,
        }
    )
    return exif
