"""Showing some of a scene's worlds and leaving out others: the check boxes that the outliner has for collections."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from .worlds import WorldObjects, worlds


def set_shown(world: WorldObjects, shown: bool) -> None:
    """Include the world's collection in all view layers of its scene, or exclude it: then it costs nothing."""
    collection, scene = world.collection, world.scene
    if collection is None or scene is None:
        return
    for view_layer in scene.view_layers:
        for layer_collection in _walk(view_layer.layer_collection):
            if layer_collection.collection == collection:
                layer_collection.exclude = not shown


def show_only(world: WorldObjects) -> None:
    """Show this world and leave out all others of its scene."""
    for other in worlds(world.scene):
        set_shown(other, other.id == world.id)


def excluded_collections(scene: bpy.types.Scene) -> set[bpy.types.Collection]:
    """The collections that no view layer of the scene includes."""
    # Not the objects of the view layers: they lack what was added since Blender has last looked.
    by_layer = [
        {entry.collection for entry in _walk(view_layer.layer_collection) if entry.exclude}
        for view_layer in scene.view_layers
    ]
    return set.intersection(*by_layer)


def _walk(layer_collection: bpy.types.LayerCollection) -> Iterator[bpy.types.LayerCollection]:
    yield layer_collection
    for child in layer_collection.children:
        yield from _walk(child)
