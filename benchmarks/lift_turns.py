"""How long lifting holds Blender's main thread at 0.4 and 1.5 million points, and how long its thread computes.

    .venv/bin/python benchmarks/lift_turns.py [--json]          needs the extra "train" (embreex, scipy)

The three largest objects of a furnished room are lifted one after the other, as the operator does it: the click copies
the layers out of Blender, a thread computes, and then the scene is changed. At last one is put back, and the room is
built once more around the other two, as a retrace does it. Prints the longest of each, the median of
three rounds, as seconds of one core: name, value, unit, goal, and whether it is met. Exit status 1 if one is not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import bpy
from editing import full_world
from report import Report

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from checkout import load_extension

load_extension()

from world_tracing.backend.worldtracing.world import LayeredWorld  # noqa: E402
from world_tracing.worldtracing_addon.scene import (  # noqa: E402
    build,
    lifted_retrace,
    lifting,
    preparing,
    segmentation,
    world_data,
)

SIDES = {258: 0.1, 504: 0.25}
"""Of the picture, and the goal in seconds for what the main thread does at once."""

OBJECTS, ROUNDS = 3, 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    report = Report(parser.parse_args().json)
    for side, goal in SIDES.items():
        room = full_world(side)
        rounds = [measured(room) for _ in range(ROUNDS)]
        for name in rounds[0]:
            value = sorted(times[name] for times in rounds)[ROUNDS // 2]
            at_most = goal if name.startswith("main thread") else None
            report.add(name, value, "points" if name == "points" else "s", at_most=at_most)
    return int(report.failed)


def measured(room: LayeredWorld) -> dict[str, float]:
    """The longest turns with this room built anew."""
    bpy.ops.wm.read_homefile(use_empty=True)
    arrays = (array.copy() for array in (room.points, room.valid, room.rgb, room.K))
    traced = LayeredWorld(*arrays, "metric", metadata={"mode": "scene"})
    place = {"name": "room", "photo": None, "source": ""}
    world = build.build_world(bpy.context.scene, traced, **place)
    data = world_data.read_world(world)
    masks = [segmentation.segmentation_of(world, data).mask(label + 1) for label in range(OBJECTS)]
    world_data._known.clear()  # nothing is known of the world then
    turns: defaultdict[str, list[float]] = defaultdict(list)
    for mask in masks:
        work = timed(turns["click"], lambda mask=mask: preparing.prepare_lift(world, mask=mask))
        thread = Thread(target=lambda work=work: timed(turns["thread"], work))
        thread.start()
        thread.join()
        lifted = timed(turns["lift"], lambda mask=mask: lifting.lift_object(world, mask=mask))
        bpy.context.view_layer.update()
    preparing.prepare_put_back(world, lifted)()
    timed(turns["put back"], lambda: lifting.put_back(world, lifted))
    size = lifted_retrace.size_of_lifted(world)
    retrace = timed(turns["prepared"], lambda: lifted_retrace.Retrace.prepared(traced, size))
    options = build.BuildOptions(division=retrace.division)
    timed(turns["retrace"], lambda: build.build_world(bpy.context.scene, traced, **place, options=options))
    return {
        "points": int(traced.valid.sum()),
        "main thread, the click": max(turns["click"]),
        "beside it, the first with segmentation": turns["thread"][0],
        "beside it, later ones": max(turns["thread"][1:]),
        "main thread, the lift": max(turns["lift"]),
        "main thread, put back": max(turns["put back"]),
        "beside it, dividing a retrace": turns["prepared"][0],
        "a retrace, on the main thread": turns["retrace"][0],
    }


def timed(times: list[float], work: Callable):
    """The result of `work`; adds what it took to `times`."""
    start = time.thread_time()
    result = work()
    times.append(time.thread_time() - start)
    return result


if __name__ == "__main__":
    sys.exit(main())
