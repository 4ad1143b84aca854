"""Painting what lifted objects hid, and their backs, with a painter instead of smooth colors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy
import numpy as np

from ...backend.worldtracing.editing.painters import PainterInfo
from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.progress import OnProgress, silent
from .. import assistants
from ..core.frames import to_opencv
from .attributes import read_attribute
from .lifting import renew_merged
from .objects import FILLED, NUMBER, ORIGIN, is_lifted, lifted_objects, shown_objects
from .paint_plan import PaintWanted, StoredFill, knows_paint_plan, paint_plan
from .points import LAYER, PIXEL, POSITION, holds_points
from .transaction import Transaction
from .world_data import WorldData, read_layers, read_world, shown_colors
from .world_writing import paint_layers, paint_vertices
from .worlds import ITEM, KIND, WorldObjects

BUILT_IN = "patches"


def known_painters() -> list[tuple[PainterInfo, str]]:
    """What each painter says of itself, and why it cannot be used; "" where it can, here or in the worker."""
    return [(one.info, one.problem) for one in assistants.known("painter")]


def repaint(objects: WorldObjects, items: Sequence[bpy.types.Object], painter: str, seed: int) -> int:
    """Paint what objects hid, and with a generative painter their backs; how many points have got a color.

    Args:
        items: lifted out of this world; all that were, if there are none.
        painter: its name.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY, WT-SCENE-SELECT where no object was lifted, and those of the painter.
    """
    data, wanted = read_world(objects), _wanted(objects, items, painter, seed)
    plan = paint_plan(data, wanted)
    with Transaction() as transaction:
        paint_layers(transaction, objects, data, plan.layers.places, plan.layers.rgb)
        for fill in _fills(objects):
            if fill[ITEM] in plan.fills:
                paint_vertices(transaction, fill.data, *plan.fills[fill[ITEM]])
        for item in lifted_objects(objects):
            painted = plan.objects.get(item[NUMBER])
            if painted is not None and holds_points(item):
                vertices = _vertices(item.data, data)[painted.places]
                paint_vertices(transaction, item.data, vertices[vertices >= 0], painted.rgb[vertices >= 0])
        renew_merged(objects)
    return plan.count


def prepare(
    objects: WorldObjects,
    items: Sequence[bpy.types.Object],
    painter: str,
    seed: int,
    on_progress: OnProgress = silent,
) -> Callable[[], None] | None:
    """What `repaint` would have to compute first.

    Args:
        on_progress: called in the thread; what it raises stops the work.

    Returns:
        Work for a thread, which touches no Blender data; None where nothing is left to be computed.

    Raises:
        WorldTracingError: as `repaint`; the work raises those of the painter.
    """
    layers, wanted = read_layers(objects), _wanted(objects, items, painter, seed)
    data = layers.known_data()
    if data is not None and knows_paint_plan(data, wanted):
        return None
    return lambda: paint_plan(layers.data(), wanted, on_progress)


def _wanted(objects: WorldObjects, items: Sequence[bpy.types.Object], painter: str, seed: int) -> PaintWanted:
    names = {item[NUMBER]: item.name for item in lifted_objects(objects) if holds_points(item)}
    parts = objects.parts
    numbers = tuple(sorted(item[NUMBER] for item in items if item in parts and is_lifted(item)))
    numbers = numbers if items else tuple(names)
    if not numbers:
        raise WorldTracingError(
            "WT-SCENE-SELECT",
            "There is nothing to paint: no object that was lifted out of this world is selected, or left.",
            "Lift an object, or select one under Objects in the outliner; copies hide nothing.",
        )
    fills = tuple(map(_stored, _fills(objects)))
    return PaintWanted(numbers, names, fills, painter, seed, assistants.painter(painter))


def _fills(objects: WorldObjects) -> list[bpy.types.Object]:
    return [fill for fill in shown_objects(objects) if fill[KIND] == FILLED and holds_points(fill)]


def _stored(fill: bpy.types.Object) -> StoredFill:
    columns, rows = np.floor(read_attribute(fill.data, PIXEL)).astype(int).T
    points = read_attribute(fill.data, POSITION) + np.array(fill[ORIGIN], np.float32)
    return StoredFill(fill[ITEM], to_opencv(points), rows, columns, shown_colors(fill.data))


def _vertices(mesh: bpy.types.Mesh, data: WorldData) -> np.ndarray:
    """(L, H, W) int, the vertex of a lifted object's mesh that is the point there, -1 where there is none."""
    columns, rows = np.floor(read_attribute(mesh, PIXEL)).astype(int).T
    layer = read_attribute(mesh, LAYER)
    known = layer < len(data.owner)
    vertices = np.full(data.owner.shape, -1)
    vertices[layer[known], rows[known], columns[known]] = np.flatnonzero(known)
    return vertices
