"""Layers as solid intervals along rays: where a ray enters matter and where it leaves it again."""

from __future__ import annotations

import numpy as np

from ..layers import sort_layers

REPEATED = 2e-4
"""Relative depth step below which two layers are one point twice."""

MAJORITY = 6
"""So many of a pixel's eight neighbors outvote it."""


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
    even = (count > 0) & (count % 2 == 0)
    outvoted = (count == 0) & (_neighbors(count > 0).sum(0) > MAJORITY)
    outvoted |= (count % 2 == 1) & (_neighbors(even).sum(0) >= MAJORITY)
    depth = _closed_up(_from_even_neighbors(depth, even, outvoted))
    return depth[: int((depth > 0).sum(0).max())]


def _closed_up(depth: np.ndarray) -> np.ndarray:
    """Depths in order, the absent ones (0) last."""
    far = np.sort(np.where(depth > 0, depth, np.inf), axis=0)
    return np.where(np.isfinite(far), far, 0).astype(np.float32)


def _neighbors(image: np.ndarray) -> np.ndarray:
    """(8, ...) the eight neighbors of the last two axes; zeros beyond the border."""
    height, width = image.shape[-2:]
    padded = np.pad(image, [(0, 0)] * (image.ndim - 2) + [(1, 1), (1, 1)])
    steps = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    return np.stack([padded[..., y : y + height, x : x + width] for y, x in steps])


def _from_even_neighbors(depth: np.ndarray, even: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Depths with the pixels `where` replaced by the median over their neighbors of the most usual even count."""
    rows, columns = np.nonzero(where)
    if not len(rows):
        return depth
    around = _neighbors(np.where(even, depth, 0))[:, :, rows, columns]  # (8, L, N)
    count = (around > 0).sum(1)
    usual = 2 * np.argmax([(count == number).sum(0) for number in (2, 4, 6)], axis=0) + 2
    around = np.where((count == usual)[:, None], around, 0)
    used = (count == usual).sum(0)
    middle = np.take_along_axis(np.sort(around, axis=0), (8 - (used + 1) // 2)[None, None], 0)[0]
    result = depth.copy()
    result[:, rows, columns] = np.where(used > 0, middle, depth[:, rows, columns])
    return result
