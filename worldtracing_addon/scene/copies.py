"""Copies that artists make of worlds and of their parts, told from those before a file is saved.

A copy carries the custom properties of what it was copied from. While Blender runs, the one made first is the part;
a file does not keep that order, so there the copies lose those properties, or become copies like those made here. A
whole world that was appended or duplicated again becomes a world of its own.
"""

from __future__ import annotations

from uuid import uuid4

import bpy

from .objects import COPY, FILLED, LIFTED
from .worlds import ITEM, KIND, WORLD, WorldObjects, is_linked, worlds


@bpy.app.handlers.persistent
def _before_save(*_) -> None:
    for scene in bpy.data.scenes:
        part_worlds(scene)
        for world in worlds(scene):
            mark_copies(world)


def part_worlds(scene: bpy.types.Scene) -> None:
    """Give worlds of a scene that have the same id, each with a collection of its own, an id each."""
    known = set()
    for collection in scene.collection.children_recursive:
        if collection.get(KIND) != "world" or is_linked(collection):
            continue
        old = collection.get(WORLD)
        if old not in known:
            known.add(old)
            continue
        new = uuid4().hex
        for block in (collection, *collection.children_recursive, *collection.all_objects):
            if block.get(WORLD) == old and not is_linked(block):
                block[WORLD] = new


def mark_copies(world: WorldObjects) -> None:
    """Let a file tell the parts of a world from their copies."""
    parts = set(world.parts)
    for copy in world.scene.objects:
        if copy.get(WORLD) != world.id or copy in parts or is_linked(copy):
            continue
        if copy.get(KIND) in (LIFTED, COPY):
            copy[KIND], copy[ITEM] = COPY, uuid4().hex
        elif copy.get(KIND) != FILLED:  # what fills a hole goes with its object, and so do copies of it
            for name in (WORLD, KIND, ITEM):
                copy.pop(name, None)


def register() -> None:
    bpy.app.handlers.save_pre.append(_before_save)


def unregister() -> None:
    bpy.app.handlers.save_pre.remove(_before_save)
