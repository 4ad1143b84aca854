"""All layers of a world as one object, and as a point cloud of Blender's own kind."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...backend.worldtracing.errors import WorldTracingError
from .. import compat
from ..core.names import fit_name
from .attributes import write_attribute
from .layer_group import NAME as GROUP_NAME
from .layer_group import ensure_group
from .layers import set_input
from .materials import UNLIT, ensure_material
from .parts import discard_object, new_object
from .point_meshes import joined_attributes, new_point_mesh
from .points import POINT_RADIUS, POSITION
from .transaction import Transaction
from .worlds import WorldObjects, layer_modifier

RADIUS = "radius"


def merge_layers(world: WorldObjects) -> bpy.types.Object:
    """One object with the points of all layers and the same controls; the layers' own objects are hidden.

    A point's layer stays in the attribute `wt_layer`, so colors and cut-off by layer work as before. A retrace renews
    the object; merging again does as well, and keeps its controls.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY where the artist has deleted all layers, their points or their nodes.
    """
    layers, controls = _layers(world)
    with Transaction() as transaction:
        _renew(transaction, world, [layer.data for layer in layers], controls)
        _hide(transaction, layers, True)
    return world.merged


def separate_layers(world: WorldObjects) -> None:
    """Remove the merged object and show the layers' own ones again."""
    with Transaction() as transaction:
        if world.merged is not None:
            discard_object(transaction, world.merged)
        _hide(transaction, world.layers, False)


def follow_retrace(
    transaction: Transaction, world: WorldObjects, meshes: dict[int, bpy.types.Mesh], inputs: dict[str, Any]
) -> None:
    """Renew a merged object from new layers; nothing happens where the layers were not merged."""
    if world.merged is None:
        return
    _renew(transaction, world, list(meshes.values()), None)
    for socket, value in inputs.items():
        set_input(transaction, layer_modifier(world.merged), socket, value)
    _hide(transaction, world.layers, True)


def make_point_cloud(world: WorldObjects) -> bpy.types.Object:
    """A new object with the points of all layers as PointCloud data, for exporters and node groups that want it.

    Its points have the attributes of the layers and the radius that the layers show them with. It hangs on the root and
    is the artist's own: a retrace leaves it alone.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    layers, controls = _layers(world)
    K = world.root["wt_K"]
    values = joined_attributes([layer.data for layer in layers])
    name = fit_name(world.name, " Point Cloud")
    with Transaction() as transaction:
        cloud = transaction.made(compat.new_point_cloud(name, len(values[POSITION][1])))
        for attribute, (kind, rows) in values.items():
            write_attribute(cloud, attribute, kind, rows)
        write_attribute(cloud, RADIUS, "FLOAT", _radius(controls, values[POSITION][1][:, 1], min(K[0], K[4])))
        cloud.materials.append(ensure_material(transaction, UNLIT))
        part = transaction.made(bpy.data.objects.new(name, cloud))
        part.parent = world.root
        transaction.link(world.sub_collection("objects") or world.collection, part)
    return part


def _layers(world: WorldObjects) -> tuple[list[bpy.types.Object], bpy.types.NodesModifier]:
    """The layers, and the modifier of the first that has one."""
    layers = world.point_layers
    controls = next(filter(None, map(layer_modifier, layers)), None)
    if world.root is None or controls is None or not any(len(layer.data.vertices) for layer in layers):
        raise WorldTracingError(
            "WT-SCENE-EMPTY",
            "The root of this world, or all its layers, their points or their nodes have been deleted.",
            "Undo that, or trace the photo again.",
        )
    return layers, controls


def _renew(
    transaction: Transaction,
    world: WorldObjects,
    meshes: list[bpy.types.Mesh],
    controls: bpy.types.NodesModifier | None,
) -> None:
    """Give the merged object new points, and where it is new the inputs of the modifier `controls`."""
    values = joined_attributes(meshes)
    name = fit_name(world.name, " Merged")
    mesh = new_point_mesh(transaction, name, values)
    part = world.merged
    if part is None:
        part = new_object(transaction, world, "layers", name, "merged", mesh)
        part.parent = world.root
    else:
        transaction.discard(part.data)
        transaction.set(part, data=mesh)
    if layer_modifier(part) is None:
        modifier = part.modifiers.new(GROUP_NAME, "NODES")
        transaction.on_rollback(lambda: part.modifiers.remove(modifier))
        modifier.node_group = ensure_group(transaction)
        if controls is not None:
            for socket in compat.input_names(controls.node_group):
                compat.set_modifier_input(modifier, socket, compat.get_modifier_input(controls, socket))


def _radius(modifier: bpy.types.NodesModifier, depth: np.ndarray, focal: float) -> np.ndarray:
    """(N,) float32 radius of points at `depth`, by the inputs of a layer's modifier and the smaller focal length."""
    pixels, scaling = (compat.get_modifier_input(modifier, name) for name in ("Point Radius", "Depth Scaling"))
    near, far = (compat.get_modifier_input(modifier, name) for name in ("Near", "Far"))
    if scaling is False and None not in (near, far):
        depth = np.full_like(depth, (near + far) / 2)
    return depth * np.float32((POINT_RADIUS if pixels is None else pixels) / focal)


def _hide(transaction: Transaction, layers: list[bpy.types.Object], hidden: bool) -> None:
    for layer in layers:
        transaction.set(layer, hide_viewport=hidden, hide_render=hidden)
