"""A world taken apart: which hits lie on supports, and how all others connect to surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..regions import dilate
from ..world import LayeredWorld
from .base import Plane, front_layer, front_points
from .normals import surface_normals
from .planes import support_map
from .rays import RayOrder
from .sheets import connected_sheets

BESIDE = 2
"""Pixels beside a support in which a point on its plane is taken for a part of it, whatever its normal."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What each hit of a world belongs to.

    Attributes:
        planes: the supports.
        support: (L, H, W) int32 index into `planes`, -1 for none.
        front: (H, W) int64, the first valid layer, -1 where there is none.
        hits: (L, H, W) bool, the points that lie on no floor, wall or ceiling; tables are furniture.
        sheet: (L, H, W) int32, connected surfaces of `hits`, -1 elsewhere.
        count: of the sheets.
    """

    planes: tuple[Plane, ...]
    support: np.ndarray
    front: np.ndarray
    hits: np.ndarray
    sheet: np.ndarray
    count: int

    def at_front(self, values: np.ndarray) -> np.ndarray:
        """(H, W), from (L, H, W) int the values of the visible points, -1 where there are none."""
        return np.where(self.front >= 0, np.take_along_axis(values, np.maximum(self.front, 0)[None], 0)[0], -1)

    def crop(self, window: tuple[slice, slice]) -> Surfaces:
        """The same in rows and columns of the picture; sheets keep their numbers."""
        parts = {name: getattr(self, name)[(..., *window)] for name in ("support", "front", "hits", "sheet")}
        return replace(self, **parts)


def take_apart(world: LayeredWorld, planes: Sequence[Plane]) -> Surfaces:
    """Supports and connected surfaces of a world whose supports are known."""
    support = support_map(planes, world.points, world.valid)
    front = front_layer(world.valid)
    points, seen = front_points(world)
    if planes:  # visible points have normals, which tell an object's foot from the floor
        visible = support_map(planes, points, seen, surface_normals(points, seen))
        by_distance = np.take_along_axis(support, np.maximum(front, 0)[None], 0)[0]
        for index in range(len(planes)):  # at edges normals mix, and the plane's neighborhood decides
            beside = dilate(visible == index, BESIDE) & (visible < 0) & (by_distance == index)
            visible[beside] = index
        np.put_along_axis(support, np.maximum(front, 0)[None], np.where(seen, visible, -1)[None], 0)
    bounds = [index for index, plane in enumerate(planes) if plane.kind != "table"]
    hits = world.valid & ~np.isin(support, bounds)
    sheets = connected_sheets(world.points, hits, float(world.K[0, 0]), support, planes)
    sheet = _with_slivers(sheets.labels, sheets.count, hits)
    return Surfaces(tuple(planes), support, front, hits, sheet, sheets.count)


def _with_slivers(sheet: np.ndarray, count: int, hits: np.ndarray) -> np.ndarray:
    """Sheets nowhere three pixels wide, as sides seen at a glancing angle, join the one of most of their partners.

    They are too steep to continue from ray to ray. Their numbers are not used any more.
    """
    core = sheet[:, 1:-1, 1:-1]
    wide = (sheet[:, :-2, 1:-1] == core) & (sheet[:, 2:, 1:-1] == core)
    wide &= (sheet[:, 1:-1, :-2] == core) & (sheet[:, 1:-1, 2:] == core) & (core >= 0)
    sliver = np.ones(count + 1, bool)
    sliver[core[wide]] = False
    sliver[-1] = False  # no sheet
    _, row, column = at = np.nonzero(sliver[sheet])
    partner = RayOrder(hits).partner(*at)
    theirs = sheet[partner, row, column]
    voting = (partner >= 0) & ~sliver[theirs]
    pairs, votes = np.unique(np.stack([sheet[at], theirs])[:, voting], axis=1, return_counts=True)
    joined = np.arange(count + 1)
    order = np.argsort(votes, kind="stable")  # the most votes are written last
    joined[pairs[0, order]] = pairs[1, order]
    joined[-1] = -1
    return joined[sheet].astype(np.int32)
