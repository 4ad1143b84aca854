"""Lifted objects of a world: kinds, properties, and the node group that lets each have an origin of its own."""

from __future__ import annotations

import bpy
from mathutils import Matrix

from ...backend.worldtracing.errors import WorldTracingError
from .node_graph import NodeGraph
from .points import holds_points
from .transaction import Transaction
from .worlds import KIND, WorldObjects

LIFTED, COPY, FILLED = "lifted", "copy", "filled"
"""Kinds of items: an object taken out of the layers, a copy of one, and new points that close the hole it left."""

NUMBER, ORIGIN = "wt_number", "wt_origin"
"""Custom properties of a lifted object: its number, and where its own origin lies in the frame of the root."""

UP, REMOVED = "wt_up", "wt_removed"
"""Its up in the frame of the root, away from what it stands on; and whether it is hidden because it was removed."""

SHIFT = "World Tracing Shift"


def lifted_objects(world: WorldObjects) -> list[bpy.types.Object]:
    """The objects that were lifted out of a world, in the order in which they were. Copies are not among them."""
    return sorted((part for part in world.parts if part[KIND] == LIFTED), key=lambda part: part[NUMBER])


def shown_objects(world: WorldObjects) -> list[bpy.types.Object]:
    """Every object with points of a world beside its layers: lifted ones, copies of them, and fills."""
    return [part for part in world.items if ORIGIN in part]


def parts_with_points(world: WorldObjects) -> list[bpy.types.Object]:
    """Every object with points of a world, hidden ones included; layers that were merged, on their own and as one."""
    return [part for part in parts_on_root(world) if holds_points(part)]


def is_lifted(item: bpy.types.Object) -> bool:
    """Whether an object was lifted and still has its traced points, which go when the artist converts it."""
    return item.get(KIND) == LIFTED and holds_points(item)


def parts_on_root(world: WorldObjects) -> list[bpy.types.Object]:
    """Every part whose place is told by the root: the camera that took the photo, and all that has points."""
    camera = [world.camera] if world.camera else []
    return [*camera, *world.layers, *([world.merged] if world.merged else []), *shown_objects(world)]


def edited_objects(world: WorldObjects) -> list[bpy.types.Object]:
    """What commands can speak of: lifted objects, copies of them and what replaced them, by name."""
    return sorted((part for part in world.items if part[KIND] in (LIFTED, COPY)), key=lambda part: part.name)


def matrix_of(item: bpy.types.Object) -> Matrix:
    """An object's matrix in the scene, also of one that is hidden, switched off, or in a scene that is not shown.

    Blender leaves the `matrix_world` of those as it is.
    """
    if item.visible_get():
        return item.matrix_world.copy()
    parent = matrix_of(item.parent) @ item.matrix_parent_inverse if item.parent else Matrix()
    return parent @ item.matrix_basis


def inverse_of(item: bpy.types.Object) -> Matrix:
    """The inverse of `matrix_of`, from the scene into an object.

    Raises:
        WorldTracingError: WT-SCENE-FLAT where it is scaled to nothing.
    """
    try:
        return matrix_of(item).inverted()
    except ValueError as error:
        raise WorldTracingError(
            "WT-SCENE-FLAT",
            f"{item.name} is scaled to nothing, so that nothing has a place in it.",
            "Give it a scale other than 0 (Alt+S makes it 1).",
        ) from error


def set_matrix(item: bpy.types.Object, matrix: Matrix) -> None:
    """Place an object in the scene, also where its parent is one whose `matrix_world` Blender leaves as it is."""
    item.matrix_world = matrix
    if item.parent is not None and item.parent_type == "OBJECT":
        item.matrix_basis = (matrix_of(item.parent) @ item.matrix_parent_inverse).inverted() @ matrix


def ensure_shift_group(transaction: Transaction) -> bpy.types.NodeTree:
    """The shared node group that moves points by its input "Shift".

    The nodes that show layers need points in the frame of the root; a lifted object is moved there before and back
    after them.
    """
    for group in bpy.data.node_groups:
        if group.get("wt_shift") and not group.library:
            return group
    group = transaction.made(bpy.data.node_groups.new(SHIFT, "GeometryNodeTree"))
    group["wt_shift"], group.is_modifier = True, True
    for direction in ("OUTPUT", "INPUT"):
        group.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
    group.interface.new_socket("Shift", in_out="INPUT", socket_type="NodeSocketVector")
    graph = NodeGraph(group)
    inputs = graph.add("NodeGroupInput").outputs
    moved = graph.add("GeometryNodeSetPosition", Geometry=inputs["Geometry"], Offset=inputs["Shift"])
    graph.add("NodeGroupOutput", moved)
    return group
