"""From a LayeredWorld to a scene: `World Tracing/<image>/{Layers, Objects, Camera}`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import bpy
import numpy as np
from mathutils import Vector

from ...backend.worldtracing.editing.base import Segmentation
from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.world import FORMAT, LayeredWorld
from ..core.frames import Frame, to_blender
from ..core.names import fit_name
from .camera import TRACED_PICTURE, look_through, match_camera
from .layer_group import DISPLAYS
from .layers import update_layers
from .lifted_retrace import keep_lifted
from .merged import follow_retrace
from .objects import matrix_of, parts_on_root
from .parts import discard_object, new_collection, new_object
from .photo import image_from_rgb, photo_id, traced_image
from .placement import ground_location
from .points import layer_meshes
from .transaction import Transaction
from .worlds import IMAGE, KIND, WORLD, WorldObjects, find_traced, is_linked

TOP_NAME = "World Tracing"
SUB_COLLECTIONS = {"layers": "Layers", "objects": "Objects", "cameras": "Camera"}


@dataclass(frozen=True)
class BuildOptions:
    """How a world enters the scene.

    Attributes:
        display: "Points" or "Surface", for layers that are new; a retrace keeps what the artist chose.
        on_ground: a new world stands with its lowest point on the ground, at the scene's origin or beside what is
            there; otherwise its eye is at the origin. A retrace never moves the root.
        use_camera: make the matched camera the scene's, and the render size the photo's.
        division: of the world, as `lifted_retrace.Retrace` has it; saves time where objects stay lifted.
    """

    display: str = DISPLAYS[0]
    on_ground: bool = True
    use_camera: bool = True
    division: Segmentation | None = None


def build_world(
    scene: bpy.types.Scene,
    world: LayeredWorld,
    *,
    name: str,
    photo: bpy.types.Image | None,
    source: str,
    replaces: WorldObjects | None = None,
    options: BuildOptions = BuildOptions(),
    warn: Callable[[WorldTracingError], None] | None = None,
) -> WorldObjects:
    """Put `world` into `scene`, or update the world that was traced before from the same photo under the same name.

    An update replaces geometry, colors, camera and background; the root's transform, the inputs of the node group
    and whatever the artist added stay. It happens wholly or not at all.

    Args:
        name: of the picture; any string, shown in full in the custom property "wt_name".
        photo: the upright picture that was traced, wholly or a crop of it; packed into the file and set behind the
            matched camera. None takes the traced pixels.
        source: path of the saved world.
        replaces: the world to update, whatever its name and photo.
        warn: told of what went wrong and was made good: WT-SCENE-PHOTO-GONE where the photo's file cannot be read any
            more, so that the traced pixels stand in for it.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY for a world without a point.
    """
    if not world.valid.any():
        raise WorldTracingError(
            "WT-SCENE-EMPTY",
            "The traced world has no points, so there is nothing to build.",
            "Check the mask, or trace another photo.",
        )
    objects = replaces or find_traced(scene, name, photo) or WorldObjects(scene.session_uid, uuid4().hex)
    bounds = _Bounds.of(world)
    with Transaction() as transaction:
        meshes = layer_meshes(transaction, world, name)
        frame, background = _frame(world, photo)
        if photo is not None and (0 in photo.size or (background and not _pack(transaction, photo))):
            if warn is not None:
                warn(_photo_gone(photo))
            frame, background = _frame(world, None)
        background = background or _traced_picture(transaction, world, name)
        _ensure_collections(transaction, scene, objects, name, photo)
        root = objects.root
        if root is None:
            place = Vector()
            if options.on_ground:
                place = ground_location(scene, *bounds.corners, frame.reach(bounds.forward[1]))
            orphans = [part for part in parts_on_root(objects) if part.parent is None]
            root = _new_root(transaction, objects, name, place)
            for part in orphans:  # of a root that the artist has deleted
                transaction.set(part, parent=root)
        size_before = list(root.get("wt_size", ()))
        transaction.set_properties(root, **_properties(world, name, source))
        inputs = _layer_inputs(world, frame, bounds)
        update_layers(transaction, objects, root, meshes, inputs, options.display)
        keep_lifted(transaction, objects, size_before, options.division)
        follow_retrace(transaction, objects, meshes, inputs)
        camera = _ensure_camera(transaction, objects, root, name)
        match_camera(transaction, camera, frame, bounds.forward, background)
        if options.use_camera:
            look_through(scene, camera, transaction)
    return objects


def remove_world(world: WorldObjects) -> None:
    """Remove a world and all that was made for it.

    What the artist added, copies of the world's own parts included, keeps its place; if it was in this world's
    collections alone, it moves up into the scene. A world that is gone already is nothing to do.
    """
    scene, parts, collections = world.scene, world.parts, world.collections
    if scene is None:
        return
    for guest in scene.objects:
        if guest in parts:
            continue
        if guest.get(WORLD) == world.id:  # a copy, which is its own from now on
            for name in (WORLD, KIND):
                guest.pop(name, None)
        if guest.parent in parts:
            place = matrix_of(guest)
            guest.parent = None
            guest.matrix_world = place
    _move_up(scene, parts, collections)
    with Transaction() as transaction:
        for part in parts:
            discard_object(transaction, part)
        for collection in collections:
            transaction.discard(collection)
    top = _top_collection(scene)
    if top is not None and not top.all_objects and not top.children:
        bpy.data.collections.remove(top)


def _move_up(scene: bpy.types.Scene, parts: list[bpy.types.Object], collections: list[bpy.types.Collection]) -> None:
    """Link what is in `collections`, and neither one of them nor of `parts`, into the scene where nothing else does."""
    kept = [c for c in (scene.collection, *scene.collection.children_recursive) if c not in collections]
    for collection in collections:
        for child in collection.children:
            if child not in collections and not any(child in home.children.values() for home in kept):
                scene.collection.children.link(child)
        for guest in collection.objects:
            if guest not in parts and not any(guest in home.objects.values() for home in kept):
                scene.collection.objects.link(guest)


def _top_collection(scene: bpy.types.Scene) -> bpy.types.Collection | None:
    """The collection that holds all of this file's worlds in the scene."""
    found = (child for child in scene.collection.children_recursive if child.get(KIND) == "worlds")
    return next((child for child in found if not is_linked(child)), None)


