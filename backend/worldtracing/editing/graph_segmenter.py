"""Segmentation without weights: what is left when the supports are taken away falls apart into objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..progress import OnProgress, silent
from ..world import LayeredWorld
from .base import Prompt, Segmentation, SegmenterInfo
from .planes import find_planes
from .prompts import choose
from .surfaces import take_apart

SMALLEST = 0.0008
"""Share of the picture below which a region is no object."""


class GraphSegmenter:
    """Connected surfaces through all layers, cut along depth jumps and where things stand on each other."""

    info = SegmenterInfo(
        name="graph",
        label="Geometry (quick, no model)",
        description="Divides the scene where its surfaces end. It knows no names and no meaning.",
    )

    def segment(self, world: LayeredWorld, on_progress: OnProgress = silent) -> Segmentation:
        """See `Segmenter.segment`; objects are called "Object 1" and so on, the largest first."""
        on_progress("finding supports", 0, 2)
        planes = find_planes(world)
        on_progress("connecting surfaces", 1, 2)
        surfaces = take_apart(world, planes)
        regions = surfaces.at_front(surfaces.sheet)
        support = surfaces.at_front(surfaces.support)
        sizes = np.bincount(regions[regions >= 0], minlength=surfaces.count)
        order = np.argsort(-sizes, kind="stable")
        order = order[sizes[order] >= SMALLEST * regions.size]
        number = np.zeros(surfaces.count + 1, np.int32)
        number[order] = np.arange(1, len(order) + 1)
        names = tuple(f"Object {k + 1}" for k in range(len(order)))
        return Segmentation(number[regions], names, planes, support.astype(np.int32))

    def select(
        self, world: LayeredWorld, prompts: Sequence[Prompt], segmentation: Segmentation | None = None
    ) -> np.ndarray:
        """See `Segmenter.select`."""
        return choose(world, prompts, segmentation or self.segment(world))
