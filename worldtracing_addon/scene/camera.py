"""The camera that took the photo, and one that looks from somewhere else."""

from __future__ import annotations

from math import pi, radians

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.worldtracing.errors import WorldTracingError
from ..core.frames import SENSOR_MM, Frame, Lens
from ..core.names import fit_name
from .coverage import require_camera
from .transaction import Transaction
from .worlds import KIND, WORLD, WorldObjects

TRACED_PICTURE = "traced_picture"
"""Custom property `KIND` of a background image that was made for a camera, and goes when the camera goes."""

FACE_FORWARD = (pi / 2, 0.0, 0.0)
"""Euler angles of a Blender camera that looks along +y with +z up."""


def match_camera(
    transaction: Transaction,
    camera: bpy.types.Object,
    frame: Frame,
    depths: tuple[float, float],
    background: bpy.types.Image,
) -> None:
    """Make `camera`, a child of the world's root, see `frame` with `background` behind it.

    Args:
        depths: nearest and farthest depth that it must see.
    """
    lens = Lens.from_K(frame.K, frame.width, frame.height)
    data = transaction.made(camera.data.copy())
    data.type, data.lens_unit = "PERSP", "MILLIMETERS"
    data.sensor_width = data.sensor_height = SENSOR_MM
    data.sensor_fit, data.lens = lens.sensor_fit, lens.focal_mm
    data.shift_x, data.shift_y = lens.shift_x, lens.shift_y
    # Wide, because clipping does not follow the root's scale.
    data.clip_start, data.clip_end = min(0.1, depths[0] / 10), max(1000.0, depths[1] * 100)
    _clear_backgrounds(data)
    picture = data.background_images.new()
    picture.image, picture.alpha, picture.display_depth = background, 0.5, "BACK"
    picture.frame_method = "STRETCH"  # the frame is the photo's, also where its pixels are not square
    data.show_background_images = True
    discard_camera_data(transaction, camera.data)
    transaction.set(
        camera, data=data, location=(0, 0, 0), scale=(1, 1, 1), rotation_mode="XYZ", rotation_euler=FACE_FORWARD
    )
    transaction.set_properties(
        camera,
        wt_frame=[frame.width, frame.height],
        wt_pixel_aspect=[lens.aspect_x, lens.aspect_y],
    )


def _clear_backgrounds(data: bpy.types.Camera) -> None:
    for picture in data.background_images:
        picture.image = None  # clear() alone leaves the image's count of users as it is
    data.background_images.clear()


def discard_camera_data(transaction: Transaction, data: bpy.types.Camera) -> None:
    """Remove camera data at the end, and the background image that was made for it."""
    transaction.discard(data)
    for picture in data.background_images:
        if picture.image is not None and picture.image.get(KIND) == TRACED_PICTURE:
            transaction.discard(picture.image)


def look_through(
    scene: bpy.types.Scene, camera: bpy.types.Object | None, transaction: Transaction | None = None
) -> None:
    """Make a world's `camera` the scene's, with the render size and pixel shape of its photo; the percentage stays.

    Raises:
        WorldTracingError: WT-SCENE-CAMERA where the artist deleted it.
    """
    if camera is None:
        raise WorldTracingError(
            "WT-SCENE-CAMERA",
            "The camera that took the photo was deleted.",
            "Undo the deletion, or trace the photo again.",
        )
    transaction = transaction or Transaction()
    (width, height), (aspect_x, aspect_y) = camera["wt_frame"], camera["wt_pixel_aspect"]
    transaction.set(scene, camera=camera)
    transaction.set(
        scene.render, resolution_x=width, resolution_y=height, pixel_aspect_x=aspect_x, pixel_aspect_y=aspect_y
    )


def copy_camera(transaction: Transaction, camera: bpy.types.Object, name: str) -> bpy.types.Camera:
    """Data like that of `camera`, called `name`, without its photo."""
    data = transaction.made(camera.data.copy())
    data.name = name
    _clear_backgrounds(data)
    return data


def orbit_camera(scene: bpy.types.Scene, world: WorldObjects, degrees: float) -> bpy.types.Object:
    """A camera like the matched one, led around the world's center; made once and moved after that.

    Positive degrees lead it to the right. The center keeps its place in the picture.

    Raises:
        WorldTracingError: WT-SCENE-CAMERA, WT-SCENE-EMPTY.
    """
    matched = require_camera(world)
    center = Matrix.Translation(_center(world))
    place = center @ Matrix.Rotation(radians(degrees), 4, "Z") @ center.inverted() @ matched.matrix_basis
    camera = world.object_of("novel_camera")
    with Transaction() as transaction:
        data = copy_camera(transaction, matched, fit_name(world.name, " Novel View"))
        if camera is None:
            camera = transaction.made(bpy.data.objects.new(data.name, data))
            camera[WORLD], camera[KIND] = world.id, "novel_camera"
            camera.parent = world.root
            transaction.link(world.sub_collection("cameras") or world.collection, camera)
        else:
            transaction.discard(camera.data)
            transaction.set(camera, data=data)
        frame = {name: list(matched[name]) for name in ("wt_frame", "wt_pixel_aspect")}
        transaction.set_properties(camera, **frame)
        camera.matrix_basis = place
    return camera


def _center(world: WorldObjects) -> Vector:
    """The middle one of all points along each axis, in the frame of the root."""
    positions = []
    for layer in world.point_layers:
        values = np.empty(len(layer.data.vertices) * 3, np.float32)
        layer.data.attributes["position"].data.foreach_get("vector", values)
        positions.append(values.reshape(-1, 3))
    if not any(map(len, positions)):
        raise WorldTracingError(
            "WT-SCENE-EMPTY", f"The world {world.name!r} has no points left.", "Undo that, or trace the photo again."
        )
    return Vector(np.median(np.concatenate(positions), 0))
