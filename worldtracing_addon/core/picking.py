"""Which point of a world lies under the mouse."""

from __future__ import annotations

import numpy as np

TOLERANCE = 4.0  # pixels that a click may miss a point by


def point_under(points: np.ndarray, radii: np.ndarray, view: np.ndarray, size: tuple[int, int], place) -> int:
    """Index of the nearest of the points that lie under `place`, -1 where none does.

    Args:
        points: (N, 3) float32.
        radii: (N,) in the same unit; points of radius NaN are not there.
        view: (4, 4) clip matrix, as in `core.coverage`.
        size: (width, height) of the view in pixels.
        place: (x, y) in pixels from the bottom left, as Blender counts in a region.
    """
    width, height = size
    view = np.asarray(view, np.float32)
    x, y, w = (points @ view[row, :3] + view[row, 3] for row in (0, 1, 3))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        off = np.hypot((x / w + 1) * (width / 2) - place[0], (y / w + 1) * (height / 2) - place[1])
        reach = np.maximum(radii / w * (np.linalg.norm(view[0, :3]) * width / 2), TOLERANCE)
        hit = np.flatnonzero((w > 1e-6) & (off <= reach))  # false where the radius is NaN
    return int(hit[w[hit].argmin()]) if len(hit) else -1


def inside_box(points: np.ndarray, view: np.ndarray, size: tuple[int, int], start, end) -> np.ndarray:
    """(N,) bool, the points (N, 3) that a view shows inside a rectangle.

    Args:
        view, size: as in `point_under`.
        start, end: two opposite corners, (x, y) in pixels from the bottom left.
    """
    view = np.asarray(view, np.float64)
    x, y, w = (points @ view[row, :3] + view[row, 3] for row in (0, 1, 3))
    inside = w > 1e-6
    for axis, (value, length) in enumerate(zip((x, y), size, strict=True)):
        low, high = sorted((start[axis], end[axis]))
        place = (value / np.where(inside, w, 1) + 1) * (length / 2)
        inside &= (place >= low) & (place <= high)
    return inside
