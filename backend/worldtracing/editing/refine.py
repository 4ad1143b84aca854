"""Outlines along the photo's edges, by graph cut."""

from __future__ import annotations

import numpy as np

from ..graph_cut import GraphCut
from ..mixture import MIN_COLORS, fit_mixture
from ..regions import dilate, erode
from ..resample import resize_area, resize_mask

SMOOTHNESS = 50.0
CERTAIN = 9 * SMOOTHNESS  # more than all edges of a pixel weigh
LONGEST = 192
"""Pixels of the longer side at which a cut is made."""

COLOR_LIMIT = 20.0
"""Of the color term, so that no single pixel outweighs an outline."""

NEARNESS = 10.0
"""What being nearer to one side's marks weighs."""


def divide(rgb: np.ndarray, region: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The part of a region that belongs to the marks inside, along the photo's edges.

    Args:
        rgb: (H, W, 3) uint8.
        region, inside, outside: (H, W) bool; both kinds of marks lie in the region.

    Returns:
        (H, W) bool, a subset of the region.
    """
    window = _window(region, 4)
    crop, room = rgb[window], region[window]
    width, height = reduced(*room.shape[::-1])
    small = resize_area(crop, width, height)
    marks = [shrunk(mark[window], width, height) for mark in (inside, outside)]
    cost = _color_cost(small, *(dilate(mark, 2) for mark in marks)) + NEARNESS * _nearness(*marks)
    cost = np.where(marks[0], -CERTAIN, np.where(marks[1], CERTAIN, cost))
    cost = np.where(shrunk(room, width, height), cost, 0)
    cut = GraphCut(small, SMOOTHNESS).minimize(cost)
    result = np.zeros_like(region)
    result[window] = resize_mask(cut, *room.shape[::-1]) & room
    return (result | inside) & ~outside


def refine(rgb: np.ndarray, mask: np.ndarray, band: int = 4) -> np.ndarray:
    """The mask with its outline moved to the photo's edges, by at most `band` pixels.

    Args:
        rgb: (H, W, 3) uint8.
        mask: (H, W) bool.
    """
    if not mask.any():
        return mask
    window = _window(mask, 4 * band)
    crop, inner = rgb[window], mask[window]
    sure, never = erode(inner, band), ~dilate(inner, band)
    if min(np.count_nonzero(sure), np.count_nonzero(never)) < MIN_COLORS:
        return mask
    cost = _color_cost(crop, sure, never)
    cost = np.where(sure, -CERTAIN, np.where(never, CERTAIN, cost))
    result = mask.copy()
    result[window] = GraphCut(crop, SMOOTHNESS).minimize(cost)
    return result


def _window(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return tuple(slice(max(line[0] - margin, 0), line[-1] + 1 + margin) for line in (rows, columns))


def reduced(width: int, height: int) -> tuple[int, int]:
    """The size at which cuts are made: the longer side at most `LONGEST`."""
    scale = min(1.0, LONGEST / max(width, height))
    return max(2, round(width * scale)), max(2, round(height * scale))


def shrunk(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """A mask at a smaller size in which no mark gets lost."""
    return resize_area(mask.astype(np.float32), width, height) > 0


def _color_cost(rgb: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """(H, W) how much less likely a color is inside than outside; 0 where too few pixels tell."""
    if min(np.count_nonzero(inside), np.count_nonzero(outside)) < MIN_COLORS:
        return np.zeros(rgb.shape[:2], np.float32)
    colors = np.ascontiguousarray(rgb.reshape(-1, 3).T, np.float32)
    likely = [fit_mixture(colors[:, mask.ravel()], None).log_likelihood(colors) for mask in (inside, outside)]
    return np.clip(likely[1] - likely[0], -COLOR_LIMIT, COLOR_LIMIT).reshape(rgb.shape[:2])


def _nearness(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """(H, W) from -1 at the marks inside to 1 at those outside."""
    to_inside, to_outside = (_distance(mark) for mark in (inside, outside))
    return (to_inside - to_outside) / np.maximum(to_inside + to_outside, 1)


def _distance(marks: np.ndarray, most: int = 128) -> np.ndarray:
    """(H, W) float32 distance to the nearest of the marked pixels, or of `most` of them spread evenly."""
    at = np.argwhere(marks)
    at = at[np.linspace(0, len(at) - 1, min(most, len(at))).astype(int)]
    rows, columns = np.ogrid[: marks.shape[0], : marks.shape[1]]
    nearest = np.full(marks.shape, np.inf, np.float32)
    for row, column in at:
        np.minimum(nearest, np.hypot(rows - row, columns - column), out=nearest, casting="unsafe")
    return nearest
