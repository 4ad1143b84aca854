"""Moving, turning, scaling, replacing and inserting objects, as the viewer of the photo speaks of them."""

from __future__ import annotations

from math import radians

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.worldtracing.errors import WorldTracingError
from ..core.placing import HIGH_PERCENT, LOW_PERCENT, bottom_center, turn_between, viewer_axes
from .attributes import read_attribute
from .lifting import duplicate
from .objects import ORIGIN, UP, inverse_of, matrix_of, set_matrix
from .points import POSITION, holds_points
from .stand_ins import set_removed
from .worlds import WORLD, WorldObjects


def move(objects: WorldObjects, item: bpy.types.Object, offset: tuple[float, float, float], metric: bool) -> None:
    """Move an object along its support.

    Args:
        offset: right, away and up as the photo's viewer sees it.
        metric: in metres, as the scene's units count them; otherwise in Blender's units.
    """
    forward = matrix_of(objects.root).to_3x3() @ Vector((0, 1, 0))
    axes = viewer_axes(np.array(forward.normalized()), np.array(up_of(item)))
    scale = bpy.context.scene.unit_settings.scale_length if metric else 1.0
    place = matrix_of(item)
    place.translation += Vector(np.array(offset) @ axes) / scale
    set_matrix(item, place)


def turn(item: bpy.types.Object, degrees: float) -> None:
    """Turn an object about its origin, counterclockwise seen from above."""
    _transform(item, Matrix.Rotation(radians(degrees), 4, up_of(item)))


def resize(item: bpy.types.Object, factor: float) -> None:
    """Scale an object about its origin, so that it stays on its support."""
    _transform(item, Matrix.Scale(factor, 4))


def replace(objects: WorldObjects, item: bpy.types.Object, other: bpy.types.Object) -> bpy.types.Object:
    """Remove an object, and put a copy of `other` where it stood: as large, on the same support, facing the same way.

    Any object counts as facing along its own -y, as Blender's front view shows it; a lifted one faces the camera that
    saw it.
    """
    _require_root(objects)
    up, place = up_of(item), matrix_of(item).translation
    copy = _copy(objects, other)
    _stand(objects, copy, place, up)
    angle = turn_between(np.array(_facing(copy)), np.array(_facing(item)), np.array(up))
    _transform(copy, Matrix.Rotation(angle, 4, up))
    own, wanted = max(size_of(copy)), max(size_of(item))
    _transform(copy, Matrix.Scale(wanted / own if own > 0 else 1.0, 4))
    _stand(objects, copy, place, up)
    set_removed(objects, item, True)
    return copy


def insert(objects: WorldObjects, other: bpy.types.Object, place: Vector, up: Vector | None = None) -> bpy.types.Object:
    """A copy of `other`, e.g. lifted from another photo, that stands at `place` in this world.

    Between metric worlds an object keeps its real size; otherwise one that was lifted is scaled as if both photos
    were taken from the same height above what it stands on. What was not traced stays as large as it is.

    Args:
        up: of what it stands on; the scene's without one.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY where the root was deleted.
    """
    _require_root(objects)
    up = up or Vector((0, 0, 1))
    factor = _size_from_photo(objects, other, place, up)
    copy = _copy(objects, other)
    _transform(copy, Matrix.Scale(factor, 4))
    _stand(objects, copy, place, up)
    return copy


def _require_root(objects: WorldObjects) -> None:
    if objects.root is None:
        raise WorldTracingError(
            "WT-SCENE-EMPTY",
            f"The root of the world {objects.name!r} has been deleted.",
            "Undo that, or trace the photo again.",
        )


def up_of(item: bpy.types.Object) -> Vector:
    """An object's up in the scene: away from what it stands on, or its own z."""
    if UP in item and item.parent is not None:
        return (matrix_of(item.parent).to_3x3() @ Vector(item[UP])).normalized()
    return (matrix_of(item).to_3x3() @ Vector((0, 0, 1))).normalized()


def size_of(item: bpy.types.Object) -> tuple[float, float, float]:
    """Lengths of an object's box along its own axes, in scene units."""
    lengths = np.ptp(np.array(_corners(item)), axis=0)
    return tuple(float(length * abs(scale)) for length, scale in zip(lengths, matrix_of(item).to_scale(), strict=True))


def _corners(item: bpy.types.Object) -> list[Vector]:
    """Corners of an object's box in its own frame; a lifted one's without its few stray points."""
    if ORIGIN not in item or not holds_points(item):
        return [Vector(corner) for corner in item.bound_box]
    low, high = np.percentile(read_attribute(item.data, POSITION), (LOW_PERCENT, HIGH_PERCENT), axis=0)
    return [Vector((x, y, z)) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]


def _facing(item: bpy.types.Object) -> Vector:
    front = -Vector(item[ORIGIN]) if ORIGIN in item else Vector((0, -1, 0))
    return (matrix_of(item).to_3x3() @ front).normalized()


def _copy(objects: WorldObjects, other: bpy.types.Object) -> bpy.types.Object:
    """A copy of `other` at its place, which hangs on this world's root."""
    place, up = matrix_of(other), up_of(other)
    copy = duplicate(objects, other)
    copy.parent, copy.matrix_parent_inverse = objects.root, Matrix()
    set_matrix(copy, place)
    _set_up(objects, copy, up)
    bpy.context.view_layer.update()
    return copy


def _stand(objects: WorldObjects, item: bpy.types.Object, place: Vector, up: Vector) -> None:
    """Set an object upright on a support with this `up`, its bottom center at `place`."""
    _transform(item, up_of(item).rotation_difference(up).to_matrix().to_4x4())
    _set_up(objects, item, up)
    placed = matrix_of(item)
    bottom = placed.translation.copy()
    if ORIGIN not in item:  # else its origin is the bottom center
        bottom = Vector(bottom_center(np.array([placed @ corner for corner in _corners(item)]), np.array(up)))
    placed.translation += place - bottom
    set_matrix(item, placed)
    bpy.context.view_layer.update()


def _set_up(objects: WorldObjects, item: bpy.types.Object, up: Vector) -> None:
    item[UP] = list((inverse_of(objects.root).to_3x3() @ up).normalized())


def _transform(item: bpy.types.Object, change: Matrix) -> None:
    """Apply a change to an object about its own origin."""
    placed = matrix_of(item)
    center = Matrix.Translation(placed.translation)
    set_matrix(item, center @ change @ center.inverted() @ placed)
    bpy.context.view_layer.update()


def _size_from_photo(objects: WorldObjects, other: bpy.types.Object, place: Vector, up: Vector) -> float:
    """What a lifted object's size must be multiplied by in this world."""
    source = WorldObjects(objects.scene_uid, other.get(WORLD, "")).root
    if ORIGIN not in other or source is None or source == objects.root:
        return 1.0
    here, there = matrix_of(objects.root), matrix_of(source)
    if objects.root.get("wt_scale") == source.get("wt_scale") == "metric":
        return here.median_scale / there.median_scale
    height = (here.translation - place) @ up
    other_height = -(Vector(other[ORIGIN]) @ Vector(other[UP])) * there.median_scale
    return height / other_height if height > 0 and other_height > 0 else 1.0