def _frame(world: LayeredWorld, photo: bpy.types.Image | None) -> tuple[Frame, bpy.types.Image | None]:
    """What the matched camera sees: the whole photo if it can be the one that was traced, else the traced pixels."""
    size = (world.width, world.height)
    if photo is not None and 0 not in photo.size:
        frame = Frame.of_photo(world.K, size, tuple(photo.size), world.metadata.get("crop"))
        if frame is not None:
            return frame, photo
    return Frame.of_traced(world.K, *size), None


def _pack(transaction: Transaction, photo: bpy.types.Image) -> bool:
    """Put the photo's file into Blender's; False where it cannot be read."""
    if photo.source != "FILE" or photo.packed_file:
        return True
    painted = photo.is_dirty
    try:
        photo.pack()
    except RuntimeError:  # Blender's report that the file was moved or deleted
        return False
    if not painted:  # else unpacking would lose what was painted and not saved
        transaction.on_rollback(lambda: photo.unpack(method="REMOVE"))
    return True


def _photo_gone(photo: bpy.types.Image) -> WorldTracingError:
    return WorldTracingError(
        "WT-SCENE-PHOTO-GONE",
        f"The file of the photo {photo.name!r} cannot be read any more, so the traced pixels stand in for it.",
        "Put the file back, and trace again where you need it in full size.",
    )


def _traced_picture(transaction: Transaction, world: LayeredWorld, name: str) -> bpy.types.Image:
    """An image of the traced pixels, for the camera's background."""
    picture = transaction.made(image_from_rgb(fit_name(name, " Traced"), world.rgb))
    picture[KIND] = TRACED_PICTURE
    return picture


@dataclass(frozen=True)
class _Bounds:
    """(lowest, highest) of the valid points along OpenCV's right, down and forward."""

    right: tuple[float, float]
    down: tuple[float, float]
    forward: tuple[float, float]

    @classmethod
    def of(cls, world: LayeredWorld) -> _Bounds:
        axes = (world.points[..., axis][world.valid] for axis in range(3))
        return cls(*((float(values.min()), float(values.max())) for values in axes))

    @property
    def corners(self) -> np.ndarray:
        """(2, 3): the box's lowest and highest corner in the frame of the root."""
        corners = to_blender(np.array([self.right, self.down, self.forward]).T)
        return np.stack([corners.min(0), corners.max(0)])


def _layer_inputs(world: LayeredWorld, frame: Frame, bounds: _Bounds) -> dict[str, Any]:
    """The inputs of the node group that belong to the world."""
    near, far = bounds.forward
    low, high = frame.uv_window()
    return {
        "Width": world.width,
        "Height": world.height,
        "Focal X": float(world.K[0, 0]),
        "Focal Y": float(world.K[1, 1]),
        "Center X": float(world.K[0, 2]),
        "Center Y": float(world.K[1, 2]),
        "Near": near,
        "Far": far,
        "UV Min": (*low, 0.0),
        "UV Max": (*high, 0.0),
    }


def _properties(world: LayeredWorld, name: str, source: str) -> dict[str, Any]:
    """What the root tells about its world."""
    metadata = world.metadata
    seed = metadata.get("seed")
    return {
        "wt_name": name,
        "wt_file": source,
        "wt_format_version": FORMAT.version,
        "wt_engine": metadata.get("engine"),
        "wt_model": metadata.get("model"),
        "wt_seed": None if seed is None else str(seed),  # Blender's whole numbers end at 2**31 - 1
        "wt_mode": metadata.get("mode"),
        "wt_scale": world.scale,
        "wt_K": world.K.reshape(-1).tolist(),
        "wt_size": [world.width, world.height],
    }


def _ensure_collections(
    transaction: Transaction, scene: bpy.types.Scene, objects: WorldObjects, name: str, photo: bpy.types.Image | None
) -> None:
    top = _top_collection(scene)
    if top is None:
        top = new_collection(transaction, scene.collection, TOP_NAME, "worlds")
    collection = objects.collection
    if collection is None:
        collection = new_collection(transaction, top, fit_name(name), "world", objects.id)
        collection["wt_name"], collection["wt_photo"] = name, photo_id(photo) or ""
        transaction.set_properties(collection, **{IMAGE: photo and traced_image(photo)})
    for kind, label in SUB_COLLECTIONS.items():
        if objects.sub_collection(kind) is None:
            new_collection(transaction, collection, label, kind, objects.id)


def _new_root(transaction: Transaction, objects: WorldObjects, name: str, place: Vector) -> bpy.types.Object:
    root = new_object(transaction, objects, "world", fit_name(name), "root", None)
    root.empty_display_type, root.empty_display_size, root.location = "ARROWS", 0.25, place
    return root


def _ensure_camera(
    transaction: Transaction, objects: WorldObjects, root: bpy.types.Object, name: str
) -> bpy.types.Object:
    camera = objects.camera
    if camera is None:
        name = fit_name(name, " Camera")
        data = transaction.made(bpy.data.cameras.new(name))
        camera = new_object(transaction, objects, "cameras", name, "camera", data)
        camera.parent = root
    return camera
