"""Mean distances to the nearest neighbours for the points of one layer, exact wherever a decision depends on them.

Neighbours in space mostly are neighbours in the picture. So a window around each pixel gives an upper bound, and the
slopes x/z and y/z of all pixels outside it a lower bound, which often meet. Only points whose bounds leave a question
open are looked up in a k-d tree, which takes about ten times as long per point.
"""

from __future__ import annotations

import numpy as np

from .extras import need

WINDOW = 2  # pixels to each side in which neighbours are looked for
BAND = 5  # pixels to each side beyond which only the slopes of whole rows and columns count
BLOCK = 16  # rows at a time: their 24 maps of distances stay in the processor's cache
ROUNDING = 2e-6  # relative; float32 distances are exact to less than half of it
STEEPEST = np.float32(1e6)  # slope that stands for "no pixel on this side"


class NeighbourDistances:
    """The mean distance of each kept point of a layer to its nearest other points.

    Args:
        points: (H, W, 3) float32, finite where kept.
        kept: (H, W) bool, more than `count` of them.
        count: how many nearest points.
    """

    def __init__(self, points: np.ndarray, kept: np.ndarray, count: int) -> None:
        rows, columns = np.flatnonzero(kept.any(1)), np.flatnonzero(kept.any(0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        points, kept = points[box], kept[box]
        xyz = np.ones((3, *kept.shape), np.float32)
        np.copyto(xyz, np.moveaxis(points, -1, 0), where=kept)
        self._cloud, self._count, self._tree = points[kept], count, None
        self._lower, self._upper = (bound[kept].astype(np.float64) for bound in _bounds(xyz, kept, count))
        self._lower *= 1 - ROUNDING
        self._upper *= 1 + ROUNDING

    def median(self, center: float | None = None) -> float:
        """The median distance, or with `center` the median of |distance - center|."""
        lower, upper = self._around(center, np.s_[:])
        first, second = (len(lower) - 1) // 2, len(lower) // 2
        low, high = np.partition(lower, first)[first], np.partition(upper, second)[second]
        between = (lower <= high) & (upper >= low)
        below = np.count_nonzero(upper < low)
        self._settle(between)
        values = np.sort(self._around(center, between)[0])
        return (values[first - below] + values[second - below]) / 2

    def at_most(self, limit: float) -> np.ndarray:
        """(N,) bool of the kept points in row-major pixel order, whether their distance is at most `limit`."""
        self._settle((self._lower <= limit) & (self._upper > limit))
        return self._upper <= limit

    def _around(self, center: float | None, which: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lower, upper = self._lower[which], self._upper[which]
        if center is None:
            return lower, upper
        under, over = center - upper, lower - center
        return np.maximum(np.maximum(under, over), 0), np.maximum(-under, -over)

    def _settle(self, which: np.ndarray) -> None:
        """Replace the bounds of these points by their distances."""
        index = np.flatnonzero(which & (self._lower < self._upper))
        if len(index) == 0:
            return
        if self._tree is None:
            tree = need("scipy.spatial", "image", "filter edge flyers").cKDTree
            self._tree = tree(self._cloud, leafsize=32, balanced_tree=False, compact_nodes=False)  # quick to build
        distance, _ = self._tree.query(self._cloud[index], k=self._count + 1, workers=-1)
        self._lower[index] = self._upper[index] = distance[:, 1:].mean(1)


def _bounds(xyz: np.ndarray, kept: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of the mean distance to the `count` nearest points, (H, W) float32 where kept.

    Args:
        xyz: (3, H, W) float32, finite.
        kept: (H, W) bool.
    """
    outside = _distance_outside(xyz, kept)
    padded = np.full((3, kept.shape[0] + 2 * WINDOW, kept.shape[1] + 2 * WINDOW), np.inf, np.float32)
    np.copyto(padded[:, WINDOW:-WINDOW, WINDOW:-WINDOW], xyz, where=kept)
    lower, upper = np.empty_like(outside), np.empty_like(outside)
    with np.errstate(invalid="ignore"):  # inf - inf, between pixels that are not kept
        for top in range(0, len(kept), BLOCK):
            rows = slice(top, top + BLOCK)
            nearest = _nearest_in_window(padded[:, top : top + BLOCK + 2 * WINDOW], count)
            upper[rows] = sum(nearest) / np.float32(count)
            lower[rows] = sum(np.minimum(distance, outside[rows]) for distance in nearest) / np.float32(count)
    return lower, upper


def _nearest_in_window(xyz: np.ndarray, count: int) -> list[np.ndarray]:
    """The `count` smallest distances from each pixel to those around it, (h, w) each, in order.

    Args:
        xyz: (3, h + 2 WINDOW, w + 2 WINDOW), infinite where there is no point.
    """
    height, width = xyz.shape[1] - 2 * WINDOW, xyz.shape[2] - 2 * WINDOW
    nearest: list[np.ndarray] = []
    for dy in range(WINDOW + 1):
        for dx in range(-WINDOW if dy else 1, WINDOW + 1):
            left, right = max(0, -dx), xyz.shape[2] - max(0, dx)
            step = xyz[:, dy:, left + dx : right + dx] - xyz[:, : xyz.shape[1] - dy, left:right]
            step *= step
            square = step[0] + step[1]
            square += step[2]
            # Each distance counts for the pixel where the step begins and for the one where it ends.
            for y, x in ((WINDOW, WINDOW - left), (WINDOW - dy, WINDOW - dx - left)):
                _insert(nearest, square[y : y + height, x : x + width], count)
    nearest += [np.full((height, width), np.inf, np.float32)] * (count - len(nearest))  # more than the window has
    return [np.sqrt(square) for square in nearest]


def _insert(smallest: list[np.ndarray], values: np.ndarray, count: int) -> None:
    """Put `values` into the sorted maps `smallest`, of which the last one gives way when there are `count`."""
    for k, kept in enumerate(smallest):
        smallest[k] = np.minimum(kept, values)
        values = np.maximum(kept, values)
    if len(smallest) < count:
        smallest.append(values)


def _distance_outside(xyz: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(H, W) float32 that no kept point outside a kept point's window is nearer than.

    If all points on one side of the window have slopes x/z >= s, they are behind the plane x = s z, whose distance
    from a point is (s z - x) / sqrt(1 + s²). The same holds for the other three sides.
    """
    x, y, z = xyz
    if not (np.abs(xyz[:, kept]).max(0) < STEEPEST * z[kept]).all():  # also where z <= 0
        return np.zeros(kept.shape, np.float32)
    sides = []
    for across, turn in ((x, np.asarray), (y, np.transpose)):
        for sign, flip in ((1, np.asarray), (-1, np.fliplr)):
            oriented = (flip(turn(plane)) for plane in (sign * across, z, kept))
            sides.append(turn(flip(_distance_right(*oriented))))
    rounding = np.float32(1e-6) * (np.abs(x) + np.abs(y) + z)
    return np.maximum(np.minimum.reduce(sides) - rounding, 0)


def _distance_right(x: np.ndarray, z: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The least distance to the kept points in columns right of each pixel's window, (H, W)."""
    cv2 = need("cv2", "image", "filter edge flyers")
    slope = np.full(kept.shape, STEEPEST)
    np.divide(x, z, out=slope, where=kept)
    onward = np.minimum.accumulate(slope[:, ::-1], axis=1)[:, ::-1]  # of this column and all to its right
    near = cv2.erode(onward, np.ones((2 * BAND + 1, 1), np.uint8))
    least = np.full_like(slope, STEEPEST)
    least[:, : -WINDOW - 1] = near[:, WINDOW + 1 :]
    least[:, : -BAND - 1] = np.minimum(least[:, : -BAND - 1], onward.min(0)[BAND + 1 :])
    return (least * z - x) / np.sqrt(1 + least * least)
