"""Turning a world so that what things stand on is level, at height zero."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.worldtracing.editing.planes import ground_alignment
from ...backend.worldtracing.errors import WorldTracingError
from ..core.frames import to_opencv
from .objects import inverse_of, matrix_of, set_matrix
from .segmentation import LEVEL, level_planes, planes_of
from .world_data import read_world
from .worlds import WorldObjects

ON_SUPPORT = 0.02
"""Distance from a support, relative to depth, within which a place lies on it."""


def align_ground(objects: WorldObjects) -> str:
    """Turn the root so that the floor, or else a table, is level at height zero, and return which of them it was.

    Scale, the camera's place seen from above and the direction it looks in stay.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY, WT-SCENE-GROUND where no floor or table was found.
    """
    data = read_world(objects)
    planes = planes_of(data)
    plane = next((plane for kind in LEVEL for plane in planes if plane.kind == kind), None)
    if plane is None:
        raise WorldTracingError(
            "WT-SCENE-GROUND",
            "No floor or table was found in this world.",
            "Trace the photo as a scene, or turn the world's root by hand.",
        )
    root = objects.root
    bpy.context.view_layer.update()  # a script may just have moved it
    old = matrix_of(root)
    scale = old.median_scale
    level = Matrix(ground_alignment(plane) @ _CAMERA_OF_ROOT)  # looks along +y, the plane at z = 0
    ahead = old.to_3x3() @ Vector((0, 1, 0))
    yaw = Matrix.Rotation(np.arctan2(-ahead.x, ahead.y), 4, "Z") if ahead.xy.length > 1e-6 else Matrix()
    over = Matrix.Translation((old.translation.x, old.translation.y, 0))
    set_matrix(root, over @ yaw @ Matrix.Scale(scale, 4) @ level)
    return plane.kind


def up_at(objects: WorldObjects, place: Vector) -> Vector | None:
    """The up, in the scene, of the floor or table on which a place of the scene lies; None where it lies on neither.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    planes = planes_of(read_world(objects))
    root = matrix_of(objects.root)
    spot = np.array(inverse_of(objects.root) @ place)
    for normal, offset in level_planes(planes):
        if abs(normal @ spot - offset) <= ON_SUPPORT * spot[1]:
            return (root.to_3x3() @ Vector(normal)).normalized()
    return None


_CAMERA_OF_ROOT = np.eye(4)
_CAMERA_OF_ROOT[:3, :3] = to_opencv(np.eye(3)).T
