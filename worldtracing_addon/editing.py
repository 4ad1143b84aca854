"""Novel views, text commands and scene editing: the part of the Python API that `api` passes on."""

from __future__ import annotations

import bpy

from .core.rigs import RigRange
from .scene import coverage, rigs, view_settings
from .scene.rigs import RigOptions
from .scene.worlds import WorldObjects

__all__ = [
    "RigOptions",
    "RigRange",
    "add_rig",
    "restore_view_settings",
    "suggested_range",
    "use_view_settings",
    "view_coverage",
]


def suggested_range(world: WorldObjects) -> RigRange:
    """How far cameras may go around a world before they look into nothing, from the coverage of its layers.

    Raises:
        WorldTracingError: WT-SCENE-CAMERA, WT-SCENE-EMPTY.
    """
    return coverage.suggested_range(world)


def add_rig(world: WorldObjects, kind: str, options: RigOptions | None = None) -> bpy.types.Object:
    """A new camera that shows `world` from elsewhere, made the scene's: "orbit", "arc", "dolly", "fly" or "stereo".

    Each call makes a rig of its own, of ordinary keyframes, constraints, empties and curves.

    Raises:
        WorldTracingError: WT-SCENE-RIG, WT-SCENE-CAMERA, WT-SCENE-EMPTY.
    """
    return rigs.add_rig(world.scene, world, kind, options or RigOptions())


def view_coverage(world: WorldObjects, camera: bpy.types.Object) -> float:
    """The share, 0 to 1, of what `camera` should see of the world at the current frame that has points."""
    return coverage.camera_coverage(world, camera)


def use_view_settings(scene: bpy.types.Scene, engine: str = "CYCLES") -> None:
    """Render with "CYCLES" or "EEVEE", set so that points and surfaces come out clean and soon.

    Raises:
        WorldTracingError: WT-SCENE-CYCLES.
    """
    view_settings.use_view_settings(scene, engine)


def restore_view_settings(scene: bpy.types.Scene) -> None:
    """Go back to the render settings before `use_view_settings`."""
    view_settings.restore_view_settings(scene)
