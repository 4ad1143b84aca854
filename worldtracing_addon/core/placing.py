"""Where objects stand and how large they are: pure functions on points and 3-vectors.

Frames are Blender's; `up` is a vector of length 1 away from what an object stands on.
"""

from __future__ import annotations

from math import atan2

import numpy as np

LOW_PERCENT, HIGH_PERCENT = 1, 99  # of the points: a few stray ones must not decide how large a thing is


def bottom_center(points: np.ndarray, up: np.ndarray, floor: float | None = None) -> np.ndarray:
    """(3,) float64, the middle of the points (N, 3) seen along `up`, at their lower end.

    Args:
        floor: height along `up` of what they stand on, where it is known.
    """
    heights = points @ up
    low = np.percentile(heights, LOW_PERCENT) if floor is None else floor
    axes = horizontal_axes(up)
    across = points @ axes.T
    middle = (np.percentile(across, LOW_PERCENT, axis=0) + np.percentile(across, HIGH_PERCENT, axis=0)) / 2
    return middle @ axes + low * up


def horizontal_axes(up: np.ndarray) -> np.ndarray:
    """(2, 3) float64, two directions at right angles to `up` and to each other."""
    helper = np.eye(3)[np.abs(up).argmin()]
    first = np.cross(up, helper)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(up, first)])


def standing_on(points: np.ndarray, planes: list[tuple[np.ndarray, float]], reach: float) -> int:
    """Index of the level plane that the points (N, 3) stand on, -1 where they stand on none.

    Args:
        planes: (normal, offset) with normal . p = offset, the normal up.
        reach: how far the lower end of the points may be from it, in heights of the object.
    """
    best, found = np.inf, -1
    for index, (normal, offset) in enumerate(planes):
        heights = points @ normal - offset
        low, high = np.percentile(heights, (LOW_PERCENT, HIGH_PERCENT))
        off = abs(low) / max(high - low, 1e-9)
        if off < min(best, reach) and high > 0:
            best, found = off, index
    return found


def viewer_axes(forward: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(3, 3) rows right, away and up, as a viewer who looks along `forward` sees them on a support with this `up`."""
    away = forward - (forward @ up) * up
    if np.linalg.norm(away) < 1e-6:  # looking straight down
        away = horizontal_axes(up)[0]
    away = away / np.linalg.norm(away)
    return np.stack([np.cross(away, up), away, up])


def turn_between(start: np.ndarray, end: np.ndarray, up: np.ndarray) -> float:
    """The angle in radians about `up` that leads the horizontal part of `start` to that of `end`."""
    return atan2(float(np.cross(start, end) @ up), float(start @ end - (start @ up) * (end @ up)))
