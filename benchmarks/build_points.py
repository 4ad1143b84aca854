"""Time of building 1.5 and 4.2 million points in Blender, and of Blender's own PLY import of the smaller cloud.

    .venv/bin/python benchmarks/build_points.py [--json]

Prints one line per figure: name, value, unit, goal, and whether it is met. Exit status 1 if one is not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from checkout import load_extension

load_extension()

from world_tracing.backend.worldtracing.world import LayeredWorld  # noqa: E402
from world_tracing.worldtracing_addon.scene.build import build_world  # noqa: E402

LAYERS = 6
OBJECT_SIDE, SCENE_SIDE = 504, 840  # 1,524,096 and 4,233,600 points: the largest worlds of the released models
REPEATS = 3
OBJECT_SECONDS, SCENE_SECONDS, GOAL_RATIO = 0.5, 1.5, 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    as_json = parser.parse_args().json
    world = full_world(OBJECT_SIDE)
    with tempfile.TemporaryDirectory() as folder:
        ply = Path(folder) / "cloud.ply"
        write_ply(ply, world)
        photo = Path(folder) / "photo.png"
        write_photo(photo, world)
        build, shown, imported = [], [], []
        for _ in range(REPEATS):  # alternating, so that both meet the same machine
            build.append(timed_build(world, photo))
            shown.append(timed(bpy.context.view_layer.update))
            bpy.ops.wm.read_homefile(use_empty=True)
            imported.append(timed(bpy.ops.wm.ply_import, filepath=str(ply)))
        large = full_world(SCENE_SIDE)
        write_photo(photo, large)
        large_build = [timed_build(large, photo) for _ in range(REPEATS)]
    medians = (float(np.median(times)) for times in (build, shown, imported, large_build))
    seconds, show_seconds, ply_seconds, large_seconds = medians
    results = [
        result("points", int(world.valid.sum()), "points", None),
        result("build_world", seconds, "s", OBJECT_SECONDS),
        result("first evaluation of the points", show_seconds, "s", None),
        result("ply_import", ply_seconds, "s", None),
        result("build_world / ply_import", seconds / ply_seconds, "ratio", GOAL_RATIO),
        result("points of the large world", int(large.valid.sum()), "points", None),
        result("build_world of the large world", large_seconds, "s", SCENE_SECONDS),
    ]
    for line in results:
        if as_json:
            print(json.dumps(line))
        else:
            goal = "" if line["goal"] is None else f"  (goal <= {line['goal']:g}: {'met' if line['ok'] else 'MISSED'})"
            print(f"{line['name']:32s} {line['value']:12.3f} {line['unit']}{goal}")
    return 0 if all(line["ok"] for line in results) else 1


def timed_build(world: LayeredWorld, photo: Path) -> float:
    """Seconds that building takes in an empty file with the opened photo."""
    bpy.ops.wm.read_homefile(use_empty=True)
    image = bpy.data.images.load(str(photo))
    return timed(build_world, bpy.context.scene, world, name="a", photo=image, source="")


def full_world(side: int) -> LayeredWorld:
    """A world with a point in every pixel of every layer."""
    random = np.random.default_rng(0)
    K = np.array([[500, 0, side / 2], [0, 500, side / 2], [0, 0, 1]], np.float64)
    v, u = np.mgrid[:side, :side].astype(np.float32) + 0.5
    depth = 2 + 0.1 * np.arange(LAYERS, dtype=np.float32)[:, None, None] + 0.2 * np.sin(u / 50)
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1)
    points = np.ascontiguousarray(rays * depth[..., None], np.float32)
    rgb = random.integers(0, 256, (side, side, 3), np.uint8)
    confidence = random.random(depth.shape, np.float32)
    return LayeredWorld(points, np.ones(depth.shape, bool), rgb, K, "relative", confidence)


def write_photo(path: Path, world: LayeredWorld) -> None:
    """The traced picture as the file that a user would have opened."""
    image = bpy.data.images.new("photo", world.width, world.height)
    values = np.ones((world.height, world.width, 4), np.float32)
    values[..., :3] = world.rgb[::-1] / np.float32(255)
    image.pixels.foreach_set(values.reshape(-1))
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


def write_ply(path: Path, world: LayeredWorld) -> None:
    """The same points, colors, layers and confidence as a binary PLY."""
    kinds = {"<f4": "float", "u1": "uchar"}
    fields = [(name, "<f4") for name in ("x", "y", "z", "confidence")]
    fields += [(name, "u1") for name in ("red", "green", "blue", "layer")]
    rows = np.empty(int(world.valid.sum()), fields)
    rows["x"], rows["y"], rows["z"] = world.points[world.valid].T
    rows["red"], rows["green"], rows["blue"] = np.broadcast_to(world.rgb, (*world.valid.shape, 3))[world.valid].T
    rows["confidence"] = world.confidence[world.valid]
    rows["layer"] = np.nonzero(world.valid)[0]
    properties = [f"property {kinds[kind]} {name}" for name, kind in fields]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}", *properties, "end_header", ""]
    path.write_bytes("\n".join(header).encode() + rows.tobytes())


def timed(work: Callable, *args, **options) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work(*args, **options)
    return time.perf_counter() - start


def result(name: str, value: float, unit: str, goal: float | None) -> dict:
    return {"name": name, "value": value, "unit": unit, "goal": goal, "ok": goal is None or value <= goal}


if __name__ == "__main__":
    sys.exit(main())
