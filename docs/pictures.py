"""Make the documents' pictures anew, from what `make trace` and `make gui-test` have written.

.venv/bin/python docs/pictures.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
WINDOW, TRACE = ROOT / "tests/gui/out/trixie", ROOT / "out"
VIEWPORT = (0, 28, 1325, 812)
"""Of the window test's screen."""


def tab(bottom: int) -> tuple[int, int, int, int]:
    """Of the window test's screen: the sidebar's tab down to `bottom`."""
    return (1035, 80, 1320, bottom)


PICTURES = {  # name: (source, part of it or None, width)
    "panel": (WINDOW / "03_result.png", tab(722), 285),
    "result": (WINDOW / "03_result.png", None, 1000),
    "seeds": (WINDOW / "12_seeds.png", tab(446), 285),
    "mesh": (WINDOW / "06_mesh.png", VIEWPORT, 1000),
    "error": (WINDOW / "32_error.png", tab(620), 285),
    "layers": (TRACE / "coffee_layers.png", None, 1400),
    "novel": (TRACE / "coffee_novel.png", None, 450),
}


def main() -> None:
    for name, (source, part, width) in PICTURES.items():
        picture = Image.open(source).convert("RGBA").crop(part)
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
        page = Image.new("RGB", picture.size, "white")
        page.paste(picture, mask=picture)
        page.save(ROOT / "docs/images" / f"{name}.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
