"""Telling a world's layers in the scene which points objects have taken, and what color the others have now."""

from __future__ import annotations

import bpy
import numpy as np

from ...backend.worldtracing.regions import dilate
from .. import compat
from ..core.color import linear_rgba
from .attributes import read_attribute, write_attribute
from .points import COLOR, OWNER, PAINTED
from .transaction import Transaction
from .world_data import PHOTO, Window, WorldData, unpacked
from .worlds import WorldObjects

_IS_PAINTED = 1 << 24


def write_owner(transaction: Transaction, objects: WorldObjects, data: WorldData, owner: np.ndarray) -> None:
    """Tell the layers which points objects have taken; layers then leave them out."""
    for part in objects.point_layers:
        rows_columns = data.vertices[part["wt_layer"]]
        before = read_attribute(part.data, OWNER)
        _write(transaction, part.data, OWNER, "INT", before, owner[part["wt_layer"]][rows_columns])


def write_colors(
    transaction: Transaction, objects: WorldObjects, data: WorldData, rgb: np.ndarray, window: Window
) -> None:
    """Give the layers' points in a window colors, (L, h, w, 3) uint8 sRGB; the photo's stay known."""
    to_working, packed = compat.rec709_to_working(), _packed(data.world.rgb)
    inside = np.zeros(packed.shape, bool)
    inside[window] = True
    for part in objects.point_layers:
        rows, columns = data.vertices[part["wt_layer"]]
        which = np.flatnonzero(inside[rows, columns])
        near = rgb[part["wt_layer"], rows[which] - window[0].start, columns[which] - window[1].start]
        before = read_attribute(part.data, COLOR)
        colors = before.copy()
        colors[which] = linear_rgba(near, to_working)
        if part.data.attributes.get(PHOTO) is None:
            _write(transaction, part.data, PHOTO, "INT", None, packed[rows, columns])
        _write(transaction, part.data, COLOR, "FLOAT_COLOR", before, colors)
        part.data.update()


def paint_layers(
    transaction: Transaction,
    objects: WorldObjects,
    data: WorldData,
    places: tuple[np.ndarray, np.ndarray, np.ndarray],
    rgb: np.ndarray,
) -> None:
    """Give points of the layers painted colors, which they keep as long as what hid them is away.

    Args:
        places: layers, rows and columns, (N,) int each.
        rgb: (N, 3) uint8 sRGB.
    """
    packed = np.zeros(data.owner.shape, np.int32)
    packed[places] = _packed(rgb) | _IS_PAINTED
    for part in objects.point_layers:
        painted = packed[part["wt_layer"]][data.vertices[part["wt_layer"]]]
        which = np.flatnonzero(painted)
        before = read_attribute(part.data, PAINTED)
        known = np.zeros_like(painted) if before is None else before
        _write(transaction, part.data, PAINTED, "INT", before, np.where(painted, painted, known))
        paint_vertices(transaction, part.data, which, unpacked(painted[which]))


def paint_again(transaction: Transaction, objects: WorldObjects, data: WorldData, reach: int) -> None:
    """After points have changed their owners and the layers their colors: what was painted and still is uncovered.

    Args:
        reach: pixels around an object in which points were painted too.
    """
    painted_parts = [part for part in objects.point_layers if part.data.attributes.get(PAINTED) is not None]
    if not painted_parts:
        return
    hidden = np.cumsum(data.remaining, axis=0, dtype=np.int8) > data.remaining  # something remains in front
    uncovered = data.remaining & ~hidden & dilate((data.owner > 0).any(0), reach)
    for part in painted_parts:
        before = read_attribute(part.data, PAINTED)
        painted = np.where(uncovered[part["wt_layer"]][data.vertices[part["wt_layer"]]], before, 0)
        which = np.flatnonzero(painted)
        _write(transaction, part.data, PAINTED, "INT", before, painted)
        paint_vertices(transaction, part.data, which, unpacked(painted[which]))


def paint_vertices(transaction: Transaction, mesh: bpy.types.Mesh, which: np.ndarray, rgb: np.ndarray) -> None:
    """Give vertices (N,) int of a mesh of points colors, (N, 3) uint8 sRGB."""
    before = read_attribute(mesh, COLOR)
    colors = before.copy()
    colors[which] = linear_rgba(rgb, compat.rec709_to_working())
    _write(transaction, mesh, COLOR, "FLOAT_COLOR", before, colors)
    mesh.update()


def _write(
    transaction: Transaction,
    mesh: bpy.types.Mesh,
    name: str,
    kind: str,
    before: np.ndarray | None,
    values: np.ndarray,
) -> None:
    """Set a point attribute; `before` is what it holds, None where the mesh has none."""
    if before is None:
        transaction.on_rollback(lambda: mesh.attributes.remove(mesh.attributes[name]))
    elif np.array_equal(before, values):
        return
    else:
        transaction.on_rollback(lambda: write_attribute(mesh, name, kind, before))
    write_attribute(mesh, name, kind, values)
    mesh.update_tag()


def _packed(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(rgb.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue
