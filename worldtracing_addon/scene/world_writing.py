"""Telling a world's layers in the scene which points objects have taken, and what color the others have now."""

from __future__ import annotations

import bpy
import numpy as np

from .. import compat
from ..core.color import linear_rgba
from .attributes import read_attribute, write_attribute
from .points import COLOR, OWNER
from .transaction import Transaction
from .world_data import PHOTO, Window, WorldData
from .worlds import WorldObjects


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
