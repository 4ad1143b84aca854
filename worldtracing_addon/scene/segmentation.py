"""The division of a traced world into objects and supports, computed once per world and session."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import bpy
import numpy as np

from ...backend.worldtracing.editing.base import (
    SEGMENTERS,
    Plane,
    Prompt,
    Segmentation,
    SegmenterInfo,
    segmenter_states,
)
from ...backend.worldtracing.editing.surfaces import Surfaces
from ...backend.worldtracing.progress import silent
from ..core.frames import to_blender
from .world_data import WorldData
from .worlds import WorldObjects

BUILT_IN = "graph"
"""The segmenter that finds the supports, and that is used where no other one was chosen."""

CHOSEN = "wt_segmenter"
"""Custom property of a scene: the name of the segmenter to use there."""

LEVEL = ("floor", "table")

KEPT = 6
"""Segmentations that are kept; each takes ten bytes per point and more."""

_known: dict[tuple[str, str], tuple[tuple[int, ...], Segmentation]] = {}
"""By world id and segmenter: the session ids of the layers' meshes, which a retrace changes, and the segmentation."""


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


def segmentation_of(objects: WorldObjects, data: WorldData) -> Segmentation:
    """The objects of the whole world as it was traced, lifted or not."""
    return _segmentation(objects, data, chosen_segmenter(objects.scene))


def planes_of(objects: WorldObjects, data: WorldData) -> tuple[Plane, ...]:
    """The supports of the whole world; these need no segmenter that can be missing."""
    return _segmentation(objects, data, BUILT_IN).planes


def surfaces_of(objects: WorldObjects, data: WorldData) -> Surfaces:
    """What each hit of the whole world belongs to, lifted or not, with `planes_of`."""
    return _segmentation(objects, data, BUILT_IN).surfaces


def select(objects: WorldObjects, data: WorldData, prompts: Sequence[Prompt]) -> np.ndarray:
    """(H, W) bool, the one object that the prompts point at.

    Raises:
        WorldTracingError: WT-SCENE-PROMPT, and where the chosen segmenter lacks something, WT-ENV-PACKAGE and
            WT-MODEL-MISSING.
    """
    segmenter = SEGMENTERS.load(chosen_segmenter(objects.scene))()
    return segmenter.select(data.world, prompts, segmentation_of(objects, data))


def level_planes(planes: Sequence[Plane]) -> list[tuple[np.ndarray, float]]:
    """(normal, offset) of the floors and tables in the frame of the root, normals up."""
    return [(to_blender(plane.normal), float(plane.offset)) for plane in planes if plane.kind in LEVEL]


def _segmentation(objects: WorldObjects, data: WorldData, segmenter: str) -> Segmentation:
    key, meshes = (objects.id, segmenter), tuple(part.data.session_uid for part in objects.point_layers)
    if _known.get(key, (None,))[0] != meshes:
        _known.pop(key, None)
        while len(_known) >= KEPT:
            _known.pop(next(iter(_known)))  # the oldest
        _known[key] = meshes, SEGMENTERS.load(segmenter)().segment(data.world, silent)
    return _known[key][1]
