"""The division of a traced world into objects and supports, computed once, in whatever thread asks first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import bpy
import numpy as np

from ...backend.worldtracing.editing.base import (
    SEGMENTERS,
    Plane,
    Prompt,
    Segmentation,
    SegmenterInfo,
    Stroke,
    segmenter_states,
)
from ...backend.worldtracing.editing.surfaces import Surfaces
from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.progress import silent
from ...backend.worldtracing.world import LayeredWorld
from ..core.frames import to_blender
from ..core.kept import Kept
from .world_data import WorldData, read_layers
from .worlds import WorldObjects

BUILT_IN = "graph"
"""The segmenter that finds the supports, and that is used where no other one was chosen."""

CHOSEN = "wt_segmenter"
"""Custom property of a scene: the name of the segmenter to use there."""

LEVEL = ("floor", "table")

_segmentations, _selections = Kept(4), Kept(16)
"""By world as it was traced, which is another value when its points or colors change, segmenter and prompts."""


@cache
def known_segmenters() -> list[tuple[SegmenterInfo, str]]:
    """What each segmenter says of itself, and why it cannot be used; "" where it can. Looked up once per session."""
    return segmenter_states()


def chosen_segmenter(scene: bpy.types.Scene) -> str:
    """The segmenter that a scene uses; the built-in one where the chosen one is not known on this machine."""
    name = scene.get(CHOSEN, BUILT_IN)
    return name if any(name == info.name for info, _ in known_segmenters()) else BUILT_IN


def choose_segmenter(scene: bpy.types.Scene, name: str) -> None:
    """Use another segmenter in a scene from now on.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN.
    """
    if not any(name == info.name for info, _ in known_segmenters()):
        SEGMENTERS.load(name)  # says which there are
    scene[CHOSEN] = name


def segmentation(world: LayeredWorld, segmenter: str = BUILT_IN) -> Segmentation:
    """The objects of a whole world as it was traced, lifted or not; in any thread."""
    return _segmentations.get((world, segmenter), lambda: SEGMENTERS.load(segmenter)().segment(world, silent))


def selection(world: LayeredWorld, segmenter: str, prompts: Sequence[Prompt]) -> np.ndarray:
    """(H, W) bool, the one object that the prompts point at; in any thread.

    Raises:
        WorldTracingError: WT-SCENE-PROMPT, and where the segmenter lacks something, WT-ENV-PACKAGE and
            WT-MODEL-MISSING.
    """

    def find() -> np.ndarray | WorldTracingError:
        known = segmentation(world, segmenter)
        try:
            return SEGMENTERS.load(segmenter)().select(world, prompts, known)
        except WorldTracingError as error:
            if error.code != "WT-SCENE-PROMPT":
                raise
            return error  # the same prompts will point at nothing again

    found = _selections.get((world, segmenter, frozen(prompts)), find)
    if isinstance(found, WorldTracingError):
        raise found
    return found


def frozen(prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """Prompts as a key: scripts may have given the points of strokes as lists or arrays."""
    return tuple(
        replace(one, points=tuple(map(tuple, one.points))) if isinstance(one, Stroke) else one for one in prompts
    )


def prepare(
    objects: WorldObjects, segmenter: str = BUILT_IN, prompts: Sequence[Prompt] = ()
) -> Callable[[], None] | None:
    """What has to be computed before the segmentation and the selection by prompts are there at once.

    Returns:
        Work for a thread, which touches no Blender data; None where all is known.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY. The work raises those of `selection`.
    """
    layers = read_layers(objects)
    data = layers.known_data()
    divided = data is not None and (data.world, segmenter) in _segmentations
    if divided and (not prompts or (data.world, segmenter, frozen(prompts)) in _selections):
        return None

    def work() -> None:
        world = layers.data().world
        segmentation(world, segmenter)
        if prompts:
            selection(world, segmenter, prompts)

    return work


def segmentation_of(objects: WorldObjects, data: WorldData) -> Segmentation:
    """The objects of the whole world as it was traced, lifted or not."""
    return segmentation(data.world, chosen_segmenter(objects.scene))


def planes_of(data: WorldData) -> tuple[Plane, ...]:
    """The supports of the whole world; these need no segmenter that can be missing."""
    return segmentation(data.world).planes


def surfaces_of(data: WorldData) -> Surfaces:
    """What each hit of the whole world belongs to, lifted or not, with `planes_of`."""
    return segmentation(data.world).surfaces


def select(objects: WorldObjects, data: WorldData, prompts: Sequence[Prompt]) -> np.ndarray:
    """`selection` with what the scene selects by."""
    return selection(data.world, chosen_segmenter(objects.scene), prompts)


def level_planes(planes: Sequence[Plane]) -> list[tuple[np.ndarray, float]]:
    """(normal, offset) of the floors and tables in the frame of the root, normals up."""
    return [(to_blender(plane.normal), float(plane.offset)) for plane in planes if plane.kind in LEVEL]
