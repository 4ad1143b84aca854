"""Editing layered worlds: segments, lifted objects, fills. See docs/editing.md."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..progress import OnProgress, silent
from ..world import LayeredWorld
from .base import SEGMENTERS, Box, Click, Prompt, Segmentation, Stroke, part, pixels_of, segmenter_states
from .colors import surface_colors
from .cut_off import cut_off
from .detectors import DETECTORS, detector_states
from .fill import fill
from .labels import merge, rename, split
from .lift import lift
from .painters import PAINTERS, painter_states
from .planes import find_planes, ground_alignment
from .refine import refine
from .repaint import repaint_back, repaint_hidden

__all__ = [
    "DETECTORS",
    "PAINTERS",
    "SEGMENTERS",
    "Box",
    "Click",
    "Segmentation",
    "Stroke",
    "cut_off",
    "detector_states",
    "fill",
    "find_planes",
    "ground_alignment",
    "lift",
    "merge",
    "painter_states",
    "part",
    "pixels_of",
    "refine",
    "rename",
    "repaint_back",
    "repaint_hidden",
    "segment",
    "segmenter_states",
    "select",
    "split",
    "surface_colors",
]


def segment(world: LayeredWorld, on_progress: OnProgress = silent, segmenter: str = "graph") -> Segmentation:
    """All objects of a world, by one of `SEGMENTERS`."""
    return SEGMENTERS.load(segmenter)().segment(world, on_progress)


def select(
    world: LayeredWorld, prompts: Sequence[Prompt], segmentation: Segmentation | None = None, segmenter: str = "graph"
) -> np.ndarray:
    """(H, W) bool, the object that the prompts point at, by one of `SEGMENTERS`; see `Segmenter.select`."""
    return SEGMENTERS.load(segmenter)().select(world, prompts, segmentation)
