"""Which point of a world lies under the mouse."""

from __future__ import annotations

import numpy as np

TOLERANCE = 4.0  # pixels that a click may miss a point by


def point_under(points: np.ndarray, radii: np.ndarray, view: np.ndarray, size: tuple[int, int], place) -> int:
    """Index of the nearest of the points that lie under `place`, -1 where none does; see `points_under`."""
    return int(points_under(points, radii, view, size, [place])[0])


def points_under(points: np.ndarray, radii: np.ndarray, view: np.ndarray, size: tuple[int, int], places) -> np.ndarray:
    """(M,) int64, for each of the places the index of the nearest of the points that lie under it, -1 where none does.

    Args:
        points: (N, 3) float32.
        radii: (N,) in the same unit; points of radius NaN are not there.
        view: (4, 4) clip matrix, as in `core.coverage`.
        size: (width, height) of the view in pixels.
        places: M >= 1 times (x, y) in pixels from the bottom left, as Blender counts in a region.
    """
    width, height = size
    view, places = np.asarray(view, np.float32), np.asarray(places, np.float32)
    x, y, w = (points @ view[row, :3] + view[row, 3] for row in (0, 1, 3))
    low, high = places.min(0), places.max(0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x, y = (x / w + 1) * (width / 2), (y / w + 1) * (height / 2)
        reach = np.maximum(radii / w * (np.linalg.norm(view[0, :3]) * width / 2), TOLERANCE)
        near = (w > 1e-6) & (x + reach >= low[0]) & (x - reach <= high[0])  # false where the radius is NaN
        near = np.flatnonzero(near & (y + reach >= low[1]) & (y - reach <= high[1]))
    x, y, w, reach = x[near], y[near], w[near], reach[near]
    found = np.full(len(places), -1)
    for k, (across, up) in enumerate(places):
        hit = np.flatnonzero(np.hypot(x - across, y - up) <= reach)
        if len(hit):
            found[k] = near[hit[w[hit].argmin()]]
    return found


def inside_box(points: np.ndarray, view: np.ndarray, size: tuple[int, int], start, end) -> np.ndarray:
    """(N,) bool, the points (N, 3) that a view shows inside a rectangle.

    Args:
        view, size: as in `points_under`.
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
