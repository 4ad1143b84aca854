"""The plane that a shape is symmetric about, if it is: what it hides looks like what it shows, mirrored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SAMPLES = 1500
"""Surface points that are mirrored to judge a plane."""

DIRECTIONS = 48
"""Plane normals tried over the half sphere, besides the principal axes."""

REFINEMENTS = (0.2, 0.07, 0.02)
"""How far around the best plane others are tried, round after round."""

PROMISE = 0.3
"""Planes this much under `MATCHED` are worth refining."""

ACROSS = 0.5
"""Largest cosine between two planes of one object."""

MATCHED = 0.8
"""Share of the mirrored points that must fall on the surface."""

NEAR = 0.03
"""How close that is, in sizes of the object."""


@dataclass(frozen=True, eq=False)
class Plane:
    """The points p with normal . p = offset; `normal` has length 1."""

    normal: np.ndarray
    offset: float

    def mirror(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) the points on the other side."""
        return points - 2 * (points @ self.normal - self.offset)[:, None] * self.normal


def find_symmetries(points: np.ndarray) -> list[Plane]:
    """The mirror planes of a surface given as points (N, 3), at most three, the best first.

    A plane's score is the share of mirrored points near the surface. Planes pass by the center, directions are tried
    all around, and the best one is refined; further planes stand across those found before.
    """
    rng = np.random.default_rng(0)
    chosen = points[rng.choice(len(points), min(SAMPLES, len(points)), replace=False)].astype(np.float64)
    size = float(np.ptp(points, axis=0).max())
    if size <= 0:
        return []
    cells = _Occupied(points, NEAR * size)
    center = chosen.mean(0)
    _, _, axes = np.linalg.svd(chosen - center, full_matrices=False)
    directions = np.concatenate([axes, _half_sphere(DIRECTIONS)])

    def score(plane: Plane) -> float:
        return float(cells.contains(plane.mirror(chosen)).mean())

    planes = [Plane(normal, float(center @ normal)) for normal in directions]
    scores = np.array([score(plane) for plane in planes])
    found: list[Plane] = []
    for number in np.argsort(-scores, kind="stable"):
        across = all(abs(directions[number] @ plane.normal) < ACROSS for plane in found)
        if scores[number] < MATCHED - PROMISE or len(found) == 3:
            break
        if across:
            plane, reached = _refined(planes[number], scores[number], score, center, size, rng)
            if reached >= MATCHED and all(abs(plane.normal @ other.normal) < ACROSS for other in found):
                found.append(plane)
    return found


def _refined(
    plane: Plane,
    reached: float,
    score: Callable[[Plane], float],
    center: np.ndarray,
    size: float,
    rng: np.random.Generator,
) -> tuple[Plane, float]:
    """The best plane near one that passes by the center, and its score."""
    for spread in REFINEMENTS:
        start = plane
        for _ in range(DIRECTIONS // 2):
            normal = start.normal + spread * rng.normal(size=3)
            normal /= np.linalg.norm(normal)
            candidate = Plane(normal, float(center @ normal) + 0.1 * spread * size * rng.normal())
            value = score(candidate)
            if value > reached:
                plane, reached = candidate, value
    return plane, reached


def _half_sphere(count: int) -> np.ndarray:
    """(count, 3) directions spread evenly over half a sphere (a Fibonacci spiral)."""
    k = np.arange(count) + 0.5
    z, angle = k / count, np.pi * (1 + 5**0.5) * k
    return np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], 1)


class _Occupied:
    """The cells of a grid that hold points, and their neighbors."""

    def __init__(self, points: np.ndarray, cell: float) -> None:
        self._low = points.min(0) - 2 * cell
        self._cell = cell
        self._shape = np.ceil((points.max(0) - self._low) / cell).astype(int) + 3
        full = np.zeros(self._shape, bool)
        full[tuple(((points - self._low) / cell).astype(int).T)] = True
        self._full = full

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool."""
        index = np.floor((points - self._low) / self._cell).astype(int)
        inside = ((index >= 0) & (index < self._shape)).all(1)
        index = np.where(inside[:, None], index, 0)
        return inside & self._full[tuple(index.T)]
