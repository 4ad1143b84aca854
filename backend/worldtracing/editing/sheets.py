"""Connected surfaces through all layers: which hits continue each other from ray to ray.

A hit continues one of a neighboring ray, in whatever layer, when their inverse depths differ by little, or by as much
as either surface's own slope foretells (inverse depth is linear on planes). An object that is seen in two pieces is one
sheet where a hidden layer joins them; front and back join at the outline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..regions import union
from .base import Plane

STEEPEST = 2.5
"""Depth difference between neighboring rays, in widths of a pixel at that depth, up to which a surface continues."""

FLATTEST = 1e-3
"""The same relative to depth, for pictures so large that noise exceeds a pixel's width."""

GRAZING = 6.0
"""Steps larger than this many allowed ones are jumps, not slopes that foretell the next step."""


@dataclass(frozen=True, eq=False)
class Sheets:
    """Numbered surfaces.

    Attributes:
        labels: (L, H, W) int32, 0 to count - 1, -1 where there is no hit (or one that was left out).
        count: how many.
    """

    labels: np.ndarray
    count: int


def connected_sheets(
    points: np.ndarray, valid: np.ndarray, focal: float, support: np.ndarray, planes: Sequence[Plane]
) -> Sheets:
    """Sheets of the hits, cut where something stands on a table.

    Args:
        points: (L, H, W, 3) float32.
        valid: (L, H, W) bool, the hits to connect: without those on floors and walls, which would join everything.
        focal: focal length in pixels.
        support: (L, H, W) int32 index into `planes` of the plane that a hit lies on, -1 for none.
        planes: supports; hits on a "table" connect to what lies beside and below, not to what stands on it.
    """
    inverse = np.where(valid, 1 / np.where(valid, points[..., 2], 1), np.float32(np.nan))
    tables = [_Table(points, support == k, plane) for k, plane in enumerate(planes) if plane.kind == "table"]
    limit = np.float32(max(STEEPEST / focal, FLATTEST))
    node = _runs(inverse, tables, valid, limit)
    pairs = []
    for axis in (2, 1):
        slopes = _slopes(inverse, axis, limit)
        for a in range(len(valid)):
            for b in range(len(valid)):
                if axis == 2 and a == b:
                    continue
                joined, first, second = _joined(inverse, tables, slopes, a, b, axis, limit)
                at = np.flatnonzero(joined)
                ends = np.stack([node[a][first].ravel()[at], node[b][second].ravel()[at]])
                fresh = np.ones(len(at), bool)
                fresh[1:] = (np.diff(ends) != 0).any(0)
                pairs.append(ends[:, fresh])
    ends = np.concatenate(pairs, 1)
    count = int(node.max()) + 1
    root = union(count, *ends)
    roots, number = np.unique(root, return_inverse=True)
    return Sheets(np.where(valid, number.astype(np.int32)[node], -1), len(roots))


class _Table:
    """What stands on one table is not connected with it."""

    def __init__(self, points: np.ndarray, on: np.ndarray, plane: Plane) -> None:
        self._on = on
        self._above = points @ plane.normal.astype(np.float32) > np.float32(plane.offset)
        self._below = ~(self._above | on)
        self._crossed = on.any(0)  # rays through the table's top

    def parts(self, a: int, first: tuple[slice, ...], b: int, second: tuple[slice, ...]) -> np.ndarray:
        """Where a hit of layer a and one of layer b are not to be connected.

        One on the table and one above are apart. So are a hidden one above, with the table's top behind it, and one
        below: the hidden side of a thing's foot, and the table's underside, which comes close where the thing stands.
        """
        apart = (self._on[a][first] & self._above[b][second]) | (self._on[b][second] & self._above[a][first])
        apart &= ~(self._on[a][first] & self._on[b][second])
        if a or b:
            apart |= self._above[a][first] & self._crossed[first] & self._below[b][second]
            apart |= self._above[b][second] & self._crossed[second] & self._below[a][first]
        return apart


def _slopes(inverse: np.ndarray, axis: int, limit: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Steps of inverse depth from the pixel before, and to the pixel after, in the same layer; 0 where unknown."""
    step = np.diff(inverse, axis=axis)
    near = inverse[(slice(None),) * axis + (slice(-1),)]
    step = np.where(np.abs(step) < GRAZING * limit * near, step, np.float32(0))  # nan becomes 0 too
    before, after = [(0, 0)] * 3, [(0, 0)] * 3
    before[axis], after[axis] = (1, 0), (0, 1)
    return np.pad(step, before), np.pad(step, after)


def _joined(
    inverse: np.ndarray,
    tables: list[_Table],
    slopes: tuple[np.ndarray, np.ndarray],
    a: int,
    b: int,
    axis: int,
    limit: np.float32,
) -> tuple[np.ndarray, tuple[slice, ...], tuple[slice, ...]]:
    """Which hits of layer a continue those of layer b one pixel on along an axis, and the slices of both."""
    first, second = (slice(None),) * (axis - 1) + (slice(-1),), (slice(None),) * (axis - 1) + (slice(1, None),)
    near, far = inverse[a][first], inverse[b][second]
    step = far - near  # nan where either is missing: every comparison is false
    allowed = limit * near
    joined = np.abs(step) < allowed
    joined |= np.abs(step - slopes[0][a][first]) < allowed
    joined |= np.abs(step - slopes[1][b][second]) < allowed
    for table in tables:
        joined &= ~table.parts(a, first, b, second)
    return joined, first, second


def _runs(inverse: np.ndarray, tables: list[_Table], valid: np.ndarray, limit: np.float32) -> np.ndarray:
    """(L, H, W) int64 number of each hit's horizontal run within its layer; 0 as well where there is no hit."""
    slopes = _slopes(inverse, 2, limit)
    starts = valid.copy()
    for layer in range(len(valid)):
        joined, _, second = _joined(inverse, tables, slopes, layer, layer, 2, limit)
        starts[layer][second] &= ~joined
    return np.maximum(np.cumsum(starts, dtype=np.int64).reshape(valid.shape) - 1, 0)
