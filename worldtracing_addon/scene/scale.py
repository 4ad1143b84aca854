"""Real lengths: a world scaled so that the distance of two of its points is what the artist measured.

The two points are kept as places in the photo, so that another seed or a new trace, whose overall scale may differ,
can be given the same length.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from ...backend.worldtracing.errors import WorldTracingError
from .. import compat
from .attributes import read_attribute
from .objects import inverse_of, matrix_of
from .points import PIXEL, POSITION
from .transaction import Transaction
from .worlds import WorldObjects, layer_modifier

ANCHORS, LENGTH, SCALE = "wt_scale_anchors", "wt_scale_length", "wt_scale_set"
"""Custom properties of the root: (layer, u, v) of both points, their distance, and the root's scale that gives it."""


@dataclass(frozen=True)
class _Anchor:
    """A traced point: its layer, its place in the photo (u right, v up, 0 to 1), and its place in the root's frame."""

    layer: int
    uv: tuple[float, float]
    place: Vector


def set_scale(world: WorldObjects, point_a: Vector, point_b: Vector, length: float) -> float:
    """Scale the world's root so that `point_a` and `point_b`, places in the scene, come to lie `length` apart.

    The world keeps standing as high as it stood, and the matched camera sees what it saw. Returns the factor.

    Raises:
        WorldTracingError: WT-SCENE-SCALE where the points are one, the length is not positive, or the world has no
            points.
    """
    if world.root is None:
        raise _bad_scale("The world has no root object to scale any more.")
    point_a, point_b = Vector(point_a), Vector(point_b)
    distance = (point_b - point_a).length
    if not length > 0 or not distance > 1e-9 or not np.isfinite([length, distance]).all():
        raise _bad_scale("Two different points and a length above zero are needed to set the scale.")
    into = inverse_of(world.root)
    anchors = [_nearest(world, into @ point) for point in (point_a, point_b)]
    factor = length / distance
    _scale_by(world, factor)
    _remember(world, anchors)
    return factor


def keep_scale(world: WorldObjects) -> None:
    """After a world was built again, give it the length that was set before; not where its root was scaled since."""
    root = world.root
    if LENGTH not in root:
        return
    if length_in_force(root) is None:
        _forget(world)
        return
    anchors = [_find(world, int(layer), (u, v)) for layer, u, v in np.reshape(root[ANCHORS].to_list(), (2, 3))]
    if None in anchors or (distance := _distance(world, anchors)) <= 1e-9:
        return
    _scale_by(world, root[LENGTH] / distance)
    _remember(world, anchors, root[LENGTH])


def length_in_force(root: bpy.types.Object) -> float | None:
    """The distance that was set; None where none was, or the root was scaled by hand since."""
    if LENGTH not in root or not np.allclose(root.scale, root[SCALE], rtol=1e-4):
        return None
    return root[LENGTH]


def _scale_by(world: WorldObjects, factor: float) -> None:
    """Scale the root about the point under its eye at the height of the world's lowest point, where it stands."""
    root = world.root
    bpy.context.view_layer.update()
    floor = _lowest(world)
    place = matrix_of(root).translation
    moved = place + Vector((0, 0, (floor - place.z) * (1 - factor)))
    with Transaction() as transaction:
        transaction.set(root, scale=root.scale * factor)
        transaction.set(root, location=root.location + _into_parent(root, moved - place))
    bpy.context.view_layer.update()


def _into_parent(root: bpy.types.Object, shift: Vector) -> Vector:
    """A shift in the scene as one of the root's location."""
    if root.parent is None:
        return shift
    return (matrix_of(root.parent) @ root.matrix_parent_inverse).to_3x3().inverted() @ shift


def _lowest(world: WorldObjects) -> float:
    """Height of the world's lowest point in the scene."""
    heights = [
        float((read_attribute(layer.data, POSITION) @ np.array(matrix.row[2][:3])).min()) + matrix.translation.z
        for layer in _layers_with_points(world)
        for matrix in (matrix_of(layer),)
    ]
    if not heights:
        raise _bad_scale("The world has no points left to measure.")
    return min(heights)


def _remember(world: WorldObjects, anchors: list[_Anchor], length: float | None = None) -> None:
    with Transaction() as transaction:
        transaction.set_properties(
            world.root,
            **{
                ANCHORS: [float(value) for anchor in anchors for value in (anchor.layer, *anchor.uv)],
                LENGTH: length or _distance(world, anchors),
                SCALE: list(world.root.scale),
            },
        )


def _forget(world: WorldObjects) -> None:
    with Transaction() as transaction:
        transaction.set_properties(world.root, **{ANCHORS: None, LENGTH: None, SCALE: None})


def _distance(world: WorldObjects, anchors: list[_Anchor]) -> float:
    """Of two anchors, in the scene."""
    placed = matrix_of(world.root)
    a, b = (placed @ anchor.place for anchor in anchors)
    return (b - a).length


def _nearest(world: WorldObjects, place: Vector) -> _Anchor:
    """The traced point nearest to a place in the root's frame."""
    best: tuple[float, bpy.types.Object, int] | None = None
    for layer in _layers_with_points(world):
        away = np.linalg.norm(read_attribute(layer.data, POSITION) - np.array(place, np.float32), axis=1)
        index = int(away.argmin())
        if best is None or away[index] < best[0]:
            best = (float(away[index]), layer, index)
    if best is None:
        raise _bad_scale("The world has no points left to measure.")
    _, layer, index = best
    low, extent = _uv_window(world, layer)
    uv = low + read_attribute(layer.data, PIXEL)[index] * extent
    return _Anchor(layer["wt_layer"], tuple(map(float, uv)), Vector(read_attribute(layer.data, POSITION)[index]))


def _find(world: WorldObjects, layer: int, uv: tuple[float, float]) -> _Anchor | None:
    """The traced point at a place of the photo; of the layer, or where that is gone of the one before it."""
    candidates = [part for part in _layers_with_points(world) if part["wt_layer"] <= layer]
    if not candidates:
        return None
    part = candidates[-1]
    low, extent = _uv_window(world, part)
    pixels = read_attribute(part.data, PIXEL)
    index = int(np.linalg.norm(pixels - (np.array(uv) - low) / extent, axis=1).argmin())
    return _Anchor(layer, uv, Vector(read_attribute(part.data, POSITION)[index]))


def _layers_with_points(world: WorldObjects) -> list[bpy.types.Object]:
    """Layers that the artist has not emptied."""
    return [layer for layer in world.point_layers if len(layer.data.vertices)]


def _uv_window(world: WorldObjects, layer: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """UV of the traced picture's top left corner in the photo, and how far UV goes on with one pixel."""
    modifier = layer_modifier(layer)
    ends = [modifier and compat.get_modifier_input(modifier, f"UV {end}") for end in ("Min", "Max")]
    if None in ends:  # the artist has removed it, and with it what part of the photo was traced
        ends = [(0, 0), (1, 1)]
    low, high = (np.array(end)[:2] for end in ends)
    return np.array([low[0], high[1]]), (high - low) / world.root["wt_size"].to_list() * (1, -1)


def _bad_scale(sentence: str) -> WorldTracingError:
    return WorldTracingError("WT-SCENE-SCALE", sentence, "Click two points of the traced world that lie apart.")
