"""Lifting objects out of a world's layers, and putting them back. Every traced point is in exactly one place.

The layers keep all points; those that an object has taken carry its number and are not shown (`points.OWNER`). So
nothing is lost, whatever becomes of the object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import bpy
import numpy as np

from ...backend.worldtracing.editing.base import Filled, Prompt
from .. import compat
from ..core.color import linear_rgba
from ..core.frames import to_blender
from ..core.names import fit_name
from .layer_group import NAME as GROUP_NAME
from .layer_group import ensure_group
from .lift_plan import OUTLINE, Recoloring, given_back, lift_plan, recoloring
from .merged import merge_layers
from .meshes import meshes_of
from .objects import (
    COPY,
    FILLED,
    LIFTED,
    NUMBER,
    ORIGIN,
    REMOVED,
    UP,
    ensure_shift_group,
    lifted_objects,
    shown_objects,
)
from .parts import discard_object, new_item
from .point_meshes import new_point_mesh
from .points import COLOR, CONFIDENCE, LAYER, PIXEL, POSITION
from .preparing import that_are_lifted, wanted
from .transaction import Transaction
from .world_data import Window, WorldData, read_world
from .world_writing import paint_again, write_colors, write_owner
from .worlds import ITEM, KIND, WORLD, WorldObjects, layer_modifier

INVENTED = "wt_invented"
"""Point attribute of lifted objects and fills: the photo does not show this point's color."""


def lift_object(
    objects: WorldObjects, prompts: Sequence[Prompt] = (), mask: np.ndarray | None = None, name: str = ""
) -> bpy.types.Object:
    """Take an object with its hidden layers out of the world; it stays where it is, with an origin of its own.

    What it hid is colored anew, and where no layer shows it, filled in.

    Args:
        prompts: clicks, boxes or strokes in the traced picture; or else
        mask: (H, W) bool, the pixels in which the object is seen.
        name: of the new object; without one it is the segmentation's.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY, WT-SCENE-PROMPT where there is no object, WT-SCENE-LIFTED where it was lifted
            before.
    """
    data = read_world(objects)
    plan = lift_plan(data, wanted(objects, prompts, mask))
    name = name or plan.name
    with Transaction() as transaction:
        mesh = _points_mesh(transaction, name, plan.positions, plan.rgb, plan.places, plan.invented, plan.confidence)
        lifted = new_shown(transaction, objects, name, mesh, LIFTED, uuid4().hex, plan.origin)
        lifted[NUMBER], lifted[UP] = plan.number, plan.up.tolist()
        if plan.filled.valid.any():
            _add_fill(transaction, objects, lifted, plan.filled, plan.window)
        _write_layers(transaction, objects, replace(data, owner=plan.owner_after(data)), plan.recoloring)
        renew_merged(objects)
    return lifted


def put_back(objects: WorldObjects, *items: bpy.types.Object) -> None:
    """Give lifted objects' points back to the layers, as they were, all or none. Copies are only removed.

    Meshes of them are hidden.
    """
    data, lifted = read_world(objects), that_are_lifted(objects, items)
    with Transaction() as transaction:
        for item in lifted:
            discard_fill(transaction, objects, item[ITEM])
        for item in items:
            _hide_meshes(transaction, objects, item)
            discard_object(transaction, item)
        _give_back(transaction, objects, *given_back(data, [item[NUMBER] for item in lifted]))
        renew_merged(objects)


def put_all_back(objects: WorldObjects) -> None:
    """Give all points back to the layers, also those of objects that were deleted; copies stay."""
    data = read_world(objects)
    with Transaction() as transaction:
        for item in lifted_objects(objects):
            _hide_meshes(transaction, objects, item)
            discard_object(transaction, item)
        for item in shown_objects(objects):
            if item[KIND] == FILLED:
                discard_object(transaction, item)
        _give_back(transaction, objects, *given_back(data, np.unique(data.owner)))
        renew_merged(objects)


def duplicate(objects: WorldObjects, item: bpy.types.Object) -> bpy.types.Object:
    """A copy of any object in this world, with the same data and at the same place."""
    with Transaction() as transaction:
        copy = transaction.made(item.copy())
        copy[WORLD], copy[KIND], copy[ITEM] = objects.id, COPY, uuid4().hex
        copy.animation_data_clear()
        transaction.link(objects.sub_collection("objects") or objects.collection, copy)
    copy.hide_viewport = copy.hide_render = False
    copy[REMOVED] = False
    return copy


