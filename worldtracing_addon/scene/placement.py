"""Where a new world stands: on the ground, in the middle, and beside what is there already."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from .visibility import excluded_collections
from .worlds import WORLD

SOLID = {"MESH", "CURVE", "SURFACE", "META", "FONT", "POINTCLOUD", "VOLUME", "CURVES"}
GAP = 0.25  # between a world and its neighbor, in widths of the world
SURROUNDING = 4.0  # an object that holds the world and is so many times larger is its surroundings, not in its way
FARTHEST = 20.0  # rather stand in what is endless than so many widths aside; never in another world


def ground_location(
    scene: bpy.types.Scene, low: np.ndarray, high: np.ndarray, view: tuple[float, float] = (0.0, 0.0)
) -> Vector:
    """The location of a root whose world has its lowest point on the ground and is centered over the origin.

    `low` and `high` are the corners of the world's box in the frame of its root, whose origin is the eye; `view` is
    how far left and right the picture reaches at the world's far end.

    Where that is taken, or the camera would look through something, the world stands to the right of it: else the
    default scene's cube would hide it, and two worlds would stand in each other.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    location = np.array([-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]])
    seen_low = np.minimum(low, (min(view[0], 0), 0, 0)) + location
    seen_high = np.maximum(high, (max(view[1], 0), 0, 0)) + location
    farthest = FARTHEST * (seen_high - seen_low)[0]
    boxes = _boxes(scene)
    shift = _aside([box for box, _ in boxes], seen_low, seen_high)
    if shift > farthest:
        shift = _aside([box for box, is_world in boxes if is_world], seen_low, seen_high)
    return Vector(location) + Vector((shift, 0, 0))


def _aside(boxes: list[tuple[np.ndarray, np.ndarray]], low: np.ndarray, high: np.ndarray) -> float:
    """How far to the right a box from `low` to `high` is clear of `boxes`."""
    obstacles = [box for box in boxes if not _surrounds(box, low, high)]
    shift = 0.0
    while right := [box[1][0] for box in obstacles if _overlap(box, low, high, shift)]:
        shift = max(right) - low[0] + GAP * (high - low)[0]
    return shift


def _boxes(scene: bpy.types.Scene) -> list[tuple[tuple[np.ndarray, np.ndarray], bool]]:
    """World-space bounding boxes of what a render shows, and whether each is part of a traced world."""
    for view_layer in scene.view_layers:  # what a script has just built has no place yet
        view_layer.update()
    boxes = []
    hidden = excluded_collections(scene)
    for part in scene.objects:
        if part.type in SOLID and not part.hide_render and not hidden.issuperset(part.users_collection):
            corners = np.array([part.matrix_world @ Vector(corner) for corner in part.bound_box])
            boxes.append(((corners.min(0), corners.max(0)), WORLD in part))
    return boxes


def _surrounds(box: tuple[np.ndarray, np.ndarray], low: np.ndarray, high: np.ndarray) -> bool:
    size = float((high - low).max())
    return bool((box[0] <= low).all() and (box[1] >= high).all() and (box[1] - box[0]).max() > SURROUNDING * size)


def _overlap(box: tuple[np.ndarray, np.ndarray], low: np.ndarray, high: np.ndarray, shift: float) -> bool:
    """Whether they share room; touching, as a world does the ground plane it stands on, is none."""
    moved = np.array([shift, 0, 0])
    slack = 1e-4 * (high - low).max()
    return bool((box[0] + slack < high + moved).all() and (box[1] - slack > low + moved).all())
