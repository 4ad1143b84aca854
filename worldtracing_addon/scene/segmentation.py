"""The division of a traced world into objects and supports, computed once, in whatever thread asks first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import bpy
import numpy as np

from ...backend.worldtracing.editing.base import (
    SEGMENTERS,
    Plane,
    Prompt,
    Segmentation,
    Segmenter,
    SegmenterInfo,
    Stroke,
)
from ...backend.worldtracing.editing.surfaces import Surfaces
from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.progress import silent
from ...backend.worldtracing.world import LayeredWorld
from .. import assistants
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


def known_segmenters() -> list[tuple[SegmenterInfo, str]]:
    """What each segmenter says of itself, and why it cannot be used; "" where it can, here or in the worker."""
    return [(one.info, one.problem) for one in assistants.known("segmenter")]


def chosen_segmenter(scene: bpy.types.Scene) -> str:
    """The segmenter that a scene uses; the built-in one where the chosen one is not known on this machine."""
    name = scene.get(CHOSEN, BUILT_IN)
    return name if any(name == info.name for info, _ in known_segmenters()) else BUILT_IN


@dataclass(frozen=True)
class SegmenterInUse:
    """A segmenter, for any thread; as a key it is the same as every other of its name."""

    name: str
    plugin: Segmenter = field(compare=False)


def segmenter_of(scene: bpy.types.Scene) -> SegmenterInUse:
    """What a scene's objects are told apart with.

    Raises:
        WorldTracingError: WT-MODEL-BROKEN.
    """
    name = chosen_segmenter(scene)
    return SegmenterInUse(name, assistants.segmenter(name))


@cache
def built_in() -> SegmenterInUse:
    """What finds the supports."""
    return SegmenterInUse(BUILT_IN, SEGMENTERS.load(BUILT_IN)())


def choose_segmenter(scene: bpy.types.Scene, name: str) -> None:
    """Use another segmenter in a scene from now on.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN.
    """
    if not any(name == info.name for info, _ in known_segmenters()):
        SEGMENTERS.load(name)  # says which there are
    scene[CHOSEN] = name


def segmentation(world: LayeredWorld, segmenter: SegmenterInUse | None = None) -> Segmentation:
    """The objects of a whole world as it was traced, lifted or not; in any thread.

    Args:
        segmenter: the built-in one without it.
    """
    divider = _divider(segmenter)
    return _segmentations.get((world, divider), lambda: divider.plugin.segment(world, silent))


def divided(world: LayeredWorld) -> Segmentation | None:
    """What `segmentation` will find in a world once it is in the scene, which does not hold its last layers if they
    are empty; None for a world without points. In any thread."""
    layers = np.flatnonzero(world.valid.any((1, 2)))
    if not len(layers):
        return None
    stored = slice(layers[-1] + 1)
    world = replace(world, points=world.points[stored], valid=world.valid[stored], confidence=None)
    return built_in().plugin.segment(world, silent)


def adopt(world: LayeredWorld, found: Segmentation) -> None:
    """Let `segmentation` of a world in the scene be what was found before it came there."""
    _segmentations.get((world, built_in()), lambda: found)


def _divider(segmenter: SegmenterInUse | None) -> SegmenterInUse:
    """Who divides the world: all objects at once that a segmenter in the worker finds are those of the built-in one."""
    in_worker = segmenter is not None and isinstance(segmenter.plugin, assistants.WorkerSegmenter)
    return built_in() if segmenter is None or in_worker else segmenter


def selection(world: LayeredWorld, segmenter: SegmenterInUse, prompts: Sequence[Prompt]) -> np.ndarray:
    """(H, W) bool, the one object that the prompts point at; in any thread.

    Raises:
        WorldTracingError: WT-SCENE-PROMPT; where the segmenter lacks something, WT-ENV-PACKAGE and WT-MODEL-MISSING;
            of one that the worker runs, WT-WORKER-BUSY and other codes of the worker.
    """
    found = _found(world, segmenter, frozen(prompts))
    if isinstance(found, WorldTracingError):
        raise WorldTracingError(found.code, found.message, found.fix)  # the kept one would keep every traceback
    return found


def _found(
    world: LayeredWorld, segmenter: SegmenterInUse, prompts: tuple[Prompt, ...]
) -> np.ndarray | WorldTracingError:
    """What prompts point at, or WT-SCENE-PROMPT: they will point at nothing again."""

    def find() -> np.ndarray | WorldTracingError:
        known = segmentation(world, segmenter)
        try:
            return segmenter.plugin.select(world, prompts, known)
        except WorldTracingError as error:
            if error.code != "WT-SCENE-PROMPT":
                raise
            return error

    return _selections.get((world, segmenter, prompts), find)


def frozen(prompts: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """Prompts as a key: scripts may have given the points of strokes as lists or arrays."""
    return tuple(
        replace(one, points=tuple(map(tuple, one.points))) if isinstance(one, Stroke) else one for one in prompts
    )


def prepare(objects: WorldObjects) -> Callable[[], None] | None:
    """What has to be computed before the objects and supports of a world are known.

    Returns:
        Work for a thread, which touches no Blender data; None where all is known.

    Raises:
        WorldTracingError: WT-SCENE-EMPTY. The work raises what the scene's segmenter does.
    """
    return _preparation(objects, built_in(), segmenter_of(objects.scene))


def prepare_supports(objects: WorldObjects) -> Callable[[], None] | None:
    """`prepare` for what needs `planes_of` and `surfaces_of` alone."""
    return _preparation(objects, built_in())


def prepare_selection(objects: WorldObjects, prompts: Sequence[Prompt]) -> Callable[[], None] | None:
    """`prepare` for `select`, whose WT-SCENE-PROMPT the work leaves to it."""
    layers, asked = read_layers(objects), (segmenter_of(objects.scene), frozen(prompts))
    data = layers.known_data()
    if data is not None and (data.world, *asked) in _selections:
        return None
    return lambda: _found(layers.data().world, *asked)


def _preparation(objects: WorldObjects, *segmenters: SegmenterInUse) -> Callable[[], None] | None:
    layers = read_layers(objects)
    data = layers.known_data()
    if data is not None and all((data.world, _divider(one)) in _segmentations for one in segmenters):
        return None

    def work() -> None:
        for segmenter in segmenters:
            segmentation(layers.data().world, segmenter)

    return work


def segmentation_of(objects: WorldObjects, data: WorldData) -> Segmentation:
    """The objects of the whole world as it was traced, lifted or not."""
    return segmentation(data.world, segmenter_of(objects.scene))


def planes_of(data: WorldData) -> tuple[Plane, ...]:
    """The supports of the whole world; these need no segmenter that can be missing."""
    return segmentation(data.world).planes


def surfaces_of(data: WorldData) -> Surfaces:
    """What each hit of the whole world belongs to, lifted or not, with `planes_of`."""
    return segmentation(data.world).surfaces


def select(objects: WorldObjects, data: WorldData, prompts: Sequence[Prompt]) -> np.ndarray:
    """`selection` with what the scene selects by."""
    return selection(data.world, segmenter_of(objects.scene), prompts)


def level_planes(planes: Sequence[Plane]) -> list[tuple[np.ndarray, float]]:
    """(normal, offset) of the floors and tables in the frame of the root, normals up."""
    return [(to_blender(plane.normal), float(plane.offset)) for plane in planes if plane.kind in LEVEL]