def _give_back(transaction: Transaction, objects: WorldObjects, after: WorldData, changed: np.ndarray) -> None:
    if changed.any():
        write_ownership(transaction, objects, after, changed)


def write_ownership(transaction: Transaction, objects: WorldObjects, data: WorldData, changed: np.ndarray) -> None:
    """Bring the layers up to date with `data.owner`: who has which point, and the colors of what objects hid.

    Args:
        changed: (H, W) bool, pixels of which some point has another owner than before.
    """
    _write_layers(transaction, objects, data, recoloring(data, changed))


def _write_layers(transaction: Transaction, objects: WorldObjects, data: WorldData, colors: Recoloring) -> None:
    ensure_group(transaction)
    write_colors(transaction, objects, data, colors.rgb, colors.window)
    write_owner(transaction, objects, data, data.owner)
    paint_again(transaction, objects, data, OUTLINE)


def _points_mesh(
    transaction: Transaction,
    name: str,
    positions: np.ndarray,
    rgb: np.ndarray,
    places: tuple[np.ndarray, np.ndarray, np.ndarray],
    invented: np.ndarray,
    confidence: np.ndarray,
) -> bpy.types.Mesh:
    """A mesh of bare vertices with the attributes of a layer.

    Args:
        positions: (N, 3), in the object's own frame.
        rgb: (N, 3) uint8 sRGB.
        places: layers, rows and columns, (N,) each.
        invented: (N,) bool, colors that the photo does not show.
        confidence: (N,).
    """
    layer, row, column = places
    values = {
        POSITION: ("FLOAT_VECTOR", positions),
        COLOR: ("FLOAT_COLOR", linear_rgba(rgb, compat.rec709_to_working())),
        LAYER: ("INT", layer),
        PIXEL: ("FLOAT2", np.stack([column, row], -1) + 0.5),
        CONFIDENCE: ("FLOAT", confidence),
        INVENTED: ("BOOLEAN", invented),
    }
    return new_point_mesh(transaction, name, values)


def new_shown(
    transaction: Transaction,
    objects: WorldObjects,
    name: str,
    mesh: bpy.types.Mesh,
    kind: str,
    item: str,
    origin: np.ndarray,
) -> bpy.types.Object:
    """An object on the root whose points are shown as the world's layers are."""
    shown = new_item(transaction, objects, "objects", fit_name(name), kind, item, mesh)
    shown.parent, shown.location = objects.root, origin
    shown[ORIGIN] = origin.tolist()
    shift = ensure_shift_group(transaction)
    controls = next(filter(None, map(layer_modifier, objects.layers)), None)
    for label, group, offset in (("To World", shift, origin), (GROUP_NAME, None, None), ("To Object", shift, -origin)):
        modifier = shown.modifiers.new(label, "NODES")
        modifier.node_group = group or ensure_group(transaction)
        if group is not None:
            compat.set_modifier_input(modifier, "Shift", tuple(map(float, offset)))
        elif controls is not None:
            for socket in compat.input_names(controls.node_group):
                compat.set_modifier_input(modifier, socket, compat.get_modifier_input(controls, socket))
    return shown


def _add_fill(
    transaction: Transaction, objects: WorldObjects, lifted: bpy.types.Object, filled: Filled, window: Window
) -> None:
    row, column = np.nonzero(filled.valid)
    places = np.zeros(len(row), np.int32), row + window[0].start, column + window[1].start
    mesh = _points_mesh(
        transaction,
        f"{lifted.name} Fill",
        to_blender(filled.points[filled.valid]),
        filled.rgb[filled.valid],
        places,
        np.ones(len(row), bool),
        np.ones(len(row), np.float32),
    )
    new_shown(transaction, objects, mesh.name, mesh, FILLED, lifted[ITEM], np.zeros(3))


def _hide_meshes(transaction: Transaction, objects: WorldObjects, item: bpy.types.Object) -> None:
    for mesh in meshes_of(objects, item):
        transaction.set(mesh, hide_viewport=True, hide_render=True)


def discard_fill(transaction: Transaction, objects: WorldObjects, item: str) -> None:
    for other in shown_objects(objects):
        if other[KIND] == FILLED and other[ITEM] == item:
            discard_object(transaction, other)


def renew_merged(objects: WorldObjects) -> None:
    if objects.merged is not None:
        merge_layers(objects)
