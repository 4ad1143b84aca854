"""Layers as solid intervals along rays: where a ray enters matter and where it leaves it again."""

from __future__ import annotations

import numpy as np

from ..layers import sort_layers

REPEATED = 2e-4
"""Relative depth step below which two layers are one point twice."""

MAJORITY = 6
"""So many of a pixel's eight neighbors outvote it."""

STEPS = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
"""From a pixel to its eight neighbors, in a picture with a border of one pixel."""


def clean_depths(points: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Layer depths with what can only be an error taken out.

    Layers are put in order; a point that repeats the one before it goes; a pixel without points among pixels with them
    takes its neighbors' median depths, so that single holes do not become tunnels; so does a pixel that has an odd
    number of layers among pixels that have an even one, which has lost or gained one.

    Args:
        points: (L, H, W, 3) float32.
        chosen: (L, H, W) bool, the points that count.

    Returns:
        (M, H, W) float32 camera z in front-to-back order without gaps, 0 where absent; M is the most layers that a
        pixel has.
    """
    points, valid = sort_layers(points, chosen)
    depth = np.where(valid, points[..., 2], 0)
    repeated = np.zeros_like(valid)
    repeated[1:] = valid[1:] & (depth[1:] - depth[:-1] < REPEATED * depth[1:])
    depth = _closed_up(np.where(repeated, 0, depth))
    count = (depth > 0).sum(0)
    present, even = count > 0, (count > 0) & (count % 2 == 0)
    holes = ~present & (_neighbors(present).sum(0) > MAJORITY)
    odd = present & ~even & (_neighbors(even).sum(0) >= MAJORITY)
    depth = _from_neighbors(_from_neighbors(depth, present, holes), even, odd)
    return depth[: int((depth > 0).sum(0).max())]


def _closed_up(depth: np.ndarray) -> np.ndarray:
    """Depths in order, the absent ones (0) last."""
    far = np.sort(np.where(depth > 0, depth, np.inf), axis=0)
    return np.where(np.isfinite(far), far, 0).astype(np.float32)


def _neighbors(image: np.ndarray) -> np.ndarray:
    """(8, H, W) the eight neighbors of the pixels of (H, W); zeros beyond the border."""
    height, width = image.shape
    padded = np.pad(image, 1)
    return np.stack([padded[y : y + height, x : x + width] for y, x in STEPS])


def _from_neighbors(depth: np.ndarray, source: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The depths, at the pixels `where` the median over those neighbors in `source` that have the most usual count."""
    rows, columns = np.nonzero(where)
    padded = np.pad(np.where(source, depth, 0), ((0, 0), (1, 1), (1, 1)))
    around = np.stack([padded[:, rows + y, columns + x] for y, x in STEPS])  # (8, L, N)
    count = (around > 0).sum(1)
    numbers = np.arange(1, len(depth) + 1)[:, None, None]
    usual = 1 + (count == numbers).sum(1).argmax(0)
    used = count == usual
    around = np.sort(np.where(used[:, None], around, 0), axis=0)  # the unused ones come first
    middle = np.take_along_axis(around, (8 - (used.sum(0) + 1) // 2)[None, None], 0)[0]
    result = depth.copy()
    result[:, rows, columns] = _closed_up(middle)
    return result
