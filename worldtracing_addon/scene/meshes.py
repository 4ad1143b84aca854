"""Textured meshes of lifted objects and of whole worlds, beside the points that they were made from.

Several meshes of the same points are alternatives: one of them is shown, or the points are. A mesh is found by what it
was made from: the `worlds.ITEM` of a lifted object, or nothing for the world itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.meshing.textured import TexturedMesh
from ...backend.worldtracing.world import MAX_LAYERS, LayeredWorld
from ..core.frames import to_blender, to_opencv
from ..core.names import fit_name
from .attributes import read_attribute
from .objects import FILLED, ORIGIN, lifted_objects, shown_objects
from .parts import new_item
from .points import CONFIDENCE, OWNER, PIXEL, POSITION, holds_points
from .textured_material import textured_material
from .transaction import Transaction
from .world_data import read_world, shown_colors
from .worlds import ITEM, KIND, WorldObjects

MESH = "mesh"
"""Kind of the items that are textured meshes."""

SOURCE, GENERATOR = "wt_source", "wt_generator"
"""Custom properties of a mesh: the item it was made from, empty for the world; and what made it."""

UV_NAME = "UVMap"

REMESH_VOXELS = 128
"""Voxels along the longest side for Voxel Remesh, whose default of 0.1 m leaves nothing of a cup."""


def read_points(objects: WorldObjects, item: bpy.types.Object | None) -> LayeredWorld:
    """The points of a lifted object, or those that the layers still show, with what fills the holes between them.

    Each ray's nearest point is in layer 0, and `rgb` has the color with which that is shown: behind a lifted object the
    photo shows something else.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY where no point or no layer is left.
    """
    traced = read_world(objects).world
    if item is not None:
        parts = [item]
    else:
        parts = objects.layers + [part for part in shown_objects(objects) if part[KIND] == FILLED]
    found = [_points_of(part) for part in parts if holds_points(part)]  # else the artist has emptied it
    if not any(len(points) for points, *_ in found):
        raise WorldTracingError(
            "WT-SCENE-EMPTY",
            "There are no points left to make a mesh of.",
            "Put objects back, or trace the photo again.",
        )
    points, rows, columns, rgb, confidence = (np.concatenate(values) for values in zip(*found, strict=True))
    order = np.lexsort((points[:, 2], columns, rows))
    rows, columns = rows[order], columns[order]
    index = np.arange(len(order))
    first = np.r_[True, (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])]
    layer = index - np.maximum.accumulate(np.where(first, index, 0))
    kept = layer < MAX_LAYERS  # the artist may have added vertices, which all claim the same pixel
    order, rows, columns, layer, first = order[kept], rows[kept], columns[kept], layer[kept], first[kept]
    shape = (int(layer.max()) + 1, traced.height, traced.width)
    at = layer, rows, columns
    stacked, valid, sure = np.zeros((*shape, 3), np.float32), np.zeros(shape, bool), np.ones(shape, np.float32)
    stacked[at], valid[at], sure[at] = points[order], True, confidence[order].clip(0, 1)
    colors = traced.rgb.copy()
    colors[rows[first], columns[first]] = rgb[order][first]
    return replace(traced, points=stacked, valid=valid, rgb=colors, confidence=sure)


def build_mesh(
    objects: WorldObjects,
    item: bpy.types.Object | None,
    mesh: TexturedMesh,
    pictures: Mapping[str, bytes],
    generator: str,
    label: str,
    renew: bool,
) -> bpy.types.Object:
    """Put a mesh where its points are, and show it instead of them and of other meshes of them.

    Args:
        item: what it was made from; None for the world.
        mesh: in the frame of the world's camera.
        pictures: PNG files of its maps, by the names of `TexturedMesh`.
        generator: what made it; `label` for people.
        renew: give an earlier mesh of the same generator this shape, instead of adding one.
    """
    name = fit_name(objects.name if item is None else item.name, f" Mesh {label}")
    with Transaction() as transaction:
        origin = np.array(item[ORIGIN] if item is not None else (0, 0, 0), np.float32)
        data = _mesh_data(transaction, name, to_blender(mesh.vertices) - origin, mesh)
        data.materials.append(textured_material(transaction, name, pictures))
        before = [part for part in meshes_of(objects, item) if part[GENERATOR] == generator] if renew else []
        if before:
            part = before[-1]
            _discard_data(transaction, part.data)
            transaction.set(part, data=data)
        else:
            part = new_item(transaction, objects, "objects", name, MESH, uuid4().hex, data)
            part[SOURCE], part[GENERATOR] = "" if item is None else item[ITEM], generator
        _place(transaction, part, objects, item)
        _show(transaction, objects, item, part)
    return part


def meshes_of(objects: WorldObjects, item: bpy.types.Object | None) -> list[bpy.types.Object]:
    """The meshes that were made of a lifted object, or of the world for None, by name."""
    identity = "" if item is None else item[ITEM]
    found = (part for part in objects.parts if part[KIND] == MESH and part[SOURCE] == identity)
    return sorted(found, key=lambda part: part.name)


def source_of(objects: WorldObjects, part: bpy.types.Object | None) -> bpy.types.Object | None:
    """The lifted object that `part` is, or was made of; None stands for the world."""
    identity = part and (part.get(SOURCE) if part.get(KIND) == MESH else part.get(ITEM))
    return next((item for item in lifted_objects(objects) if item[ITEM] == identity), None)


def is_mesh(part: bpy.types.Object | None) -> bool:
    """Whether an object is a mesh that was made here."""
    return part is not None and part.get(KIND) == MESH and part.type == "MESH"


def points_shown(objects: WorldObjects, item: bpy.types.Object | None) -> bool:
    """Whether points of a lifted object, or of the world, are shown, as far as its meshes decide that."""
    return any(stands and not part.hide_viewport for part, stands in _points(objects, item).items())


def show_alternative(objects: WorldObjects, item: bpy.types.Object | None, mesh: bpy.types.Object | None) -> None:
    """Show one mesh of a lifted object, or of the world, and hide the others and the points; None shows the points."""
    with Transaction() as transaction:
        _show(transaction, objects, item, mesh)


def _show(
    transaction: Transaction, objects: WorldObjects, item: bpy.types.Object | None, mesh: bpy.types.Object | None
) -> None:
    shown = {part: mesh is None and stands for part, stands in _points(objects, item).items()}
    shown |= {part: part == mesh for part in meshes_of(objects, item)}
    for part, is_shown in shown.items():
        transaction.set(part, hide_viewport=not is_shown, hide_render=not is_shown)


def _points(objects: WorldObjects, item: bpy.types.Object | None) -> dict[bpy.types.Object, bool]:
    """What holds the points, and whether it is there to be shown: layers that were merged are not."""
    if item is not None:
        return {item: True}
    merged = objects.merged
    points = dict.fromkeys(objects.layers, merged is None) | ({merged: True} if merged else {})
    return points | {part: True for part in shown_objects(objects) if part[KIND] == FILLED}


def _points_of(part: bpy.types.Object) -> tuple[np.ndarray, ...]:
    """Points in the camera frame, rows, columns, sRGB colors and confidence of an object's shown points."""
    data = part.data
    owner = read_attribute(data, OWNER)
    kept = slice(None) if owner is None else owner == 0
    origin = np.array(part.get(ORIGIN, (0, 0, 0)), np.float32)
    columns, rows = np.floor(read_attribute(data, PIXEL)).astype(int).T
    points = to_opencv(read_attribute(data, POSITION) + origin)
    values = points, rows, columns, shown_colors(data), read_attribute(data, CONFIDENCE)
    return tuple(value[kept] for value in values)


