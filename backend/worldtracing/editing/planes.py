"""Supports of a scene: the planes that bound it (floor, walls, ceiling) and level planes inside it (tables), by RANSAC.

A flat side of a box is a plane too, but things lie behind it. A floor or a wall has everything on the camera's side,
hidden layers included; that is what tells them from objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..world import LayeredWorld
from .base import Plane, front_points
from .normals import surface_normals

SAMPLES = 6000
"""Points that hypotheses are judged by."""

HYPOTHESES = 300
"""Planes tried per support, each through one point across its normal."""

MAX_SUPPORTS = 8

MIN_SHARE = 0.015
MIN_TABLE_SHARE = 0.006
"""Share of the visible points that a support, and a table, must hold."""

TOLERANCE = 0.01
"""Distance from a plane, relative to depth, within which a point may lie on it."""

TIGHT = 0.003
LOOSE_GAIN = 0.4
"""A tight tolerance is enough where it finds this share of the points that `TOLERANCE` finds."""

FINEST = 0.002
"""The tolerance of a plane whose points fit it perfectly."""

BEYOND = 0.03
"""Share of all points that may lie behind a plane that bounds the scene."""

PARALLEL = np.cos(np.radians(12))
FACING = np.cos(np.radians(40))
"""Cosines: of two directions that count as one, and of a point's normal with that of the plane it lies on."""

UPRIGHT = np.cos(np.radians(70))
"""How far a floor's normal may lean from the picture's vertical: a camera that looks steeply down."""

UP = np.array([0.0, -1.0, 0.0])


def find_planes(world: LayeredWorld) -> tuple[Plane, ...]:
    """The supports, the one with the most points first; none for the trace of a single object.

    Deterministic: random choices start from a fixed seed.
    """
    points, seen = front_points(world)
    if world.metadata.get("mode") == "object" or np.count_nonzero(seen) < 100:
        return ()
    rng = np.random.default_rng(0)
    sample = rng.permutation(np.flatnonzero(seen))[:SAMPLES]
    normals = surface_normals(points, seen).reshape(-1, 3)[sample].astype(np.float64)
    points = points.reshape(-1, 3)[sample].astype(np.float64)
    valid = np.flatnonzero(world.valid)
    solid = world.points.reshape(-1, 3)[valid[rng.integers(len(valid), size=SAMPLES)]].astype(np.float64)

    def bounds_scene(plane: np.ndarray) -> np.ndarray:
        return np.mean(solid @ plane[:, :3].T - plane[:, 3] < -TOLERANCE * solid[:, 2:], axis=0) <= BEYOND

    bounds, left = _search(points, normals, np.ones(len(points), bool), rng, bounds_scene, MIN_SHARE)
    floor = max((plane for plane in bounds if _may_be_floor(plane)), key=lambda plane: plane.support, default=None)
    if floor is None:
        return tuple(replace(plane, kind=_kind(plane, UP)) for plane in bounds)
    bounds = [replace(plane, kind="floor" if plane is floor else _kind(plane, floor.normal)) for plane in bounds]
    levels, _ = _search(
        points, normals, left, rng, lambda plane: plane[:, :3] @ floor.normal > PARALLEL, MIN_TABLE_SHARE
    )
    levels = [replace(plane, kind="table") for plane in levels if _is_table(plane, points, normals)]
    planes = [*bounds, *levels]
    return tuple(sorted(planes, key=lambda plane: -plane.support)[:MAX_SUPPORTS])


def support_map(
    planes: Sequence[Plane], points: np.ndarray, valid: np.ndarray, normals: np.ndarray | None = None
) -> np.ndarray:
    """Which plane each point lies on.

    Args:
        points: (..., 3).
        valid: (...) bool.
        normals: (..., 3) of the points; where given, they must agree with the plane's.

    Returns:
        (...) int32 index into `planes`, -1 for none; of several planes the one that is nearest.
    """
    support = np.full(valid.shape, -1, np.int32)
    nearest = np.full(valid.shape, np.inf, np.float32)
    for index, plane in enumerate(planes):
        distance = np.abs(points @ plane.normal.astype(np.float32) - np.float32(plane.offset))
        on = valid & (distance < np.float32(plane.tolerance) * points[..., 2]) & (distance < nearest)
        if normals is not None:
            on &= np.abs(normals @ plane.normal.astype(np.float32)) > FACING
        support[on], nearest[on] = index, distance[on]
    return support


def ground_alignment(plane: Plane) -> np.ndarray:
    """(4, 4) float64, rigid: camera frame to a Z-up frame whose z = 0 is the plane.

    The camera stands over the origin and looks along +Y, or, where it looks straight at the plane, its top does.
    """
    up = np.asarray(plane.normal, np.float64)
    ahead = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(ahead) < 1e-3:
        ahead = UP - (UP @ up) * up
    ahead /= np.linalg.norm(ahead)
    matrix = np.eye(4)
    matrix[:3, :3] = [np.cross(ahead, up), ahead, up]
    matrix[2, 3] = -plane.offset
    return matrix


