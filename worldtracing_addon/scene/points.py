"""Layers of a world as meshes of bare vertices, written in bulk."""

from __future__ import annotations

import bpy
import numpy as np

from ...backend.worldtracing.world import LayeredWorld
from .. import compat
from ..core.color import linear_rgba
from ..core.frames import to_blender
from ..core.names import fit_name
from .attributes import write_attribute
from .transaction import Transaction

POSITION, COLOR, LAYER, PIXEL, CONFIDENCE = "position", "wt_color", "wt_layer", "wt_pixel", "wt_confidence"

POINT_RADIUS = 0.75
"""Pixels of the traced picture, as the points of a layer are shown by default."""

OWNER = "wt_owner"
"""Point attribute of layers: the number of the lifted object that a point belongs to, 0 where it is the world's own."""

PAINTED = "wt_painted"
"""Point attribute of layers: the color 0x1RRGGBB that a painter gave a point which an object hid; 0 where none did."""


def holds_points(part: bpy.types.Object) -> bool:
    """Whether an object still has traced points: converting it, or applying its modifier, takes their attributes."""
    attributes = part.data.attributes if part.type == "MESH" else {}
    names = POSITION, COLOR, LAYER, PIXEL, CONFIDENCE
    return all(name in attributes and attributes[name].domain == "POINT" for name in names)


def layer_meshes(transaction: Transaction, world: LayeredWorld, name: str) -> dict[int, bpy.types.Mesh]:
    """One mesh per layer that has points, by layer.

    A vertex per valid pixel in row-major order, in the world's own frame (Blender axes, the eye at the origin), with
    `wt_color` (scene-linear in the file's working space), `wt_layer`, `wt_pixel` (pixel centre: column + 0.5,
    row + 0.5 from the top left) and `wt_confidence` (1 where the engine gives none).
    """
    colors = linear_rgba(world.rgb, compat.rec709_to_working()).reshape(-1, 4)
    columns, rows = np.meshgrid(
        np.arange(world.width, dtype=np.float32) + 0.5, np.arange(world.height, dtype=np.float32) + 0.5
    )
    pixels = np.stack([columns, rows], -1).reshape(-1, 2)
    meshes = {}
    for layer in range(world.layers):
        valid = world.valid[layer].reshape(-1)
        count = int(np.count_nonzero(valid))
        if count == 0:
            continue
        mesh = transaction.made(bpy.data.meshes.new(fit_name(name, f" L{layer + 1}")))
        mesh.vertices.add(count)
        positions = world.points[layer].reshape(-1, 3).compress(valid, 0)
        confidence = np.ones(count, np.float32)
        if world.confidence is not None:
            confidence = world.confidence[layer].reshape(-1).compress(valid)
        write_attribute(mesh, POSITION, "FLOAT_VECTOR", to_blender(positions))
        write_attribute(mesh, COLOR, "FLOAT_COLOR", colors.compress(valid, 0))
        write_attribute(mesh, LAYER, "INT", np.full(count, layer, np.int32))
        write_attribute(mesh, PIXEL, "FLOAT2", pixels.compress(valid, 0))
        write_attribute(mesh, CONFIDENCE, "FLOAT", confidence)
        mesh.color_attributes.active_color = mesh.color_attributes[COLOR]
        mesh.update()
        meshes[layer] = mesh
    return meshes
