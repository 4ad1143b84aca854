"""Novel views, text commands and scene editing: the part of the Python API that `api` passes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy
import numpy as np
from mathutils import Vector

from ..backend.worldtracing.editing.base import Box, Click, Prompt, SegmenterInfo, Stroke
from ..backend.worldtracing.editing.detectors import DetectorInfo
from .core.rigs import RigRange
from .scene import (
    arranging,
    commanding,
    coverage,
    describing,
    ground,
    joining,
    lifting,
    preparing,
    rigs,
    segmentation,
    stand_ins,
    view_settings,
)
from .scene.objects import lifted_objects
from .scene.rigs import RigOptions
from .scene.world_data import read_world
from .scene.worlds import WorldObjects

__all__ = [
    "Box",
    "Click",
    "RigOptions",
    "RigRange",
    "Stroke",
    "add_rig",
    "align_ground",
    "command_search",
    "detectors",
    "find_objects",
    "insert_object",
    "lift_object",
    "lifted_objects",
    "merge_objects",
    "prepare_lift",
    "prepare_objects",
    "prepare_put_back",
    "prepare_split",
    "prepare_supports",
    "put_all_back",
    "put_back",
    "remove_object",
    "replace_object",
    "restore_view_settings",
    "run_command",
    "segmenter_in_use",
    "segmenters",
    "split_object",
    "suggested_range",
    "use_segmenter",
    "use_view_settings",
    "view_coverage",
]


def find_objects(world: WorldObjects) -> list[str]:
    """Names of the objects that can still be lifted, the largest first; commands know them too.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    return list(commanding.names_to_lift(world, read_world(world), {}))


def lift_object(
    world: WorldObjects, prompts: Sequence[Prompt] = (), *, mask: np.ndarray | None = None, name: str = ""
) -> bpy.types.Object:
    """Take an object with its hidden layers out of the world; what it hid is there, or filled in.

    Args:
        prompts: `Click`, `Box` and `Stroke` in pixels of the traced picture; or else
        mask: (H, W) bool, the pixels in which the object is seen.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY, WT-SCENE-PROMPT, WT-SCENE-LIFTED.
    """
    return lifting.lift_object(world, prompts, mask, name)


def prepare_lift(
    world: WorldObjects, prompts: Sequence[Prompt] = (), *, mask: np.ndarray | None = None
) -> Callable[[], object] | None:
    """What `lift_object` would compute for these prompts, as a function for a thread; None where it is known.

    Once it has run, lifting only makes objects. The function raises what stops the lift.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    return preparing.prepare_lift(world, prompts, mask)


def merge_objects(world: WorldObjects, items: Sequence[bpy.types.Object]) -> bpy.types.Object:
    """Several lifted objects as the first of them; all points stay where they are.

    Raises:
        WorldTracingError: WT-SCENE-SELECT where these are fewer than two objects lifted out of this world.
    """
    return joining.merge(world, items)


def split_object(
    world: WorldObjects, item: bpy.types.Object, prompts: Sequence[Prompt], name: str = ""
) -> bpy.types.Object:
    """Make a part of a lifted object an object of its own, which stays where it is.

    Args:
        prompts: `Click`, `Box` and `Stroke` on the part, in pixels of the traced picture, wherever the object is now.

    Raises:
        WorldTracingError: WT-SCENE-SELECT, WT-SCENE-PROMPT, and WT-SCENE-SPLIT where nothing tells the part apart.
    """
    return joining.split(world, item, prompts, name)


def prepare_split(
    world: WorldObjects, item: bpy.types.Object, prompts: Sequence[Prompt]
) -> Callable[[], object] | None:
    """What `split_object` would compute, as `prepare_lift` does for lifting.

    Raises:
        WorldTracingError: WT-SCENE-SELECT, WT-SCENE-EMPTY.
    """
    return preparing.prepare_split(world, item, prompts)


def prepare_objects(world: WorldObjects) -> Callable[[], object] | None:
    """What tells the objects of a world and its supports apart, as a function for a thread; None where it is known.

    Once it has run, `find_objects` answers at once, and lifting waits less.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    return segmentation.prepare(world)


