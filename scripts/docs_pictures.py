"""Put the pictures that README and docs/ name into docs/images, from a folder of pictures: few colours, small files."""

import re
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
COLOURS = 256
TALLEST = 1_800  # pixels
LARGEST_BYTES = 1_500_000


def named() -> set[str]:
    """Return the names of the pictures that the pages show."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    return {name for page in pages for name in re.findall(r"images/([\w-]+\.png)", page.read_text(encoding="utf-8"))}


def shrink(source: Path, target: Path) -> None:
    """Write a picture with fewer colours; screens have few."""
    with Image.open(source) as picture:
        shown = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, TALLEST)))
        shown.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def main(folder: Path) -> int:
    """Make docs/images anew; return the exit code."""
    wanted = named()
    if missing := sorted(name for name in wanted if not (folder / name).exists()):
        print(f"no test takes a picture of {', '.join(missing)}")
        return 1
    IMAGES.mkdir(exist_ok=True)
    for old in IMAGES.glob("*.png"):
        old.unlink()
    for name in sorted(wanted):
        shrink(folder / name, IMAGES / name)
    size = sum(image.stat().st_size for image in IMAGES.glob("*.png"))
    print(f"{len(wanted)} pictures, {size / 1000:.0f} kB")
    return int(size > LARGEST_BYTES)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
