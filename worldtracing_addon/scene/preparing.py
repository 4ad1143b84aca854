"""What lifting, splitting and putting back compute first, as work for a thread: then they hold Blender only shortly.

Work touches no Blender data. Functions give None in its place where all is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy
import numpy as np
from mathutils import Vector

from ...backend.worldtracing.editing.base import Prompt
from ...backend.worldtracing.errors import WorldTracingError
from .lift_plan import Wanted, cut, given_back, knows_cut, knows_lift_plans, knows_recoloring, lift_plans, recoloring
from .objects import LIFTED, NUMBER, inverse_of, is_lifted
from .segmentation import planes_of, segmenter_of
from .world_data import read_layers
from .worlds import KIND, WorldObjects


def prepare_lift(
    objects: WorldObjects, prompts: Sequence[Prompt] = (), mask: np.ndarray | None = None
) -> Callable[[], object] | None:
    """For `lifting.lift_object`.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY. The work raises the others of `lift_object`.
    """
    return _prepare_lifts(objects, prompts, [mask])


def prepare_lifts(objects: WorldObjects, masks: Sequence[np.ndarray]) -> Callable[[], object] | None:
    """For objects that are lifted one after the other by their masks; of many, for the first ones."""
    return _prepare_lifts(objects, (), masks)


def prepare_put_back(objects: WorldObjects, *items: bpy.types.Object) -> Callable[[], object] | None:
    """For `lifting.put_back`.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY.
    """
    layers, numbers = read_layers(objects), [item[NUMBER] for item in that_are_lifted(objects, items)]
    data = layers.known_data()
    if data is not None:
        after, changed = given_back(data, numbers)
        if not changed.any() or knows_recoloring(after, changed):
            return None

    def work() -> None:
        after, changed = given_back(layers.data(), numbers)
        if changed.any():
            recoloring(after, changed)

    return work


def prepare_split(
    objects: WorldObjects, item: bpy.types.Object, prompts: Sequence[Prompt]
) -> Callable[[], object] | None:
    """For `joining.split`.

    Raises:
        WorldTracingError: WT-SCENE-SELECT, WT-SCENE-EMPTY. The work raises the others of `split`.
    """
    require_lifted(objects, item)
    layers, asked = read_layers(objects), (item[NUMBER], tuple(prompts), segmenter_of(objects.scene))
    data = layers.known_data()
    if data is not None and knows_cut(data, *asked):
        return None

    def work() -> None:
        data = layers.data()
        planes_of(data)
        cut(data, *asked)

    return work


def wanted(objects: WorldObjects, prompts: Sequence[Prompt], mask: np.ndarray | None) -> Wanted:
    """What is to be lifted out of a world, with all that this depends on."""
    return Wanted(segmenter_of(objects.scene), up_in_root(objects), prompts, mask)


def up_in_root(objects: WorldObjects) -> tuple[float, float, float]:
    """The scene's up in the frame of the root."""
    up = (inverse_of(objects.root).to_3x3() @ Vector((0, 0, 1))).normalized()
    return tuple(round(value, 5) for value in up)  # the rest changes from frame to frame where the root is animated


def that_are_lifted(objects: WorldObjects, items: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """Those of the items that have points of this world's layers; copies have none."""
    parts = objects.parts
    return [item for item in items if item[KIND] == LIFTED and item in parts]


def require_lifted(objects: WorldObjects, item: bpy.types.Object) -> None:
    """
    Raises:
        WorldTracingError: WT-SCENE-SELECT for what is no object lifted out of this world.
    """
    if item not in objects.parts or not is_lifted(item):
        raise WorldTracingError(
            "WT-SCENE-SELECT",
            f"{item.name} was not lifted out of this world; a copy cannot be split.",
            "Select a lifted object under Objects in the outliner.",
        )


def _prepare_lifts(
    objects: WorldObjects, prompts: Sequence[Prompt], masks: Sequence[np.ndarray | None]
) -> Callable[[], object] | None:
    layers = read_layers(objects)
    several = [wanted(objects, prompts, mask) for mask in masks]
    data = layers.known_data()
    if data is not None and knows_lift_plans(data, several):
        return None
    return lambda: lift_plans(layers.data(), several)
