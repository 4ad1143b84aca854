"""Make docs/images/editing_photos.jpg anew: what the extension does to two photos with the bundled engine.

.venv/bin/python docs/editing_pictures.py

Each row: the photo with the marks that select an object; the object lifted and moved; removed; what it hid repainted
with patches of the photo; and the world from the side, all in place.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import bpy
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "examples"))

from checkout import load_extension  # noqa: E402

load_extension()

from world_tracing.worldtracing_addon import api  # noqa: E402

HEIGHT, SAMPLES = 240, 16
VIEW_DEGREES = 12.0
MARK = (255, 140, 0)

PHOTOS = {  # name: box and stroke in shares of the photo, where the object is moved
    "coffee": (
        (0.1, 0.02, 0.82, 0.98),
        ((0.14, 0.5), (0.17, 0.7), (0.3, 0.88), (0.5, 0.95), (0.7, 0.85), (0.78, 0.6), (0.77, 0.45), (0.7, 0.3)),
        "move it right 0.15",
    ),
    "chelsea": (
        (0.02, 0.0, 0.9, 1.0),
        ((0.1, 0.1), (0.3, 0.5), (0.6, 0.3), (0.65, 0.5), (0.6, 0.8), (0.5, 0.95), (0.2, 0.9), (0.15, 0.5), (0.7, 0.1)),
        "move it right 0.25",
    ),
}


def main() -> None:
    rows = [pictures(name, *what) for name, what in PHOTOS.items()]
    page = Image.new("RGB", (max(sum(picture.width for picture in row) for row in rows), HEIGHT * len(rows)), "white")
    for down, row in enumerate(rows):
        across = 0
        for picture in row:
            page.paste(picture, (across, down * HEIGHT), picture)
            across += picture.width
    page.save(ROOT / "docs/images/editing_photos.jpg", quality=80, optimize=True)


def pictures(
    name: str, box: tuple[float, ...], stroke: tuple[tuple[float, float], ...], move: str
) -> list[Image.Image]:
    """One row, from the photo to the view from the side."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    photo = ROOT / "examples" / f"{name}.jpg"
    with tempfile.TemporaryDirectory() as folder:
        settings = api.TraceSettings(engine="wt-bundled", mode="scene")
        world = api.trace_world(photo, settings=settings, output=Path(folder) / "world.safetensors")
        api.set_match_photo(scene, True)
        api.set_layers(world, Display="Surface")
        width, height = world.root["wt_size"]
        corners = [share * size for share, size in zip(box, (width, height) * 2, strict=True)]
        line = tuple((x * width, y * height) for x, y in stroke)
        item = api.lift_object(world, [api.Box(*corners), api.Stroke(line)], name="it")
        scene.render.resolution_percentage = round(100 * HEIGHT / scene.render.resolution_y)
        size = round(HEIGHT * width / height), HEIGHT

        def render(view_from: bpy.types.Object | None = None) -> Image.Image:
            path = api.render_still(scene, Path(folder) / "picture.png", view_from=view_from, samples=SAMPLES)
            return Image.open(path).convert("RGBA").resize(size)

        side = render(api.add_orbit_camera(scene, world, VIEW_DEGREES))
        item.select_set(True)
        api.run_command(world, move)
        moved = render()
        api.remove_object(world, item)
        removed = render()
        api.repaint(world, [item])
        return [marked(photo, size, box, stroke), moved, removed, render(), side]


def marked(photo: Path, size: tuple[int, int], box: tuple[float, ...], stroke: tuple[tuple[float, float], ...]):
    """The photo with its box and stroke."""
    picture = Image.open(photo).convert("RGBA").resize(size)
    draw = ImageDraw.Draw(picture)
    corners = [share * side for share, side in zip(box, size * 2, strict=True)]
    draw.rectangle([corners[0], corners[1], corners[2], corners[3] - 1], outline=MARK, width=2)
    draw.line([(x * size[0], y * size[1]) for x, y in stroke], fill=MARK, width=3, joint="curve")
    return picture


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # as a module, Blender may wait for one of its threads for ever when Python ends
