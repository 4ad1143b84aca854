"""Layers of a world as meshes of bare vertices, written in bulk."""

from __future__ import annotations

import bpy
import numpy as np

from ...backend.worldtracing.world import LayeredWorld
from .. import compat
from ..core.color import linear_rgba
from ..core.frames import to_blender
from ..core.names import fit_name
from .transaction import Transaction

POSITION, COLOR, LAYER, PIXEL, CONFIDENCE = "position", "wt_color", "wt_layer", "wt_pixel", "wt_confidence"


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
        _write(mesh, POSITION, "FLOAT_VECTOR", "vector", to_blender(positions))
        _write(mesh, COLOR, "FLOAT_COLOR", "color", colors.compress(valid, 0))
        _write(mesh, LAYER, "INT", "value", np.full(count, layer, np.int32))
        _write(mesh, PIXEL, "FLOAT2", "vector", pixels.compress(valid, 0))
        _write(mesh, CONFIDENCE, "FLOAT", "value", confidence)
        mesh.color_attributes.active_color = mesh.color_attributes[COLOR]
        mesh.update()
        meshes[layer] = mesh
    return meshes


def _write(mesh: bpy.types.Mesh, name: str, kind: str, field: str, values: np.ndarray) -> None:
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, kind, "POINT")
    attribute.data.foreach_set(field, values.reshape(-1))
