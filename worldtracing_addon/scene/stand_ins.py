"""Meshes that stand for a lifted object's points: what an artist does to the object, happens to what is shown of it."""

from __future__ import annotations

import bpy
from mathutils import Matrix

from .meshes import meshes_of
from .objects import REMOVED
from .worlds import ITEM, WorldObjects


def shown_of(objects: WorldObjects, item: bpy.types.Object) -> bpy.types.Object:
    """What is shown of an object: the mesh that stands for its points, or itself."""
    return next((mesh for mesh in _meshes(objects, item) if not mesh.hide_viewport), item)


def is_selected(objects: WorldObjects, item: bpy.types.Object) -> bool:
    """Whether an object is selected, itself or one of its meshes."""
    return any(part.select_get() for part in (item, *_meshes(objects, item)))


def set_shown(objects: WorldObjects, item: bpy.types.Object, shown: bool) -> None:
    """Hide all that is shown of an object, or show again what was: what is behind it is there already."""
    meshes = _meshes(objects, item)
    if shown:
        wanted = next((mesh for mesh in meshes if mesh.get(REMOVED)), shown_of(objects, item))
    else:
        wanted = None
        if (mesh := shown_of(objects, item)) != item:
            mesh[REMOVED] = True
    for part in (item, *meshes):
        part.hide_viewport = part.hide_render = part != wanted
        if shown:
            part[REMOVED] = False


def set_removed(objects: WorldObjects, item: bpy.types.Object, removed: bool) -> None:
    """Hide an object for good, or show it again."""
    set_shown(objects, item, not removed)
    item[REMOVED] = removed


def follow(objects: WorldObjects, item: bpy.types.Object, before: Matrix) -> None:
    """Move the meshes of an object as it was moved itself; `before` is its earlier `matrix_basis`."""
    change = item.matrix_basis @ before.inverted_safe()
    for mesh in _meshes(objects, item):
        if mesh.parent == item.parent:
            mesh.matrix_basis = change @ mesh.matrix_basis


def _meshes(objects: WorldObjects, item: bpy.types.Object) -> list[bpy.types.Object]:
    return meshes_of(objects, item) if ITEM in item else []
