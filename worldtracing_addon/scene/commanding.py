"""Carrying out text commands on a world's objects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import bpy
import numpy as np

from ...backend.worldtracing.errors import WorldTracingError
from ..core.commands import Command, Describe, no_name, parse
from . import arranging, describing, lifting, preparing, repainting
from .attributes import read_attribute, write_attribute
from .meshes import meshes_of
from .objects import REMOVED, edited_objects
from .points import COLOR
from .segmentation import prepare, segmentation_of
from .stand_ins import follow, is_selected, set_removed, set_shown, shown_of
from .transaction import Transaction
from .world_data import WorldData, read_world
from .worlds import WorldObjects

LIFTING_VERBS = {"lift", "remove", "move", "rotate", "scale", "replace", "select", "duplicate", "hide"}


def names_to_lift(objects: WorldObjects, data: WorldData, edited: dict[str, bpy.types.Object]) -> dict[str, np.ndarray]:
    """Masks of the segmented objects that are not lifted yet, by name."""
    segmentation = segmentation_of(objects, data)
    taken = (data.owner > 0).any(0)
    masks = {}
    for label, name in enumerate(segmentation.names, 1):
        mask = segmentation.mask(label)
        if name not in edited and np.count_nonzero(mask & taken) < 0.5 * np.count_nonzero(mask):
            masks[name] = mask
    return masks


def run(objects: WorldObjects, text: str) -> str:
    """Do what a line says, and return a sentence about it.

    Objects go by their names in the outliner, and those not lifted yet by their names in the segmentation, or by what
    describes them where a detector is installed; these are lifted first.

    What fails midway leaves all objects as they were.

    Raises:
        WorldTracingError: WT-SCENE-COMMAND, WT-SCENE-NAME, those of lifting and of detectors.
    """
    data = read_world(objects)
    edited = {item.name: item for item in edited_objects(objects)}
    found = names_to_lift(objects, data, edited)

    def describe(words: str) -> str:
        mask = describing.described(objects, data, words)
        if mask is None:
            raise no_name(words, [*edited, *found], describing.hint())
        name = words.capitalize()
        found[name] = mask
        return name

    command = _parsed(objects, text, edited, found, describe)
    with Transaction() as transaction:
        if not set(command.names) <= set(edited):
            _remember_colors(transaction, objects)
        _remember(transaction, objects, edited)
        items = []
        for name, item in _items(objects, command, edited):
            if item is None and command.verb in LIFTING_VERBS:
                item = lifting.lift_object(objects, mask=found[name], name=name)
            if item is not None:
                items.append(item)
        places = [item.matrix_basis.copy() for item in items]
        done = _ACTIONS[command.verb](objects, items, command)
        if command.verb != "put back":
            for item, place in zip(items, places, strict=True):
                follow(objects, item, place)
    return done or f"{command.verb.capitalize()}: {', '.join(command.names)}"


def search(objects: WorldObjects, text: str) -> Callable[[], None] | None:
    """What has to be computed or looked for before `run` can do a line at once: work for a thread; None where nothing.

    Call it again after each: what is looked for can depend on what was found.

    Raises:
        WorldTracingError: as `run`.
    """
    work = prepare(objects)
    if work is not None:
        return work
    data = read_world(objects)
    edited = {item.name: item for item in edited_objects(objects)}
    found = names_to_lift(objects, data, edited)
    works: list[Callable[[], None]] = []

    def describe(words: str) -> str:
        work = describing.search(objects, data, words)
        if work is not None:
            works.append(work)
        elif not works and (mask := describing.described(objects, data, words)) is not None:
            found[words] = mask
        return words

    command = _parsed(objects, text, edited, found, describe)
    if works:
        return works[0]
    if command.verb == "repaint":
        return repainting.prepare(objects, [edited[name] for name in command.names], repainting.BUILT_IN, 0)
    masks = [found[name] for name, item in _items(objects, command, edited) if item is None and name in found]
    return preparing.prepare_lifts(objects, masks) if masks and command.verb in LIFTING_VERBS else None


def _items(
    objects: WorldObjects, command: Command, edited: dict[str, bpy.types.Object]
) -> list[tuple[str, bpy.types.Object | None]]:
    """What a command names; None stands for what is in its place still."""
    names = filter(None, (*command.names, command.other))
    others = objects.scene.objects
    return [(name, edited.get(name) or (others.get(name) if name == command.other else None)) for name in names]


def _parsed(
    objects: WorldObjects,
    text: str,
    edited: dict[str, bpy.types.Object],
    found: dict[str, np.ndarray],
    describe: Describe,
) -> Command:
    selected = [name for name, item in edited.items() if is_selected(objects, item)]
    others = [item.name for item in objects.scene.objects if _can_stand_in(objects, item) and item.name not in edited]
    return parse(text, [*edited, *found], selected, others, describe)


def _remember(transaction: Transaction, objects: WorldObjects, edited: dict[str, bpy.types.Object]) -> None:
    """On failure undo what commands do: objects that are new are put back, all others get their old state."""
    transaction.on_rollback(
        lambda: lifting.put_back(objects, *(item for item in edited_objects(objects) if item.name not in edited))
    )
    parts = [part for item in edited.values() for part in (item, *meshes_of(objects, item))]
    for part in parts:
        place = part.matrix_basis.copy()
        transaction.on_rollback(lambda part=part, place=place: setattr(part, "matrix_basis", place))
        transaction.set(part, hide_viewport=part.hide_viewport, hide_render=part.hide_render)
        transaction.set_properties(part, **{REMOVED: part.get(REMOVED)})


def _remember_colors(transaction: Transaction, objects: WorldObjects) -> None:
    """What other objects hid is colored in one piece with what a command's objects hide: on failure as before."""

    def restore(mesh: bpy.types.Mesh, colors: np.ndarray) -> None:
        write_attribute(mesh, COLOR, "FLOAT_COLOR", colors)
        mesh.update()

    for part in objects.point_layers:
        transaction.on_rollback(partial(restore, part.data, read_attribute(part.data, COLOR)))


