"""From clicks, boxes and strokes to the one object that is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ..errors import WorldTracingError
from ..world import LayeredWorld
from .base import Box, Click, Prompt, Segmentation, Stroke
from .cutout import cut_out
from .refine import divide

REACH = 0.02
"""A click on nothing means what is nearest, up to this share of the picture's longer side."""

TOUCHED = 0.15
"""A stroke means a region that holds at least this share of its pixels."""

ENCLOSED = 0.7
"""A box means regions with at least this share of their pixels inside."""


FITTING = 0.5
"""Overlap of a box with what it means, below which the photo decides instead of the geometry."""

COVERED = 0.75
"""Share of the lines drawn over an object that what they mean must cover; else the photo decides here too."""

LARGEST = 0.35
"""Share of the picture above which a region is not believed to be one object."""


def choose(world: LayeredWorld, prompts: Sequence[Prompt], segmentation: Segmentation) -> np.ndarray:
    """The regions of a segmentation that the prompts point at, (H, W) bool.

    Supports count as regions too, but a box or a stroke means them only where it means no object. A region that is
    both wanted and not wanted is divided along the photo's edges. Where there is no region, one much larger than
    what is meant, or none for much of a stroke, the object is cut out of the photo by its colors.

    Raises:
        WorldTracingError: WT-SCENE-PROMPT when the prompts point at nothing.
    """
    regions = _regions(segmentation)
    first_support = len(segmentation.names) + 1
    positive = [prompt for prompt in prompts if isinstance(prompt, Box) or prompt.positive]
    negative = [prompt for prompt in prompts if prompt not in positive]
    both = positive, negative
    inside, outside = (drawn([mark for mark in marks if not isinstance(mark, Box)], regions.shape) for marks in both)
    wanted = set().union(*(_meant(prompt, regions, first_support) for prompt in positive))
    unwanted = set().union(*(_meant(prompt, regions, first_support) for prompt in negative))
    mask = np.isin(regions, list(wanted - unwanted))
    boxes = drawn([prompt for prompt in positive if isinstance(prompt, Box)], regions.shape)
    alone = world.metadata.get("mode") == "object"  # and may fill the picture
    lines = [replace(prompt, radius=0.5) for prompt in positive if isinstance(prompt, Stroke)]
    line = drawn(lines, regions.shape) & ~outside  # a brush can be wider than the thing
    missed = np.count_nonzero(np.isin(regions[line], list(wanted))) < COVERED * np.count_nonzero(line)
    if not wanted or missed or (not alone and _too_much(mask, regions < first_support, boxes)):
        seen = world.valid.any(0)
        if not ((inside | boxes) & seen).any():
            raise nothing_there()
        mask = cut_out(world.rgb, inside, outside, boxes if boxes.any() else None) & seen
    else:
        for label in wanted & unwanted:
            region = regions == label
            if (inside & region).any():
                mask |= divide(world.rgb, region, inside & region, outside & region)
    if not mask.any():
        raise nothing_there()
    return mask


def nothing_there() -> WorldTracingError:
    return WorldTracingError(
        "WT-SCENE-PROMPT",
        "There is no object where the selection points.",
        "Click on the object itself, draw over it, or drag a box around it.",
    )


def _too_much(mask: np.ndarray, on_objects: np.ndarray, boxes: np.ndarray) -> bool:
    """Whether the geometry does not tell the object from its surroundings, as where a network's depth is soft."""
    if boxes.any():
        return mask.any() and _fit(mask, boxes) < FITTING
    return np.count_nonzero(mask & on_objects) > LARGEST * mask.size


def _regions(segmentation: Segmentation) -> np.ndarray:
    """(H, W) int64: objects by their labels, then the supports, 0 where there is neither."""
    if segmentation.support is None:
        return segmentation.labels.astype(np.int64)
    on_support = (segmentation.labels == 0) & (segmentation.support >= 0)
    return np.where(on_support, len(segmentation.names) + 1 + segmentation.support, segmentation.labels)


