"""What of a traced world a camera sees: its shown points as splats, in the frame of the root."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ...backend.worldtracing.errors import WorldTracingError
from ..core.coverage import FILLED_FRAME, LONGER_SIDE, Splats, coverage, covered, holes, low_resolution
from ..core.rigs import RigRange, Viewpoint, clip_matrix, suggest_range
from .attributes import read_attribute
from .objects import ORIGIN, inverse_of, matrix_of, parts_with_points
from .points import OWNER, PIXEL, POINT_RADIUS, POSITION
from .worlds import WorldObjects

POINTS_PER_PIXEL = 1.5  # along each side of a splatted view: enough that rounding leaves no gaps


def require_camera(world: WorldObjects) -> bpy.types.Object:
    """The camera that took the photo.

    Raises:
        WorldTracingError: WT-SCENE-CAMERA where the artist deleted it.
    """
    if world.camera is None or world.root is None:
        raise WorldTracingError(
            "WT-SCENE-CAMERA",
            f"The world {world.name!r} has lost the camera that took its photo, or its root.",
            "Undo the deletion, or trace the photo again.",
        )
    return world.camera


def splats_of(world: WorldObjects) -> Splats:
    """The points that a render of the world shows, thinned for splatting; lifted objects where they are now."""
    root = world.root
    K, (width, height) = _intrinsics(root)
    stride = max(1, round(max(width, height) / (LONGER_SIDE * POINTS_PER_PIXEL)))
    to_root = inverse_of(root)
    points, radii = [np.empty((0, 3), np.float32)], [np.empty(0, np.float32)]
    for part in parts_with_points(world):
        if part.hide_render:
            continue
        positions, depths = _thinned(part, stride)
        matrix = np.array(to_root @ matrix_of(part), np.float32)
        points.append(positions @ matrix[:3, :3].T + matrix[:3, 3])
        radii.append(depths * np.float32(POINT_RADIUS * stride / K[0, 0] * _size_of(matrix)))
    splats = Splats(np.concatenate(points), np.concatenate(radii), False)
    seen = covered(splats, clip_matrix(K, (width, height), np.eye(4)), splat_size(world, width, height))
    return Splats(splats.points, splats.radii, bool(seen.mean() > FILLED_FRAME))


def viewpoint_of(world: WorldObjects, splats: Splats) -> Viewpoint:
    """The photo's camera in the frame of the root, whose up is the scene's."""
    K, size = _intrinsics(world.root)
    up = (inverse_of(world.root).to_3x3() @ Vector((0, 0, 1))).normalized()
    distances = np.linalg.norm(splats.points, axis=1)
    return Viewpoint(K, size, np.median(splats.points, 0).astype(np.float64), np.array(up), float(distances.min()))


def suggested_range(world: WorldObjects) -> RigRange:
    """How far cameras may go around this world before they look into nothing.

    Raises:
        WorldTracingError: WT-SCENE-CAMERA, WT-SCENE-EMPTY where no layer is shown.
    """
    require_camera(world)
    splats = require_points(world)
    view = viewpoint_of(world, splats)
    return suggest_range(splats, view, splat_size(world, *view.size))


def require_points(world: WorldObjects) -> Splats:
    """`splats_of`, which must not be empty.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    splats = splats_of(world)
    if len(splats.points) == 0:
        raise WorldTracingError(
            "WT-SCENE-EMPTY", f"No layer of the world {world.name!r} is shown.", "Show its layers in the outliner."
        )
    return splats


def camera_coverage(world: WorldObjects, camera: bpy.types.Object) -> float:
    """The share, 0 to 1, of what `camera` should see of the world that has points."""
    render = world.scene.render
    size = splat_size(world, render.resolution_x, render.resolution_y)
    return coverage(splats_of(world), camera_view(world, camera), size)


def splat_size(world: WorldObjects, width: int, height: int) -> tuple[int, int]:
    """(width, height) at which a `width` x `height` view of the world is splatted: its points are denser than that."""
    traced = max(world.root["wt_size"])
    return low_resolution(width, height, min(LONGER_SIDE, max(1, int(traced / POINTS_PER_PIXEL))))


def camera_view(world: WorldObjects, camera: bpy.types.Object) -> np.ndarray:
    """(4, 4) clip matrix that leads from the root's frame to what `camera` sees at the scene's render size."""
    render = world.scene.render
    depsgraph = bpy.context.evaluated_depsgraph_get()
    placed = camera.evaluated_get(depsgraph)
    projection = placed.calc_matrix_camera(
        depsgraph,
        x=render.resolution_x,
        y=render.resolution_y,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    return np.array(projection @ placed.matrix_world.normalized().inverted() @ matrix_of(world.root))


def missing_in_view(splats: Splats, view: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, rows from the top: where a view of the splats shows nothing although it should."""
    return holes(covered(splats, view, size), splats.fills_frame)


def _intrinsics(root: bpy.types.Object) -> tuple[np.ndarray, tuple[int, int]]:
    return np.array(root["wt_K"], np.float64).reshape(3, 3), tuple(root["wt_size"])


def _thinned(part: bpy.types.Object, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Every `stride`-th point of a layer or lifted object along both axes of the picture, and its traced depth."""
    positions = read_attribute(part.data, POSITION)
    pixels = read_attribute(part.data, PIXEL).astype(np.int32)
    kept = (pixels % stride == stride // 2).all(1)
    owners = read_attribute(part.data, OWNER)
    if owners is not None:
        kept &= owners == 0
    positions = positions[kept]
    return positions, positions[:, 1] + part.get(ORIGIN, (0, 0, 0))[1]


def _size_of(matrix: np.ndarray) -> float:
    """The mean scale of a (4, 4) transform."""
    return float(np.cbrt(abs(np.linalg.det(matrix[:3, :3].astype(np.float64)))))