def prepare_supports(world: WorldObjects) -> Callable[[], object] | None:
    """What finds the floor, walls and tables of a world, as a function for a thread; None where they are known.

    Once it has run, `align_ground`, and `insert_object` with `on_support`, do not wait for it.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    return segmentation.prepare_supports(world)


def segmenters() -> list[tuple[SegmenterInfo, str]]:
    """What each segmenter says of itself, license included, and why it cannot be used here; "" where it can."""
    return list(segmentation.known_segmenters())


def segmenter_in_use(scene: bpy.types.Scene) -> str:
    """The name of the segmenter that a scene's worlds are divided with."""
    return segmentation.chosen_segmenter(scene)


def use_segmenter(scene: bpy.types.Scene, name: str) -> None:
    """Divide a scene's worlds with another segmenter from now on; what it lacks is told when it is used.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN.
    """
    segmentation.choose_segmenter(scene, name)


def detectors() -> list[tuple[DetectorInfo, str]]:
    """What each text-prompted detector says of itself, license included, and why it cannot be used; "" where it can.

    Commands find objects by description with the first that can be used.
    """
    return list(describing.known_detectors())


def put_back(world: WorldObjects, *items: bpy.types.Object) -> None:
    """Give lifted objects' points back to the layers, and hide their meshes; copies are only removed."""
    lifting.put_back(world, *items)


def prepare_put_back(world: WorldObjects, *items: bpy.types.Object) -> Callable[[], object] | None:
    """What `put_back` would compute, as `prepare_lift` does for lifting: colors of what other objects hide.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    return preparing.prepare_put_back(world, *items)


def put_all_back(world: WorldObjects) -> None:
    """Give all points back to the layers, also those of objects that were deleted."""
    lifting.put_all_back(world)


def remove_object(world: WorldObjects, item: bpy.types.Object) -> None:
    """Hide a lifted object in viewport and render, whatever is shown of it; `put_back` has it as it was."""
    stand_ins.set_removed(world, item, True)


def replace_object(world: WorldObjects, item: bpy.types.Object, other: bpy.types.Object) -> bpy.types.Object:
    """Remove `item`, and put a copy of any object where it stood: as large, on its support, facing the same way."""
    return arranging.replace(world, item, other)


def insert_object(
    world: WorldObjects, other: bpy.types.Object, place: Sequence[float] | None = None, *, on_support: bool = False
) -> bpy.types.Object:
    """A copy of any object, e.g. lifted from another photo, that stands in this world, at the 3D cursor or `place`.

    What was lifted gets the size that it has in this world: by real lengths where both worlds are metric, otherwise
    as if both photos were taken from the same height.

    Args:
        on_support: stand upright on the floor or table at `place`; without it, or elsewhere, along the scene's z.
    """
    place = Vector(world.scene.cursor.location if place is None else place)
    return arranging.insert(world, other, place, ground.up_at(world, place) if on_support else None)


def align_ground(world: WorldObjects) -> str:
    """Turn a world so that its floor, or else a table, is level at height zero; returns which of them it was.

    Raises:
        WorldTracingError: WT-SCENE-GROUND, WT-SCENE-EMPTY.
    """
    return ground.align_ground(world)


def run_command(world: WorldObjects, text: str) -> str:
    """Do what a line like "move the chair left 0.5 m" says, and return a sentence about it.

    Raises:
        WorldTracingError: WT-SCENE-COMMAND and WT-SCENE-NAME, which say what would be understood, and those of lifting.
    """
    return commanding.run(world, text)


def command_search(world: WorldObjects, text: str) -> Callable[[], object] | None:
    """What `run_command` would compute, or look for in the photo with a detector, as a function for a thread.

    None where it would do neither. Once it has run there can be more: ask again until there is nothing.

    Raises:
        WorldTracingError: as `run_command`.
    """
    return commanding.search(world, text)


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
