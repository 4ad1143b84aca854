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

FRONT_TO_BACK = 0.15
"""What a plane's score gains by standing across the view."""

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


def find_symmetries(points: np.ndarray, view: np.ndarray) -> list[Plane]:
    """The mirror planes of a surface, at most three, the best first.

    A plane's score is the share of mirrored points near the surface, and a little more for planes that bring the front
    to the back: a round body is symmetric about all planes through its axis, and that one hides least. Planes halve
    the object's extent; directions are tried all around, and the best one is refined; further planes stand across
    those found before.

    Args:
        points: (N, 3) on the surface.
        view: (3,) unit vector in which the camera looks at it.
    """
    rng = np.random.default_rng(0)
    chosen = points[rng.choice(len(points), min(SAMPLES, len(points)), replace=False)].astype(np.float64)
    size = float(np.ptp(points, axis=0).max())
    if size <= 0:
        return []
    cells = _Occupied(points, NEAR / 2 * size)
    _, _, axes = np.linalg.svd(chosen - chosen.mean(0), full_matrices=False)
    directions = np.concatenate([axes, view[None], _half_sphere(DIRECTIONS)])

    def matched(plane: Plane) -> float:
        return float(cells.contains(plane.mirror(chosen)).mean())

    def score(plane: Plane) -> float:
        return matched(plane) + FRONT_TO_BACK * abs(float(plane.normal @ view))

    planes = [Plane(normal, _middle(chosen, normal)) for normal in directions]
    scores = np.array([score(plane) for plane in planes])
    found: list[Plane] = []
    for number in np.argsort(-scores, kind="stable"):
        across = all(abs(directions[number] @ plane.normal) < ACROSS for plane in found)
        if scores[number] < MATCHED - PROMISE or len(found) == 3:
            break
        if across:
            plane = _refined(planes[number], scores[number], score, chosen, size, rng)
            if matched(plane) >= MATCHED and all(abs(plane.normal @ other.normal) < ACROSS for other in found):
                found.append(plane)
    return found


def _refined(
    plane: Plane,
    reached: float,
    score: Callable[[Plane], float],
    points: np.ndarray,
    size: float,
    rng: np.random.Generator,
) -> Plane:
    """The best plane near one."""
    for spread in REFINEMENTS:
        start = plane
        for _ in range(DIRECTIONS // 2):
            normal = start.normal + spread * rng.normal(size=3)
            normal /= np.linalg.norm(normal)
            candidate = Plane(normal, _middle(points, normal) + 0.1 * spread * size * rng.normal())
            value = score(candidate)
            if value > reached:
                plane, reached = candidate, value
    return plane


def _middle(points: np.ndarray, normal: np.ndarray) -> float:
    """The offset of the plane that halves the extent of points (N, 3) along a normal."""
    along = points @ normal
    return float(along.min() + along.max()) / 2


def _half_sphere(count: int) -> np.ndarray:
    """(count, 3) directions spread evenly over half a sphere (a Fibonacci spiral)."""
    k = np.arange(count) + 0.5
    z, angle = k / count, np.pi * (1 + 5**0.5) * k
    return np.stack([np.sqrt(1 - z * z) * np.cos(angle), np.sqrt(1 - z * z) * np.sin(angle), z], 1)


class _Occupied:
    """The cells of a grid that hold points, and those beside them."""

    def __init__(self, points: np.ndarray, cell: float) -> None:
        self._low = points.min(0) - 2 * cell
        self._cell = cell
        self._shape = np.ceil((points.max(0) - self._low) / cell).astype(int) + 3
        full = np.zeros(self._shape, bool)
        full[tuple(((points - self._low) / cell).astype(int).T)] = True
        self._full = full.copy()
        for axis in range(3):
            for step in (-1, 1):  # the border is empty, so nothing comes in from the other side
                self._full |= np.roll(full, step, axis)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool."""
        index = np.floor((points - self._low) / self._cell).astype(int)
        inside = ((index >= 0) & (index < self._shape)).all(1)
        index = np.where(inside[:, None], index, 0)
        return inside & self._full[tuple(index.T)]