def _meant(prompt: Prompt, regions: np.ndarray, first_support: int) -> set[int]:
    """The regions that one prompt points at, positive or not."""
    if isinstance(prompt, Box):
        return _in_box(prompt, regions, first_support)
    counts = np.bincount(regions[drawn([prompt], regions.shape)], minlength=1)
    if isinstance(prompt, Click):
        return {int(counts.argmax())} if counts[1:].any() else _nearest(prompt, regions)
    enough = np.flatnonzero(counts >= max(1, TOUCHED * counts.sum()))
    objects = {int(label) for label in enough if 0 < label < first_support}
    return objects or {int(label) for label in enough if label}


def _nearest(click: Click, regions: np.ndarray) -> set[int]:
    rows, columns = np.nonzero(regions)
    if not len(rows):
        return set()
    distance = np.hypot(columns + 0.5 - click.x, rows + 0.5 - click.y)
    at = distance.argmin()
    return {int(regions[rows[at], columns[at]])} if distance[at] <= REACH * max(regions.shape) else set()


def _in_box(box: Box, regions: np.ndarray, first_support: int) -> set[int]:
    """Of the regions mostly inside, those that together fill the box best; else the largest thing inside."""
    inside = drawn([box], regions.shape)
    sizes = np.bincount(regions.ravel(), minlength=first_support)
    within = np.bincount(regions[inside], minlength=len(sizes))
    candidates = [k for k in range(1, first_support) if within[k] and within[k] >= ENCLOSED * sizes[k]]
    chosen: set[int] = set()
    best = 0.0
    for label in sorted(candidates, key=lambda k: -within[k]):
        fit = _fit(np.isin(regions, [*chosen, label]), inside)
        if fit > best:
            chosen, best = chosen | {label}, fit
    if chosen:
        return chosen
    within[0] = 0
    objects = within[:first_support]
    largest = objects if objects.any() else within
    return {int(largest.argmax())} if largest.any() else set()


def _fit(mask: np.ndarray, box: np.ndarray) -> float:
    """Intersection over union of a mask's bounding box with a box, both (H, W) bool."""
    filled = np.outer(_span(mask.any(1)), _span(mask.any(0)))
    return np.count_nonzero(filled & box) / np.count_nonzero(filled | box)


def _span(line: np.ndarray) -> np.ndarray:
    """The line (N,) bool, filled from its first to its last."""
    return np.logical_or.accumulate(line) & np.logical_or.accumulate(line[::-1])[::-1]


def drawn(prompts: Sequence[Prompt], shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool, the pixels that the prompts cover."""
    mask = np.zeros(shape, bool)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for prompt in prompts:
        if isinstance(prompt, Box):
            x, y = columns + 0.5, rows + 0.5
            mask |= (x >= prompt.x0) & (x <= prompt.x1) & (y >= prompt.y0) & (y <= prompt.y1)
        elif isinstance(prompt, Click):
            row, column = int(np.floor(prompt.y)), int(np.floor(prompt.x))
            if 0 <= row < shape[0] and 0 <= column < shape[1]:
                mask[row, column] = True
        else:
            for x, y in points_along(prompt):
                first = max(int(y - prompt.radius), 0), max(int(x - prompt.radius), 0)
                near = tuple(slice(at, at + int(2 * prompt.radius) + 3) for at in first)
                mask[near] |= np.hypot(columns[:, near[1]] + 0.5 - x, rows[near[0]] + 0.5 - y) <= prompt.radius
    return mask


def points_along(stroke: Stroke) -> np.ndarray:
    """(N, 2) points on the stroke's line, at most half a radius apart."""
    corners = np.array(stroke.points, float).reshape(-1, 2)
    pieces = [corners[:1]]
    for start, end in pairwise(corners):
        steps = max(1, int(np.ceil(np.linalg.norm(end - start) / max(stroke.radius / 2, 0.5))))
        pieces.append(start + (end - start) * np.arange(1, steps + 1)[:, None] / steps)
    return np.concatenate(pieces)
