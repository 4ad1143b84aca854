"""Colors for points that the photo does not show: backs of objects, and what stood behind others.

A hidden point takes the color of the front of its own object on the same ray, as if the object were symmetric. Where
another object is in front, it smoothly continues the colors of its own surface around the gap. A pixel on an outline
mixes two things' colors and takes those of its inner neighbors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..regions import dilate
from ..world import LayeredWorld
from .base import Plane, PointColors, part
from .pull_push import pull_push
from .surfaces import Surfaces, take_apart

OUTLINE = 1
"""Pixels on each side of an outline whose colors are mixed."""

CREASE = 2
"""Pixels on each side of where two supports meet: which of them a pixel shows is known no better."""


def surface_colors(
    world: LayeredWorld, points: np.ndarray, planes: Sequence[Plane] = (), surfaces: Surfaces | None = None
) -> PointColors:
    """Colors for a set of points: a lifted object's, or those that remain.

    Args:
        world: with everything in place, so that outlines between the set and the rest are known. Its layer 0 is what
            the photo shows.
        points: (L, H, W) bool, a subset of `world.valid`.
        planes: the supports.
        surfaces: of this world and these planes, as `Segmentation.surfaces` has them; else those of the points alone.
    """
    surfaces = surfaces or take_apart(part(world, points), planes)
    rgb = np.zeros((*points.shape, 3), np.uint8)
    seen = points[0]
    picture, mixed = without_outline(world.rgb, seen, world.valid[0] & ~seen, surfaces.support[0])
    rgb[0][seen] = picture[seen]
    shown = np.zeros(surfaces.count + 1, bool)  # sheets that are seen somewhere; the last entry is for no sheet
    shown[surfaces.sheet[0][seen]] = True
    shown[-1] = False
    bounds = [index for index, plane in enumerate(planes) if plane.kind != "table"]
    front = seen & ~np.isin(surfaces.support[0], bounds)
    sheet, support = surfaces.sheet, surfaces.support
    hidden = points.copy()
    hidden[0] = False
    mirrored = hidden & front & (support < 0) & ((sheet == sheet[0]) | ~shown[sheet])
    np.copyto(rgb, picture, where=mirrored[..., None])
    hidden &= ~mirrored
    for index in np.unique(support[hidden & (support >= 0)]):
        _continue(rgb, picture, inner_part(seen & (support[0] == index), seen), hidden & (support == index))
    hidden &= support < 0
    for index in _largest(sheet[hidden & shown[sheet]]):
        same = hidden & (sheet == index)
        _continue(rgb, picture, seen & (sheet[0] == index), same)
        hidden &= ~same
    _continue(rgb, picture, front if front.any() else seen, hidden)
    invented = points.copy()
    invented[0] = mixed & seen
    return PointColors(rgb, invented)


def without_outline(
    rgb: np.ndarray, inside: np.ndarray, outside: np.ndarray, support: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The picture with the pixels along an outline recolored from further inside, and which these are, (H, W) bool.

    Args:
        rgb: (H, W, 3) uint8.
        inside: (H, W) bool, the side that is wanted.
        outside: (H, W) bool, what it borders on.
        support: (H, W) int, which support each pixel shows, -1 for none: a floor takes no color from its wall.
    """
    outline = inside & dilate(outside, OUTLINE)
    window = 2 * OUTLINE + 3
    picture, mixed = rgb.copy(), np.zeros_like(inside)
    for index in np.unique(support[outline]):
        pure = inside & ~outline & (support == index)
        weight = box_sum(pure.astype(np.float32)[..., None], window)
        here = outline & (support == index) & (weight[..., 0] > 0)  # thin parts keep their own colors
        sums = box_sum(np.where(pure[..., None], rgb, np.uint8(0)).astype(np.float32), window)
        picture[here] = to_bytes(sums[here] / weight[here])
        mixed |= here
    return picture, mixed


def inner_part(surface: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The pixels of a surface (H, W) that border on nothing else that is seen, or all where it is nowhere wide.

    A pixel on the crease of floor and wall mixes both colors, and belongs to either.
    """
    inner = surface & ~dilate(seen & ~surface, CREASE)
    return inner if inner.any() else surface


def box_sum(image: np.ndarray, size: int) -> np.ndarray:
    """Sums over size x size pixels around each, of (H, W, C) float32."""
    for axis in (0, 1):
        ends = [(0, 0)] * 3
        ends[axis] = (size // 2 + 1, size // 2)
        sums = np.cumsum(np.pad(image, ends), axis=axis, dtype=np.float64)
        count = image.shape[axis]
        image = np.take(sums, range(size, size + count), axis) - np.take(sums, range(count), axis)
    return image.astype(np.float32)


def _largest(labels: np.ndarray, most: int = 20) -> np.ndarray:
    """The labels that occur most often; the few points of all others need no care of their own."""
    values, counts = np.unique(labels, return_counts=True)
    return values[np.argsort(-counts, kind="stable")[:most]]


def _continue(colors: np.ndarray, picture: np.ndarray, source: np.ndarray, wanted: np.ndarray) -> None:
    """Write a smooth continuation of the picture at `source` (H, W) to `colors` (L, H, W, 3) at `wanted` (L, H, W)."""
    if wanted.any() and source.any():
        rows, columns = (np.flatnonzero((source | wanted.any(0)).any(axis)) for axis in (1, 0))
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        smooth = to_bytes(pull_push(picture[window], source[window]))
        inside = slice(None), *window
        np.copyto(colors[inside], smooth, where=wanted[inside][..., None])


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Colors in 0..255 of any float dtype as uint8."""
    return np.rint(values).astype(np.uint8)