def _can_stand_in(objects: WorldObjects, item: bpy.types.Object) -> bool:
    """Whether an object can take a lifted one's place."""
    kinds = {"MESH", "CURVE", "SURFACE", "META", "FONT", "POINTCLOUD", "CURVES"}
    return item.type in kinds and item not in objects.layers and item != objects.merged


def _select(objects: WorldObjects, items: list[bpy.types.Object], _command: Command) -> None:
    items = [shown_of(objects, item) for item in items]
    shown = list(bpy.context.view_layer.objects)
    missing = next((item for item in items if item not in shown), None)
    if missing is not None:
        raise WorldTracingError(
            "WT-SCENE-SELECT",
            f"{missing.name} cannot be selected, as its collection is switched off.",
            "Switch it on in the outliner.",
        )
    for other in shown:
        other.select_set(other in items)
    if items:
        bpy.context.view_layer.objects.active = items[0]


def _hide(objects: WorldObjects, items: list[bpy.types.Object], _command: Command) -> None:
    for item in items:
        set_shown(objects, item, False)


def _show(objects: WorldObjects, items: list[bpy.types.Object], _command: Command) -> None:
    for item in items:
        set_removed(objects, item, False)


def _remove(objects: WorldObjects, items: list[bpy.types.Object], _command: Command) -> None:
    for item in items:
        set_removed(objects, item, True)


def _put_back(objects: WorldObjects, items: list[bpy.types.Object], _command: Command) -> None:
    lifting.put_back(objects, *items)


def _repaint(objects: WorldObjects, items: list[bpy.types.Object], _command: Command) -> None:
    repainting.repaint(objects, items, repainting.BUILT_IN, 0)


def _move(objects: WorldObjects, items: list[bpy.types.Object], command: Command) -> None:
    for item in items:
        arranging.move(objects, item, command.offset, command.metric)


def _rotate(_objects: WorldObjects, items: list[bpy.types.Object], command: Command) -> None:
    for item in items:
        arranging.turn(item, command.degrees)


def _scale(_objects: WorldObjects, items: list[bpy.types.Object], command: Command) -> None:
    for item in items:
        arranging.resize(item, command.factor)


def _duplicate(objects: WorldObjects, items: list[bpy.types.Object], command: Command) -> str:
    copies = [lifting.duplicate(objects, shown_of(objects, item)) for item in items]
    bpy.context.view_layer.update()
    for copy in copies:
        arranging.move(objects, copy, command.offset, command.metric)
    return f"Duplicate: {', '.join(copy.name for copy in copies)}"


def _replace(objects: WorldObjects, items: list[bpy.types.Object], _command: Command) -> str:
    item, other = items
    copy = arranging.replace(objects, item, shown_of(objects, other))
    return f"Replaced {item.name} with {copy.name}"


_ACTIONS: dict[str, Callable[[WorldObjects, list[bpy.types.Object], Command], str | None]] = {
    "select": _select,
    "hide": _hide,
    "show": _show,
    "remove": _remove,
    "put back": _put_back,
    "repaint": _repaint,
    "lift": lambda *_: None,
    "move": _move,
    "rotate": _rotate,
    "scale": _scale,
    "duplicate": _duplicate,
    "replace": _replace,
}
