"""One photo to a layered world in a .blend, with a render from its camera and one from a new view.

    .venv/bin/python examples/trace_photo.py PHOTO --out FOLDER      (what `make trace` runs)

Uses the extension's Python API with the pip package `bpy`; inside Blender the same calls work from the console.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import bpy
from checkout import load_extension

load_extension()

from world_tracing.backend.worldtracing.errors import WorldTracingError  # noqa: E402
from world_tracing.backend.worldtracing.export.depth_sheet import depth_sheet  # noqa: E402
from world_tracing.backend.worldtracing.export.ply import export_ply  # noqa: E402
from world_tracing.backend.worldtracing.export.png import write_png  # noqa: E402
from world_tracing.backend.worldtracing.world import LayeredWorld  # noqa: E402
from world_tracing.worldtracing_addon import api  # noqa: E402
from world_tracing.worldtracing_addon.core.settings import TraceSettings  # noqa: E402

NOVEL_VIEW_DEGREES = 25.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--engine", default=TraceSettings.engine)
    parser.add_argument("--mode", choices=("object", "scene"), default=TraceSettings.mode)
    parser.add_argument("--resolution", type=int, default=TraceSettings.resolution)
    arguments = parser.parse_args()
    settings = TraceSettings(engine=arguments.engine, mode=arguments.mode, resolution=arguments.resolution)
    try:
        trace_photo(arguments.photo, arguments.out, settings)
    except WorldTracingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def trace_photo(photo: Path, out: Path, settings: TraceSettings) -> None:
    """Write `<photo>.{safetensors,ply,blend}` and `<photo>_{layers,photo,novel}.png` into `out`."""

    def path(ending: str) -> Path:
        return out / f"{photo.stem}{ending}"

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene

    with stage("trace and build the scene", path(".safetensors")) as file:
        world_objects = api.trace_world(photo, scene=scene, settings=settings, output=file)
    world = LayeredWorld.load(file)
    with stage("export the points", path(".ply")) as file:
        export_ply(world, file)
    with stage("draw the layers", path("_layers.png")) as file:
        write_png(file, depth_sheet(world))
    with stage("render the photo's view", path("_photo.png")) as file:
        api.render_still(scene, file)
    with stage("render a novel view", path("_novel.png")) as file:
        camera = api.add_orbit_camera(scene, world_objects, NOVEL_VIEW_DEGREES)
        api.set_layers(world_objects, Display="Surface")  # points stand apart where they are seen from the side
        api.render_still(scene, file, view_from=camera)
        api.set_layers(world_objects, Display="Points")
    with stage("save the scene", path(".blend")) as file:
        api.save_blend(file)


@contextmanager
def stage(what: str, file: Path):
    """Print what was done, how long it took and which file it wrote."""
    start = time.perf_counter()
    yield file
    print(f"{time.perf_counter() - start:6.2f} s  {what}: {file}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
