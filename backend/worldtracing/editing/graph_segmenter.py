"""Segmentation without weights: what is left when the supports are taken away falls apart into objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..progress import OnProgress, silent
from ..world import LayeredWorld
from .base import Prompt, Segmentation, SegmenterInfo
from .planes import find_planes
from .prompts import choose
from .surfaces import Surfaces, take_apart

SMALLEST = 0.0008
"""Share of the picture below which a region is no object."""

LARGEST = 0.35
"""Share of the picture above which a region that reaches three of its borders is background."""


class GraphSegmenter:
    """Connected surfaces through all layers, cut along depth jumps and where things stand on each other."""

    info = SegmenterInfo(
        name="graph",
        label="Geometry (quick, no model)",
        description="Divides the scene where its surfaces end. It knows no names and no meaning.",
    )

    def problem(self) -> str:
        """See `Segmenter.problem`; it needs nothing."""
        return ""

    def segment(self, world: LayeredWorld, on_progress: OnProgress = silent) -> Segmentation:
        """See `Segmenter.segment`; objects are called "Object 1" and so on, the largest first."""
        on_progress("finding supports", 0, 2)
        planes = find_planes(world)
        on_progress("connecting surfaces", 1, 2)
        surfaces = take_apart(world, planes)
        regions, order = _regions(surfaces)
        if world.metadata.get("mode") != "object" and any(_is_background(regions == k) for k in order[:2]):
            # Depth so soft that it joins all there is: planes in it are slices of something round.
            planes = ()
            surfaces = take_apart(world, planes)
            regions, order = _regions(surfaces)
            order = np.array([k for k in order if not _is_background(regions == k)], int)
        support = surfaces.at_front(surfaces.support)
        number = np.zeros(surfaces.count + 1, np.int32)
        number[order] = np.arange(1, len(order) + 1)
        names = tuple(f"Object {k + 1}" for k in range(len(order)))
        return Segmentation(number[regions], names, planes, support.astype(np.int32), surfaces)

    def select(
        self, world: LayeredWorld, prompts: Sequence[Prompt], segmentation: Segmentation | None = None
    ) -> np.ndarray:
        """See `Segmenter.select`."""
        return choose(world, prompts, segmentation or self.segment(world))


def _regions(surfaces: Surfaces) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) the sheet that is seen in each pixel, -1 for none; and those large enough for an object, largest first."""
    regions = surfaces.at_front(surfaces.sheet)
    sizes = np.bincount(regions[regions >= 0], minlength=surfaces.count)
    order = np.argsort(-sizes, kind="stable")
    return regions, order[sizes[order] >= SMALLEST * regions.size]


def _is_background(region: np.ndarray) -> bool:
    """Whether a region surrounds everything, as where a network's depth is soft and joins all there is."""
    borders = [region[0].any(), region[-1].any(), region[:, 0].any(), region[:, -1].any()]
    return np.count_nonzero(region) > LARGEST * region.size and sum(borders) >= 3
