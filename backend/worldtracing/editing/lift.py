"""Lifting: which points of all layers belong to an object that was selected in the picture.

The visible points are those of the mask. A hidden surface that is connected with visible ones belongs with them, also
where it comes out behind another object. One that is connected with nothing visible goes with its partner: along a ray
the surfaces of solids pair up into entries and exits, first with second, third with fourth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..world import LayeredWorld
from .base import Lifted, Plane, front_points
from .rays import RayOrder
from .surfaces import Surfaces, take_apart

ROUNDS = 3
"""Times that hidden surfaces take their side from partners, as those of a thing behind a hidden surface."""

THICKEST = 1.5
"""An entry and its exit lie at most this far apart, in sizes of the object: else the exit is missing."""

DIVIDED = 0.03
"""A sheet that the mask's outline cuts, with more than this share on each side, is divided between both."""

SEEN = 0.005
"""Share of a sheet that must be visible to tell whose it is: less are stray pixels at outlines."""

UNKNOWN, OBJECT, OTHER, BOTH = range(4)


def lift(
    world: LayeredWorld, mask: np.ndarray, planes: Sequence[Plane] = (), surfaces: Surfaces | None = None
) -> Lifted:
    """The object seen in `mask`, with its hidden layers.

    Args:
        world: what is left of a traced world; its rays may have gaps where other objects were lifted.
        mask: (H, W) bool, the pixels in which the object is seen.
        planes: the supports, as `Segmentation.planes` has them. Their points stay, but for those in the mask; a mask
            that covers most of a support takes all of it, also behind other objects.
        surfaces: of this very world and these planes, as `Segmentation.surfaces` has them; else they are found.

    Returns:
        The points, a subset of `world.valid`.

    Raises:
        ValueError: the mask has another size than the world.
    """
    if mask.shape != world.valid.shape[1:]:
        raise ValueError(f"The mask is {mask.shape} and the world {world.valid.shape[1:]}.")
    surfaces = surfaces or take_apart(world, planes)
    mask = mask & (surfaces.front >= 0)
    side = _sides_of_visible(surfaces, mask)
    _sides_of_hidden(world, surfaces, mask, side)
    points = _hits_of_object(world, surfaces, mask, side)
    support = surfaces.at_front(surfaces.support)
    for index in range(len(planes)):
        seen = support == index
        if np.count_nonzero(seen & mask) > 0.5 * max(np.count_nonzero(seen), np.count_nonzero(mask)):
            points |= surfaces.support == index
    at_front = np.arange(len(points))[:, None, None] == surfaces.front
    return Lifted(mask, np.where(at_front, mask, points & world.valid))


def _sides_of_visible(surfaces: Surfaces, mask: np.ndarray) -> np.ndarray:
    """(count,) int8, to whom each sheet belongs by what is seen of it; `UNKNOWN` where nothing is."""
    sheet = surfaces.at_front(surfaces.sheet)
    inside = np.bincount(sheet[mask & (sheet >= 0)], minlength=surfaces.count)
    outside = np.bincount(sheet[~mask & (sheet >= 0)], minlength=surfaces.count)
    side = np.where(inside > outside, OBJECT, OTHER)
    side[np.minimum(inside, outside) > DIVIDED * (inside + outside)] = BOTH
    size = np.bincount(surfaces.sheet[surfaces.hits], minlength=surfaces.count)
    side[inside + outside <= SEEN * size] = UNKNOWN
    return side.astype(np.int8)


def _sides_of_hidden(world: LayeredWorld, surfaces: Surfaces, mask: np.ndarray, side: np.ndarray) -> None:
    """Give the sheets that are nowhere seen the side of most of their partners, then of what is next on their rays."""
    if not (side == UNKNOWN).any() or not mask.any():
        return
    seen, _ = front_points(world)
    thickest = THICKEST * np.linalg.norm(np.ptp(seen[mask], axis=0))
    order = RayOrder(surfaces.hits)
    for others in (*[(order.partner,)] * ROUNDS, (order.before, order.after)):
        at = np.nonzero(np.append(side == UNKNOWN, False)[surfaces.sheet])
        votes = np.zeros((2, surfaces.count))
        for find in others:
            other = find(*at)
            gap = np.abs(world.points[(other, *at[1:])][:, 2] - world.points[at][:, 2])
            theirs = side[surfaces.sheet[(other, *at[1:])]]
            theirs = np.where(theirs == BOTH, np.where(mask[at[1:]], OBJECT, OTHER), theirs)
            weight = np.ones_like(gap) if len(others) == 1 else 1 / (gap + 1e-3 * thickest)
            for index, which in enumerate((OBJECT, OTHER)):
                voting = (other >= 0) & (gap <= thickest) & (theirs == which)
                votes[index] += np.bincount(surfaces.sheet[at][voting], weight[voting], surfaces.count)
        side[(side == UNKNOWN) & (votes[0] > votes[1])] = OBJECT
        side[(side == UNKNOWN) & (votes[1] > 0)] = OTHER


def _hits_of_object(world: LayeredWorld, surfaces: Surfaces, mask: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(L, H, W) bool; of a divided sheet the object has the hidden hits behind the part of it that the mask covers.

    These may reach no deeper than the object is wide or high: a soft depth joins it to what is far behind.
    """
    points = np.append(side == OBJECT, False)[surfaces.sheet]  # sheet -1 is no hit
    divided = np.append(side == BOTH, False)[surfaces.sheet]
    if not divided.any() or not mask.any():
        return points
    seen, _ = front_points(world)
    deepest = seen[..., 2] + np.ptp(seen[mask][:, :2], axis=0).max()
    near = world.points[..., 2] <= deepest
    return points | (divided & mask & near & (surfaces.at_front(surfaces.sheet) == surfaces.sheet))
