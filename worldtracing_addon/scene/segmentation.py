"""The division of a traced world into objects and supports, computed once per world and session."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...backend.worldtracing.editing.base import SEGMENTERS, Plane, Prompt, Segmentation
from ...backend.worldtracing.progress import silent
from ..core.frames import to_blender
from .world_data import WorldData
from .worlds import WorldObjects

SEGMENTER = "graph"
LEVEL = ("floor", "table")

_known: dict[str, tuple[tuple[int, ...], Segmentation]] = {}
"""By world id: the session ids of the layers' meshes, which a retrace changes, and the segmentation of those."""


def segmentation_of(objects: WorldObjects, data: WorldData) -> Segmentation:
    """The objects of the whole world as it was traced, lifted or not."""
    key = tuple(part.data.session_uid for part in objects.layers)
    if _known.get(objects.id, (None,))[0] != key:
        _known[objects.id] = key, SEGMENTERS.load(SEGMENTER)().segment(data.world, silent)
    return _known[objects.id][1]


def select(objects: WorldObjects, data: WorldData, prompts: Sequence[Prompt]) -> np.ndarray:
    """(H, W) bool, the one object that the prompts point at.

    Raises:
        WorldTracingError: WT-SCENE-PROMPT.
    """
    return SEGMENTERS.load(SEGMENTER)().select(data.world, prompts, segmentation_of(objects, data))


def level_planes(planes: Sequence[Plane]) -> list[tuple[np.ndarray, float]]:
    """(normal, offset) of the floors and tables in the frame of the root, normals up."""
    return [(to_blender(plane.normal), float(plane.offset)) for plane in planes if plane.kind in LEVEL]
