"""Lifted objects of a world, found by the custom properties that `lift` gives them."""

from __future__ import annotations

import bpy

from .worlds import KIND, WORLD, WorldObjects

LIFTED, FILLED = "lifted", "filled"
"""Kinds of parts: an object taken out of the layers, and the new points that close the hole it left."""

OWNER = "wt_owner"
"""Point attribute of layers: the number of the lifted object that a point belongs to, 0 where it is the world's."""

NUMBER, ORIGIN = "wt_number", "wt_origin"
"""Custom properties of a lifted object: its number, and where its own origin lies in the frame of the root."""


def lifted_objects(world: WorldObjects) -> list[bpy.types.Object]:
    """The objects that were lifted out of a world, in the order in which they were. Copies are not among them."""
    return sorted((part for part in world.parts if part[KIND] == LIFTED), key=lambda part: part[NUMBER])


def shown_objects(world: WorldObjects) -> list[bpy.types.Object]:
    """Every object with points of a world beside its layers: lifted ones, copies of them, and fills."""
    return [
        part
        for part in world.scene.objects
        if part.get(WORLD) == world.id and part.get(KIND) in (LIFTED, FILLED) and part.type == "MESH"
    ]
