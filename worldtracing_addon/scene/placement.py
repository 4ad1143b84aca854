"""Where a new world stands: on the ground, in the middle, and beside what is there already."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from .visibility import excluded_collections

SOLID = {"MESH", "CURVE", "SURFACE", "META", "FONT", "POINTCLOUD", "VOLUME", "CURVES"}
GAP = 0.25  # between a world and its neighbor, in widths of the world
SURROUNDING = 4.0  # an object that holds the world and is so many times larger is its surroundings, not in its way
FARTHEST = 20.0  # rather overlap than stand so many widths aside


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
    size = seen_high - seen_low
    obstacles = [box for box in _boxes(scene) if not _surrounds(box, seen_low, seen_high)]
    shift = 0.0
    while obstacles:
        right = [box[1][0] for box in obstacles if _overlap(box, seen_low, seen_high, shift)]
        if not right:
            break
        shift = max(right) - seen_low[0] + GAP * size[0]
        if shift > FARTHEST * size[0]:
            shift = 0.0
            break
    return Vector(location) + Vector((shift, 0, 0))


def _boxes(scene: bpy.types.Scene) -> list[tuple[np.ndarray, np.ndarray]]:
    """World-space bounding boxes of what a render shows."""
    boxes = []
    hidden = excluded_collections(scene)
    for part in scene.objects:
        if part.type in SOLID and not part.hide_render and not hidden.issuperset(part.users_collection):
            corners = np.array([part.matrix_world @ Vector(corner) for corner in part.bound_box])
            boxes.append((corners.min(0), corners.max(0)))
    return boxes


def _surrounds(box: tuple[np.ndarray, np.ndarray], low: np.ndarray, high: np.ndarray) -> bool:
    size = float((high - low).max())
    return bool((box[0] <= low).all() and (box[1] >= high).all() and (box[1] - box[0]).max() > SURROUNDING * size)


def _overlap(box: tuple[np.ndarray, np.ndarray], low: np.ndarray, high: np.ndarray, shift: float) -> bool:
    """Whether they share room; touching, as a world does the ground plane it stands on, is none."""
    moved = np.array([shift, 0, 0])
    slack = 1e-4 * (high - low).max()
    return bool((box[0] + slack < high + moved).all() and (box[1] - slack > low + moved).all())