def _search(
    points: np.ndarray,
    normals: np.ndarray,
    left: np.ndarray,
    rng: np.random.Generator,
    acceptable: Callable[[np.ndarray], np.ndarray],
    min_share: float,
) -> tuple[list[Plane], np.ndarray]:
    """Planes by RANSAC, largest first, each without the points of those before.

    Args:
        points, normals: (N, 3) float64.
        left: (N,) bool, the points not on a plane yet.
        acceptable: hypotheses (K, 4), normal and offset, to (K,) bool.
        min_share: of the points that a plane must hold.

    Returns:
        Planes, and the points that lie on none.
    """
    planes: list[Plane] = []
    while len(planes) < MAX_SUPPORTS and np.count_nonzero(left) >= min_share * len(points):
        chosen = rng.choice(np.flatnonzero(left), HYPOTHESES)
        hypotheses = np.concatenate([normals[chosen], (normals[chosen] * points[chosen]).sum(1, keepdims=True)], 1)
        hypotheses = hypotheses[acceptable(hypotheses) & (hypotheses[:, 3] < 0)]
        if not len(hypotheses):
            break
        plane, on, tolerance = _best(hypotheses, points, normals, left)
        if np.count_nonzero(on) < min_share * len(points) or not acceptable(plane[None])[0]:
            break
        residual = np.abs(points[on] @ plane[:3] - plane[3]) / points[on, 2]
        spread = float(np.clip(4 * np.median(residual), FINEST, TOLERANCE))
        planes.append(Plane(plane[:3], float(plane[3]), support=int(on.sum()), tolerance=spread))
        left = left & ~(np.abs(points @ plane[:3] - plane[3]) < tolerance * points[:, 2])
    return planes, left


def _best(
    hypotheses: np.ndarray, points: np.ndarray, normals: np.ndarray, left: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """The hypothesis with the most points, refined; its points; and the tolerance, relative to depth, it was judged by.

    A tight tolerance goes first, or two tables of nearly one height would be one; a loose one only where it finds many
    more points, as where depth is noisy.
    """
    found = []
    for tolerance in (TIGHT, TOLERANCE):
        near = tolerance * points[:, 2]
        counts = [np.count_nonzero(_on(plane, points, normals, near) & left) for plane in hypotheses]
        found.append((*_refined(hypotheses[np.argmax(counts)], points, normals, near, left), tolerance))
    tight, loose = found
    return tight if np.count_nonzero(tight[1]) >= LOOSE_GAIN * np.count_nonzero(loose[1]) else loose


def _on(plane: np.ndarray, points: np.ndarray, normals: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    return (np.abs(points @ plane[:3] - plane[3]) < tolerance) & (normals @ plane[:3] > FACING)


def _refined(
    plane: np.ndarray, points: np.ndarray, normals: np.ndarray, tolerance: np.ndarray, left: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The plane fitted to its own points by least squares, three times over, and those points."""
    on = _on(plane, points, normals, tolerance) & left
    for _ in range(3):
        if np.count_nonzero(on) < 10:
            break
        center = points[on].mean(0)
        normal = np.linalg.svd(points[on] - center, full_matrices=False)[2][2]
        normal *= -1 if normal @ center > 0 else 1
        plane = np.append(normal, normal @ center)
        on = _on(plane, points, normals, tolerance) & left
    return plane, on


def _is_table(plane: Plane, points: np.ndarray, normals: np.ndarray) -> bool:
    """Whether a level plane is flat, and not the foot of one thing: a small plane that carries more than itself."""
    if plane.tolerance >= TOLERANCE:  # a slice of something round
        return False
    if plane.support >= MIN_SHARE * len(points):
        return True
    on = points[_on(np.append(plane.normal, plane.offset), points, normals, plane.tolerance * points[:, 2])]
    heights = plane.heights(points)
    aside = points - on.mean(0)
    aside -= (aside @ plane.normal)[:, None] * plane.normal
    reach = 1.5 * np.percentile(np.linalg.norm(on - on.mean(0), axis=1), 95)
    above = (heights > 2 * plane.tolerance * points[:, 2]) & (np.linalg.norm(aside, axis=1) < reach)
    return np.count_nonzero(above) <= plane.support


def _may_be_floor(plane: Plane) -> bool:
    return plane.normal @ UP > UPRIGHT and abs(plane.normal[0]) < 0.5


def _kind(plane: Plane, up: np.ndarray) -> str:
    """What a bounding plane other than the floor is, given the direction up."""
    lean = plane.normal @ up
    if abs(lean) < np.sin(np.radians(20)):
        return "wall"
    return "ceiling" if lean < -PARALLEL else "plane"
