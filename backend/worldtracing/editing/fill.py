"""Filling what a removed object leaves: points where no layer shows what was behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..camera import Camera
from ..world import LayeredWorld
from .base import Filled, Plane, front_layer, front_points, part
from .colors import inner_part, without_outline
from .planes import support_map
from .pull_push import nearest_known, pull_push

NOT_FARTHER = 0.02
"""A support is believed to go on behind the removed point, though it lies before it by up to this share of its depth;
what is filled in by depth alone lies behind it by as much."""


def fill(world: LayeredWorld, points: np.ndarray, planes: Sequence[Plane] = ()) -> Filled:
    """New points on the rays on which a removed object was in front.

    A support goes on behind the object: the floor up to the walls, and a table where a table is nearest in the
    picture. It is filled in where the rest has nothing on the ray, or only something farther away. Rays with nothing
    left at all and no support to go by continue the depth of what is seen around the hole. Next to the sky nothing is
    filled.

    Args:
        world: with everything in place.
        points: (L, H, W) bool, the points that remain, a subset of `world.valid`.
        planes: the supports.
    """
    removed_points, seen = front_points(part(world, world.valid & ~points))
    hole = seen & (front_layer(world.valid & ~points) == front_layer(world.valid))
    empty = Filled(np.zeros((*hole.shape, 3), np.float32), np.zeros_like(hole), np.zeros((*hole.shape, 3), np.uint8))
    if not hole.any():
        return empty
    rest, present = front_points(part(world, points))
    planes = _remaining(planes, removed_points, hole, rest, present)
    support = support_map(planes, rest, present)
    picture, mixed = without_outline(world.rgb, points[0], hole, support)
    source = points[0] & ~mixed
    rays = Camera.from_K(world.K, world.width, world.height).rays()
    at_least = removed_points[..., 2] * (1 - NOT_FARTHER)
    depth, index = _support_depth(planes, rays, support, hole, present)
    covered = present & (rest[..., 2] <= depth * (1 + _tolerances(planes)[index]))
    on_plane = hole & np.isfinite(depth) & (depth > at_least) & ~covered
    color = np.zeros((*hole.shape, 3), np.float32)
    for plane in np.unique(index[on_plane]):
        where = on_plane & (index == plane)
        color[where] = pull_push(picture, inner_part(source & (support == plane), source))[where]
    around = source & present & ~hole
    free = hole & ~present & ~on_plane & _next_to(around, hole, present)
    if free.any():
        farther = around & (rest[..., 2] >= np.median(removed_points[hole][:, 2]))
        around = farther if farther.any() else around
        inverse = pull_push(1 / np.maximum(rest[..., 2:], 1e-6), around)[..., 0]
        behind = removed_points[..., 2] * (1 + NOT_FARTHER)
        depth = np.where(free, np.maximum(1 / np.maximum(inverse, 1e-6), behind), depth)
        color[free] = pull_push(picture, around)[free]
    valid = on_plane | free
    points = np.where(valid[..., None], rays * np.where(valid, depth, 0)[..., None], 0).astype(np.float32)
    return Filled(points, valid, np.where(valid[..., None], np.rint(color), 0).astype(np.uint8))


def _remaining(
    planes: Sequence[Plane], removed: np.ndarray, hole: np.ndarray, rest: np.ndarray, present: np.ndarray
) -> tuple[Plane, ...]:
    """The planes that lost less than they keep: others are slices of the object, or were removed with it."""
    gone, kept = support_map(planes, removed, hole), support_map(planes, rest, present)
    return tuple(p for k, p in enumerate(planes) if np.count_nonzero(gone == k) <= np.count_nonzero(kept == k))


def _support_depth(
    planes: Sequence[Plane], rays: np.ndarray, support: np.ndarray, hole: np.ndarray, present: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W) of the support that goes on in the hole, inf where none does, and its index (0 there too).

    The nearest pixel outside the hole that lies on a support decides, or one with nothing at all: beyond it is sky.
    """
    known = (support >= 0) | (~present & ~hole)
    nearest = nearest_known(known)
    guide = np.where(nearest >= 0, support.ravel()[nearest], -1)
    depth = np.full(hole.shape, np.inf)
    index = np.zeros(hole.shape, np.int64)
    guided_by_bound = np.isin(guide, [k for k, plane in enumerate(planes) if plane.kind != "table"])
    for k, plane in enumerate(planes):
        with np.errstate(divide="ignore"):
            z = plane.offset / (rays @ plane.normal)
        ahead = hole & (z > 0) & (z < depth) & (guide == k if plane.kind == "table" else guided_by_bound)
        depth[ahead], index[ahead] = z[ahead], k
    return depth, index


def _tolerances(planes: Sequence[Plane]) -> np.ndarray:
    return np.array([plane.tolerance for plane in planes] or [0.0])


def _next_to(around: np.ndarray, hole: np.ndarray, present: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels whose nearest pixel outside the hole shows something, not sky."""
    nearest = nearest_known(around | (~present & ~hole))
    return (nearest >= 0) & around.ravel()[nearest]