def _mesh_data(transaction: Transaction, name: str, vertices: np.ndarray, mesh: TexturedMesh) -> bpy.types.Mesh:
    data = transaction.made(bpy.data.meshes.new(name))
    count = len(mesh.faces)
    data.vertices.add(len(vertices))
    data.vertices.foreach_set("co", vertices.reshape(-1))
    data.loops.add(3 * count)
    data.loops.foreach_set("vertex_index", mesh.faces.reshape(-1))
    data.polygons.add(count)
    data.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    data.polygons.foreach_set("use_smooth", np.ones(count, bool))
    data.uv_layers.new(name=UV_NAME).uv.foreach_set("vector", mesh.uvs.reshape(-1))
    data.update(calc_edges=True)
    data.validate()  # other people's generators may give the same triangle twice
    data.remesh_voxel_size = max(float(np.ptp(vertices, axis=0).max()) / REMESH_VOXELS, 1e-4)
    return data


def _place(
    transaction: Transaction, part: bpy.types.Object, objects: WorldObjects, item: bpy.types.Object | None
) -> None:
    """Let a mesh stand where its points do: as the lifted object hangs on the root, or on the root itself."""
    before = part.parent, part.matrix_parent_inverse.copy(), part.matrix_basis.copy()
    transaction.on_rollback(lambda: _hang(part, *before))
    if item is None:
        _hang(part, objects.root, Matrix(), Matrix())
    else:
        _hang(part, item.parent, item.matrix_parent_inverse, item.matrix_basis)


def _hang(part: bpy.types.Object, parent: bpy.types.Object | None, inverse: Matrix, basis: Matrix) -> None:
    part.parent = parent
    part.matrix_parent_inverse, part.matrix_basis = inverse, basis


def _discard_data(transaction: Transaction, data: bpy.types.Mesh) -> None:
    """Remove a mesh at the end, with the material and pictures that nobody else uses."""
    transaction.discard(data)
    for material in filter(None, data.materials):
        transaction.discard(material)
        for node in material.node_tree.nodes if material.node_tree else ():
            if node.type == "TEX_IMAGE" and node.image is not None:
                transaction.discard(node.image)
