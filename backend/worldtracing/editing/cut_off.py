"""Splitting a lifted object: which of its points belong to the part that prompts point at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import WorldTracingError
from ..world import LayeredWorld
from .base import Box, Lifted, Prompt, Segmentation, front_layer, part
from .cutout import cut_out
from .lift import lift
from .prompts import choose, drawn

WHOLE = 0.95
"""Share of an object's pixels from which on the geometry is not believed to divide it."""


def cut_off(world: LayeredWorld, points: np.ndarray, prompts: Sequence[Prompt], segmentation: Segmentation) -> Lifted:
    """The part of an object that prompts point at, with its hidden layers.

    Boxes mean what is inside them. Clicks and strokes mean one of the things that the object was merged from, or else
    what looks like the marks in the photo.

    Args:
        world: the whole traced one.
        points: (L, H, W) bool, the object's, a subset of `world.valid`.
        prompts: at least one positive, in pixels where the object was seen.
        segmentation: of the whole world.

    Raises:
        WorldTracingError: WT-SCENE-PROMPT when they point at nothing, WT-SCENE-SPLIT when at nothing or all of it.
    """
    own = part(world, points)
    seen = own.valid.any(0)
    mask = _part_of_picture(world, own, seen, prompts, segmentation)
    taken = lift(own, mask, segmentation.planes).points
    if not taken.any() or not (points & ~taken).any():
        raise WorldTracingError(
            "WT-SCENE-SPLIT",
            "Nothing there tells a part of the object from the rest of it.",
            "Drag a box around the part.",
        )
    return Lifted(mask, taken)


def _part_of_picture(
    world: LayeredWorld, own: LayeredWorld, seen: np.ndarray, prompts: Sequence[Prompt], segmentation: Segmentation
) -> np.ndarray:
    """(H, W) bool, the pixels of the part."""
    boxes = [prompt for prompt in prompts if isinstance(prompt, Box)]
    if boxes:
        return seen & drawn(boxes, seen.shape)
    in_front = seen & (front_layer(own.valid) == front_layer(world.valid))
    labels = np.where(in_front, segmentation.labels, 0)
    mask = seen & choose(own, prompts, replace(segmentation, labels=labels, support=None))
    if np.count_nonzero(mask) < WHOLE * np.count_nonzero(seen):
        return mask
    marks = [drawn([one for one in prompts if one.positive == wanted], seen.shape) for wanted in (True, False)]
    return seen & cut_out(world.rgb, *marks, None)
