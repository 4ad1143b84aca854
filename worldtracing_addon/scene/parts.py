"""Making and discarding the parts of a world; every part carries its world's id and its kind."""

from __future__ import annotations

import bpy

from .camera import discard_camera_data
from .transaction import Transaction
from .worlds import ITEM, KIND, WORLD, WorldObjects

COLOR_TAGS = {
    "worlds": "COLOR_05",
    "world": "COLOR_05",
    "layers": "COLOR_04",
    "objects": "COLOR_03",
    "cameras": "COLOR_06",
}


def new_collection(
    transaction: Transaction, parent: bpy.types.Collection, name: str, kind: str, world_id: str | None = None
) -> bpy.types.Collection:
    """A new collection in `parent`; without an id it belongs to no world."""
    collection = transaction.made(bpy.data.collections.new(name))
    collection.color_tag = COLOR_TAGS[kind]
    collection[KIND] = kind
    if world_id is not None:
        collection[WORLD] = world_id
    transaction.link(parent, collection)
    return collection


def new_object(
    transaction: Transaction, objects: WorldObjects, home: str, name: str, kind: str, data: bpy.types.ID | None
) -> bpy.types.Object:
    """A new object in the world's collection of the kind `home`, or where the artist removed that, in the world's."""
    part = transaction.made(bpy.data.objects.new(name, data))
    part[WORLD], part[KIND] = objects.id, kind
    transaction.link(objects.sub_collection(home) or objects.collection, part)
    return part


def new_item(
    transaction: Transaction,
    objects: WorldObjects,
    home: str,
    name: str,
    kind: str,
    item: str,
    data: bpy.types.ID | None,
) -> bpy.types.Object:
    """A new object of a kind that a world can have many of, told apart by `item`."""
    part = new_object(transaction, objects, home, name, kind, data)
    part[ITEM] = item
    return part


def discard_object(transaction: Transaction, part: bpy.types.Object) -> None:
    """Remove an object at the end, with data that nobody else uses."""
    transaction.discard(part)
    if part.type == "CAMERA":
        discard_camera_data(transaction, part.data)
    elif part.data is not None:
        transaction.discard(part.data)
