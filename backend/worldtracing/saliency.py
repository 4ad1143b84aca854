"""First guesses at the object in a picture, by its colors and its border, in numpy alone.

The saliency is that of minimum barrier salient object detection (Zhang et al. 2015): the distance of a pixel's color to
the border's colors, the barrier between the pixel and the border, and its nearness to the center.
"""

from __future__ import annotations

import numpy as np

from .mixture import k_means

RING_SHARE = 0.03  # of the shorter side: the border whose colors are learned as background
BORDER_GROUPS = 5  # of colors in the border
BORDER_NOISE = 5.0  # levels of 255 below which no group's standard deviation is taken to be
UNLIKE = 2.0  # standard deviations from the border's colors
BARRIER_ROUNDS = 3
CENTER_SPREAD = 0.5  # standard deviation of the center's weight, in halves of a side


def unlike_border(rgb: np.ndarray) -> np.ndarray:
    """What is unlike all colors of the border, (H, W) bool: the object whole, but with it any clutter."""
    return (border_distance(rgb) > UNLIKE) & within_border(rgb)


def salient(rgb: np.ndarray) -> np.ndarray:
    """What stands out the most, (H, W) bool: seldom clutter, but often the object only in part."""
    height, width = rgb.shape[:2]
    v, u = ((np.arange(size) + 0.5) / size * 2 - 1 for size in (height, width))
    center = np.exp(-(v[:, None] ** 2 + u**2) / (2 * CENTER_SPREAD**2))
    saliency = sum(cue / max(np.percentile(cue, 99), 1.0) for cue in (barrier_distance(rgb), border_distance(rgb)))
    saliency = saliency * center
    return (saliency > _otsu(saliency)) & within_border(rgb)


def within_border(rgb: np.ndarray) -> np.ndarray:
    """All but the border, (H, W) bool: for an object that fills the picture."""
    width = max(2, round(RING_SHARE * min(rgb.shape[:2])))
    inside = np.zeros(rgb.shape[:2], bool)
    inside[width:-width, width:-width] = True
    return inside


def border_distance(rgb: np.ndarray) -> np.ndarray:
    """Mahalanobis distance of every pixel, (H, W) float32, to the nearest group of the border's colors.

    Args:
        rgb: (H, W, 3) uint8.
    """
    pixels = rgb.astype(np.float32)
    border = pixels[~within_border(rgb)]
    nearest = np.full(rgb.shape[:2], np.inf, np.float32)
    group = k_means(border.T, BORDER_GROUPS)
    for number in range(BORDER_GROUPS):
        members = border[group == number]
        if len(members) < max(4, 0.02 * len(border)):  # the object itself, where it touches the border
            continue
        covariance = np.cov(members.T) + np.eye(3) * BORDER_NOISE**2
        whitened = (pixels - members.mean(0)) @ np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
        nearest = np.minimum(nearest, (whitened**2).sum(-1))
    return np.sqrt(nearest)


def barrier_distance(rgb: np.ndarray) -> np.ndarray:
    """Minimum barrier distance of every pixel to the picture's edge, (H, W) float32, summed over the channels.

    The barrier of a path is the range of levels on it; of all paths the lowest barrier counts. Approximated, as in
    the paper, by sweeps that extend the best path found so far from one row or column to the next.
    """
    levels = rgb.astype(np.float32)
    distance = np.full_like(levels, np.inf)
    distance[[0, -1]] = distance[:, [0, -1]] = 0
    fields = levels, distance, levels.copy(), levels.copy()
    turned = [field.swapaxes(0, 1) for field in fields]
    for _ in range(BARRIER_ROUNDS):
        for rows in (fields, turned):
            for row in range(1, len(rows[0])):
                _extend(row, row - 1, *rows)
            for row in range(len(rows[0]) - 2, -1, -1):
                _extend(row, row + 1, *rows)
    return distance.sum(-1)


def _extend(
    row: int, before: int, levels: np.ndarray, distance: np.ndarray, lowest: np.ndarray, highest: np.ndarray
) -> None:
    """Lead the paths of the row before on to this row where that lowers its barriers."""
    low, high = np.minimum(lowest[before], levels[row]), np.maximum(highest[before], levels[row])
    better = high - low < distance[row]
    for field, value in ((distance, high - low), (lowest, low), (highest, high)):
        np.copyto(field[row], value, where=better)


def _otsu(values: np.ndarray) -> float:
    """The threshold that parts the values into the two classes of least variance (Otsu 1979)."""
    counts, edges = np.histogram(np.minimum(values, np.percentile(values, 99)), 64)
    middles = (edges[1:] + edges[:-1]) / 2
    share = np.cumsum(counts / counts.sum())
    moment = np.cumsum(counts / counts.sum() * middles)
    between = (moment[-1] * share - moment) ** 2 / np.maximum(share * (1 - share), 1e-9)
    return float(middles[between.argmax()])
