"""Finding traced worlds in a file, by the custom properties that `build` gives their parts.

Names are the artist's to change, so nothing is found by name. Data-block references do not outlive an undo or a file
being opened, so `WorldObjects` keeps none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .. import compat
from .layer_group import INPUTS
from .layer_group import NAME as GROUP_NAME
from .photo import photo_id, traced_image
from .points import holds_points

WORLD, KIND = "wt_world", "wt_kind"
"""Custom properties of every part: the id of the world it belongs to, and what it is."""

IMAGE = "wt_image"
"""Custom property of a world's collection: the image that was traced."""

ITEM = "wt_item"
"""Custom property of parts that a world can have many of, rigs and lifted objects: the id of the one it belongs to."""


@dataclass(frozen=True)
class WorldObjects:
    """A traced world in a scene; each property looks its part up anew, None (or empty) where the artist deleted it.

    Attributes:
        scene_uid: session id of the scene it is in, which outlives undo and renaming.
        id: what its parts carry as the custom property "wt_world".
    """

    scene_uid: int
    id: str

    @property
    def scene(self) -> bpy.types.Scene | None:
        """The scene it is in; after its file was opened anew, the first one that holds it."""
        for scene in bpy.data.scenes:
            if scene.session_uid == self.scene_uid:
                return scene
        return next((scene for scene in bpy.data.scenes if any(map(self._owns, scene.objects))), None)

    @property
    def name(self) -> str:
        """The name of its collection, unique in the file."""
        return self.collection.name

    @property
    def collection(self) -> bpy.types.Collection | None:
        return self.sub_collection("world")

    def sub_collection(self, kind: str) -> bpy.types.Collection | None:
        """Its collection of one kind: "world", "layers", "objects" or "cameras"."""
        return next((c for c in self.collections if c.get(KIND) == kind), None)

    @property
    def is_linked(self) -> bool:
        """Whether it comes from another file, as a link or an override: Blender lets nothing be added to it."""
        collection = self.collection
        return collection is not None and is_linked(collection)

    @property
    def collections(self) -> list[bpy.types.Collection]:
        """Every collection that was made for it."""
        scene = self.scene
        return [c for c in scene.collection.children_recursive if self._owns(c)] if scene else []

    @property
    def root(self) -> bpy.types.Object | None:
        """The Empty that everything hangs on: move, turn and scale this one."""
        return self.object_of("root")

    @property
    def camera(self) -> bpy.types.Object | None:
        """The camera that took the photo."""
        return self.object_of("camera")

    @property
    def layers(self) -> list[bpy.types.Object]:
        """The layer objects, visible surface first."""
        return sorted((part for part in self.parts if part[KIND] == "layer"), key=lambda part: part["wt_layer"])

    @property
    def point_layers(self) -> list[bpy.types.Object]:
        """The layers without those whose traced points the artist has given up, by applying the modifier for one."""
        return [layer for layer in self.layers if holds_points(layer)]

    @property
    def merged(self) -> bpy.types.Object | None:
        """All layers as one object, where they were merged."""
        return self.object_of("merged")

    @property
    def parts(self) -> list[bpy.types.Object]:
        """Every object that was made for it. Copies carry the same properties, but are the artist's.

        So are layers that were converted to another type of object, which cannot be given new points.
        """
        scene = self.scene
        owned = [part for part in scene.objects if self._owns(part)] if scene else []
        owned = [part for part in owned if part.type == "MESH" or part[KIND] not in ("layer", "merged")]
        first: dict[tuple, bpy.types.Object] = {}
        for part in sorted(owned, key=lambda part: part.session_uid):  # a copy was made later
            first.setdefault((part[KIND], part.get("wt_layer"), part.get(ITEM)), part)
        return list(first.values())

    @property
    def items(self) -> list[bpy.types.Object]:
        """Everything of kinds that a world can have many of: rigs, lifted objects, and the artist's copies of them."""
        scene = self.scene
        return [part for part in scene.objects if self._owns(part) and ITEM in part] if scene else []

    def object_of(self, kind: str) -> bpy.types.Object | None:
        """Its object of one kind: "root", "camera", "novel_camera" or "merged"."""
        return next((part for part in self.parts if part[KIND] == kind), None)

    def _owns(self, part: bpy.types.ID) -> bool:
        return part.get(WORLD) == self.id and KIND in part


def is_linked(block: bpy.types.ID) -> bool:
    """Whether a data-block is another file's, as a link or an override."""
    return bool(block.library or block.override_library)


def worlds(scene: bpy.types.Scene) -> list[WorldObjects]:
    """All traced worlds of a scene, in the order of the outliner."""
    found = (c for c in scene.collection.children_recursive if c.get(KIND) == "world")
    return [WorldObjects(scene.session_uid, collection[WORLD]) for collection in found]


def find_traced(scene: bpy.types.Scene, name: str, photo: bpy.types.Image | None) -> WorldObjects | None:
    """This file's world that was traced under `name` from `photo`, or the photo it is a copy of; None: from any."""
    for world in worlds(scene):
        collection = world.collection
        if is_linked(collection) or collection["wt_name"] != name:
            continue
        if photo is None or _is_same_path(photo_id(photo), collection["wt_photo"]) or _has_moved(collection, photo):
            return world
    return None


def _has_moved(collection: bpy.types.Collection, photo: bpy.types.Image) -> bool:
    """Whether a world is that of a photo which has another path now, as the folder of the file and its photos has."""
    traced = collection.get(IMAGE)
    return traced is not None and traced == traced_image(photo) and not Path(collection["wt_photo"]).exists()


def _is_same_path(one: str, other: str) -> bool:
    """Whether two paths lead to the same place; Blender writes those that are relative to its file in many ways."""
    return os.path.normcase(os.path.normpath(one)) == os.path.normcase(os.path.normpath(other))


def active_world(context: bpy.types.Context) -> WorldObjects | None:
    """The world that the user means: the active object's, the scene camera's, or the last one."""
    found = {world.id: world for world in worlds(context.scene)}
    for part in (context.view_layer.objects.active, context.scene.camera):
        if part is not None and part.get(WORLD) in found:
            return found[part[WORLD]]
    return next(reversed(found.values()), None)


def layer_modifier(layer: bpy.types.Object) -> bpy.types.NodesModifier | None:
    """The modifier that shows a layer."""
    for modifier in layer.modifiers:
        if modifier.type == "NODES" and modifier.node_group and modifier.node_group.get("wt_group") == GROUP_NAME:
            return modifier
    return None


def set_layer_inputs(world: WorldObjects, **values: Any) -> None:
    """Set node-group inputs on all layers, merged or not, and on lifted objects.

    Names are given with underscores for spaces, e.g. Point_Radius=1.0.

    Raises:
        KeyError: the group has no such input; one that the artist has renamed or removed is left alone.
    """
    values = {name.replace("_", " "): value for name, value in values.items()}
    if unknown := values.keys() - set(INPUTS):
        raise KeyError(*unknown)
    shown = [*world.layers, *([world.merged] if world.merged else []), *world.items]
    for modifier in filter(None, map(layer_modifier, shown)):
        for name, value in values.items():
            compat.set_modifier_input(modifier, name, value)
