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
from mathutils import Vector

from ...backend.worldtracing.editing.base import Filled, Plane, Prompt, front_layer, part
from ...backend.worldtracing.editing.colors import surface_colors
from ...backend.worldtracing.editing.fill import fill
from ...backend.worldtracing.editing.lift import lift
from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.regions import dilate
from .. import compat
from ..core.color import linear_rgba
from ..core.frames import to_blender
from ..core.names import fit_name
from ..core.placing import bottom_center, standing_on
from .layer_group import NAME as GROUP_NAME
from .layer_group import ensure_group
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
    matrix_of,
    shown_objects,
)
from .parts import discard_object, new_item
from .point_meshes import new_point_mesh
from .points import COLOR, CONFIDENCE, LAYER, PIXEL, POSITION
from .segmentation import level_planes, planes_of, segmentation_of, select, surfaces_of
from .transaction import Transaction
from .world_data import Window, WorldData, read_world, window_around, window_with_neighbors, write_colors, write_owner
from .worlds import ITEM, KIND, WORLD, WorldObjects, layer_modifier

INVENTED = "wt_invented"
"""Point attribute of lifted objects and fills: the photo does not show this point's color."""

REACH = 0.25  # heights of the object that its lower end may be from what it stands on
OUTLINE = 2  # pixels around an object whose colors it has mixed with


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
    segmentation, planes = segmentation_of(objects, data), planes_of(objects, data)
    surfaces = surfaces_of(objects, data)
    mask = select(objects, data, prompts) if mask is None else mask
    mask = mask & ~_seen_taken(data)
    # In the whole world, so that what is lifted does not depend on what was lifted before.
    taken = lift(data.world, mask, planes, surfaces).points & data.remaining
    if not taken.any():
        raise WorldTracingError(
            "WT-SCENE-LIFTED",
            "What the photo shows there was lifted before, or is nothing.",
            "Select it in the outliner under Objects, or put it back.",
        )
    labels = np.bincount(segmentation.labels[mask], minlength=1)
    labels[0] = 0
    name = name or (segmentation.names[labels.argmax() - 1] if labels.any() else "Object")
    number = max(1, int(data.owner.max()) + 1)
    owner = np.where(taken, number, data.owner).astype(np.int32)
    window = window_around(taken.any(0))
    near, points = data.crop(window), taken[:, *window]
    colors = surface_colors(near.world, points, planes, surfaces.crop(window))
    filled = fill(part(near.world, near.remaining), near.remaining & ~points, planes)
    with Transaction() as transaction:
        positions = to_blender(data.world.points[taken])
        up, origin = stand(objects, positions, planes)
        mesh = _points_mesh(
            transaction,
            name,
            positions - origin.astype(np.float32),
            colors.rgb[points],
            np.nonzero(taken),
            colors.invented[points],
            data.world.confidence[taken],
        )
        lifted = new_shown(transaction, objects, name, mesh, LIFTED, uuid4().hex, origin)
        lifted[NUMBER], lifted[UP] = number, up.tolist()
        if filled.valid.any():
            _add_fill(transaction, objects, lifted, filled, window)
        write_ownership(transaction, objects, replace(data, owner=owner), taken.any(0))
        renew_merged(objects)
    return lifted


def put_back(objects: WorldObjects, *items: bpy.types.Object) -> None:
    """Give lifted objects' points back to the layers, as they were, all or none. Copies are only removed.

    Meshes of them are hidden.
    """
    data, parts = read_world(objects), objects.parts
    lifted = [item for item in items if item[KIND] == LIFTED and item in parts]
    with Transaction() as transaction:
        for item in lifted:
            discard_fill(transaction, objects, item[ITEM])
        for item in items:
            _hide_meshes(transaction, objects, item)
            discard_object(transaction, item)
        _give_back(transaction, objects, data, np.isin(data.owner, [item[NUMBER] for item in lifted]))
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
        _give_back(transaction, objects, data, data.owner > 0)
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


def _seen_taken(data: WorldData) -> np.ndarray:
    """(H, W) bool, the pixels of the photo that show an object which was lifted already."""
    front = front_layer(data.world.valid)
    return np.take_along_axis(data.owner, np.maximum(front, 0)[None], 0)[0] > 0


def _give_back(transaction: Transaction, objects: WorldObjects, data: WorldData, taken: np.ndarray) -> None:
    if not taken.any():
        return
    owner = np.where(taken, 0, data.owner).astype(np.int32)
    write_ownership(transaction, objects, replace(data, owner=owner), taken.any(0))


def write_ownership(transaction: Transaction, objects: WorldObjects, data: WorldData, changed: np.ndarray) -> None:
    """Bring the layers up to date with `data.owner`: who has which point, and the colors of what objects hid.

    Args:
        changed: (H, W) bool, pixels of which some point has another owner than before.
    """
    window = window_with_neighbors(changed, data.owner)
    near = data.crop(window)
    rgb = np.broadcast_to(near.world.rgb, (*near.owner.shape, 3))
    taken = near.owner > 0
    if taken.any():
        uncovered = dilate(taken.any(0), OUTLINE)
        surfaces = surfaces_of(objects, data).crop(window)
        invented = surface_colors(near.world, near.remaining, planes_of(objects, data), surfaces).rgb
        rgb = np.where((uncovered & near.remaining)[..., None], invented, rgb)
    ensure_group(transaction)
    write_colors(transaction, objects, data, rgb, window)
    write_owner(transaction, objects, data, data.owner)


def stand(objects: WorldObjects, positions: np.ndarray, planes: Sequence[Plane]) -> tuple[np.ndarray, np.ndarray]:
    """The up of points (N, 3) and their origin, the bottom center on what they stand on, in the frame of the root."""
    positions = positions.astype(np.float64)
    levels = level_planes(planes)
    index = standing_on(positions, levels, REACH)
    if index >= 0:
        return levels[index][0], bottom_center(positions, *levels[index])
    into = matrix_of(objects.root).to_3x3().inverted()
    up = np.array((into @ Vector((0, 0, 1))).normalized())
    return up, bottom_center(positions, up)


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
