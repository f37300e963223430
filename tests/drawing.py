"""Pictures to feed to tests."""

from io import BytesIO
from typing import Any

from PIL import Image as PilImage

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(picture: PilImage.Image, kind: str = "JPEG", **how: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    file = BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def halves(width: int = 400, height: int = 200) -> PilImage.Image:
    """Draw a picture that is red on the left and blue on the right."""
    picture = PilImage.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture
