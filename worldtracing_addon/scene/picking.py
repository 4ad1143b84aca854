"""Picking points of a world in a 3D viewport; Blender's own ray casts see no point clouds."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from ...backend.worldtracing.editing.base import Box
from ..core.picking import inside_box, points_under
from .attributes import read_attribute
from .objects import ORIGIN, parts_with_points
from .points import LAYER, OWNER, PIXEL, POSITION
from .worlds import WorldObjects


@dataclass(frozen=True)
class Pick:
    """A point of a world under the mouse.

    Attributes:
        part: the layer or lifted object that it belongs to.
        layer: 0 is the visible surface.
        pixel: (x, y) in the traced picture, centres at +0.5.
        place: in scene coordinates.
    """

    part: bpy.types.Object
    layer: int
    pixel: tuple[float, float]
    place: Vector


def picks_in_region(
    world: WorldObjects, region: bpy.types.Region, data: bpy.types.RegionView3D, places
) -> list[Pick | None]:
    """What lies under each of the `places`, (x, y) in the region of a 3D viewport."""
    return picks_in_view(world, np.array(data.perspective_matrix), (region.width, region.height), places)


def pick_in_view(world: WorldObjects, view: np.ndarray, size: tuple[int, int], place) -> Pick | None:
    """What a view shows of a world at one place; see `picks_in_view`."""
    return picks_in_view(world, view, size, [place])[0]


def picks_in_view(world: WorldObjects, view: np.ndarray, size: tuple[int, int], places) -> list[Pick | None]:
    """What a view shows of a world at each of some places.

    Args:
        view: (4, 4) from scene coordinates to clip space.
        size: (width, height) of the view in pixels.
        places: (x, y) each, in pixels from the bottom left.
    """
    nearest: list[Pick | None] = [None] * len(places)
    if world.root is None:
        return nearest
    depth = [np.inf] * len(places)
    focal = world.root["wt_K"][0]
    for part in parts_with_points(world):
        if not part.visible_get():
            continue
        positions = read_attribute(part.data, POSITION)
        depths = positions[:, 1] + part.get(ORIGIN, (0, 0, 0))[1]
        owners = read_attribute(part.data, OWNER)
        if owners is not None:
            depths = np.where(owners == 0, depths, np.nan)  # a point that was lifted is not here any more
        clip = view @ np.array(part.matrix_world)
        found = points_under(positions, depths / focal, clip, size, places)
        if (found < 0).all():
            continue
        layers, pixels = read_attribute(part.data, LAYER), read_attribute(part.data, PIXEL)
        for k in np.flatnonzero(found >= 0):
            spot = part.matrix_world @ Vector(positions[found[k]])
            away = float((view @ (*spot, 1))[3])
            if away < depth[k]:
                pixel = tuple(map(float, pixels[found[k]]))
                nearest[k], depth[k] = Pick(part, int(layers[found[k]]), pixel, spot), away
    return nearest


def box_in_view(part: bpy.types.Object, view: np.ndarray, size: tuple[int, int], start, end) -> Box | None:
    """The rectangle of the traced picture around those points of a layer or lifted object that a view shows in a box.

    Args:
        view, size: as in `pick_in_view`.
        start, end: two opposite corners of the box in the view, as `place` there.
    """
    inside = inside_box(read_attribute(part.data, POSITION), view @ np.array(part.matrix_world), size, start, end)
    owners = read_attribute(part.data, OWNER)
    if owners is not None:
        inside &= owners == 0
    if not inside.any():
        return None
    pixels = read_attribute(part.data, PIXEL)[inside]
    (x0, y0), (x1, y1) = pixels.min(0) - 0.5, pixels.max(0) + 0.5
    return Box(float(x0), float(y0), float(x1), float(y1))
