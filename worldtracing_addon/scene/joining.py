"""Merging lifted objects, and splitting one: every traced point stays in exactly one of them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.worldtracing.editing.base import Prompt
from ...backend.worldtracing.errors import WorldTracingError
from .attributes import read_attribute
from .lift_plan import cut, stand
from .lifting import new_shown, renew_merged
from .objects import FILLED, LIFTED, NUMBER, ORIGIN, UP, inverse_of, is_lifted, matrix_of, shown_objects
from .parts import discard_object
from .point_meshes import Attributes, chosen, joined_attributes, new_point_mesh
from .points import LAYER, PIXEL, POSITION
from .preparing import require_lifted, up_in_root
from .segmentation import planes_of, segmenter_of
from .transaction import Transaction
from .world_data import read_world
from .world_writing import write_owner
from .worlds import ITEM, KIND, WorldObjects


def merge(objects: WorldObjects, items: Sequence[bpy.types.Object]) -> bpy.types.Object:
    """Several lifted objects as the first of them, which keeps its name and origin; all points stay where they are.

    Raises:
        WorldTracingError: WT-SCENE-SELECT where these are fewer than two objects lifted out of this world.
    """
    parts = objects.parts
    if len(items) < 2 or any(item not in parts or not is_lifted(item) for item in items):
        raise WorldTracingError(
            "WT-SCENE-SELECT",
            "Two or more objects lifted out of one world must be selected; copies cannot be merged.",
            "Select them with Shift held, last the one whose name stays.",
        )
    data = read_world(objects)
    first, others = items[0], items[1:]
    owner = np.where(np.isin(data.owner, [item[NUMBER] for item in others]), first[NUMBER], data.owner)
    with Transaction() as transaction:
        _merge_fills(transaction, objects, items)
        _join(transaction, first, others)
        write_owner(transaction, objects, data, owner)
        renew_merged(objects)
    return first


def split(objects: WorldObjects, item: bpy.types.Object, prompts: Sequence[Prompt], name: str = "") -> bpy.types.Object:
    """Make the part of a lifted object that prompts point at an object of its own, which stays where it is.

    Args:
        prompts: clicks, boxes or strokes in the traced picture, where the object was seen.
        name: of the part; without one it is the object's with a number.

    Raises:
        WorldTracingError: WT-SCENE-SELECT for what is no lifted object, WT-SCENE-PROMPT, WT-SCENE-SPLIT.
    """
    require_lifted(objects, item)
    data = read_world(objects)
    part = cut(data, item[NUMBER], prompts, segmenter_of(objects.scene))
    number = int(data.owner.max()) + 1
    values = joined_attributes([item.data])
    taken = _where(values, part.points)
    positions = values[POSITION][1][taken] + np.array(item[ORIGIN])
    up, origin = stand(positions, planes_of(data), up_in_root(objects))
    shift = np.array(item[ORIGIN]) - origin
    with Transaction() as transaction:
        mesh = new_point_mesh(transaction, name or item.name, chosen(values, taken, shift))
        made = new_shown(transaction, objects, mesh.name, mesh, LIFTED, uuid4().hex, origin)
        made[NUMBER], made[UP] = number, up.tolist()
        made.matrix_parent_inverse = item.matrix_parent_inverse
        made.matrix_basis = item.matrix_basis @ Matrix.Translation(Vector(-shift))
        _change_mesh(transaction, item, chosen(values, ~taken))
        _split_fill(transaction, objects, item, made, part.mask)
        write_owner(transaction, objects, data, np.where(part.points, number, data.owner))
        renew_merged(objects)
    return made


def _join(transaction: Transaction, first: bpy.types.Object, others: Sequence[bpy.types.Object]) -> None:
    """Give `first` the points of the others, where they are in the scene, and discard those."""
    values = joined_attributes([first.data, *(other.data for other in others)])
    into, moved = inverse_of(first), [read_attribute(first.data, POSITION)]
    for other in others:
        change = np.array(into @ matrix_of(other))
        moved.append(read_attribute(other.data, POSITION) @ change[:3, :3].T + change[:3, 3])
        discard_object(transaction, other)
    values[POSITION] = values[POSITION][0], np.concatenate(moved)
    _change_mesh(transaction, first, values)


def _change_mesh(transaction: Transaction, item: bpy.types.Object, values: Attributes) -> None:
    mesh = new_point_mesh(transaction, item.data.name, values)
    for material in item.data.materials:
        mesh.materials.append(material)
    transaction.discard(item.data)
    transaction.set(item, data=mesh)


def _fill_of(objects: WorldObjects, item: bpy.types.Object) -> bpy.types.Object | None:
    """The points that close the hole that an object left."""
    return next((fill for fill in shown_objects(objects) if fill[KIND] == FILLED and fill[ITEM] == item[ITEM]), None)


def _merge_fills(transaction: Transaction, objects: WorldObjects, items: Sequence[bpy.types.Object]) -> None:
    fills = [fill for fill in (_fill_of(objects, item) for item in items) if fill is not None]
    if not fills:
        return
    transaction.set_properties(fills[0], **{ITEM: items[0][ITEM]})
    if len(fills) > 1:
        _join(transaction, fills[0], fills[1:])


def _split_fill(
    transaction: Transaction,
    objects: WorldObjects,
    item: bpy.types.Object,
    made: bpy.types.Object,
    mask: np.ndarray,
) -> None:
    """Give the part of an object that was split off, seen in `mask` (H, W) bool, what fills the hole behind it."""
    fill = _fill_of(objects, item)
    if fill is None:
        return
    values = joined_attributes([fill.data])
    taken = _where(values, mask[None])
    if not taken.any():
        return
    if taken.all():
        transaction.set_properties(fill, **{ITEM: made[ITEM]})
        return
    mesh = new_point_mesh(transaction, f"{made.name} Fill", chosen(values, taken))
    copy = new_shown(transaction, objects, mesh.name, mesh, FILLED, made[ITEM], np.array(fill[ORIGIN]))
    copy.matrix_parent_inverse, copy.matrix_basis = fill.matrix_parent_inverse, fill.matrix_basis
    _change_mesh(transaction, fill, chosen(values, ~taken))


def _where(values: Attributes, points: np.ndarray) -> np.ndarray:
    """(N,) bool, which vertices lie on one of the `points`, (L, H, W) bool; beyond its layers none does."""
    columns, rows = np.floor(values[PIXEL][1]).astype(int).T
    layer = values[LAYER][1]
    known = layer < len(points)
    return known & points[np.where(known, layer, 0), rows, columns]
