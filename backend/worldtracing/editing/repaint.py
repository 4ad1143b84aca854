"""Painting what the photo does not show: what objects hid, and their backs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..progress import OnProgress, silent
from ..regions import dilate
from ..world import LayeredWorld
from .base import Filled, Plane, front_layer, part
from .colors import inner_part, without_outline
from .painters import Painter
from .planes import support_map
from .surfaces import Surfaces, take_apart

FEWEST = 16
"""Pixels of a surface that are worth a painter; fewer keep their smooth colors."""

RIM = 2
"""Pixels along an object that show some of its color still, where the photo is not sharp; they are painted as well."""

ENOUGH = 1.0
"""Pixels seen of a surface per missing one, from which on it is painted by itself."""

NONE = -1
"""The number of what lies on no surface."""

GROUND = 128
"""Gray of the ground on which a painter sees an object and its back."""

SPACE = 0.15
"""Of the ground around an object, in its sizes."""

BACKGROUND = "the same place without any objects in front, photo"
BACK = "{} seen from the front on the left, and the same {} seen from behind on the right, plain gray background, photo"


@dataclass(frozen=True, eq=False)
class Repainted:
    """Painted colors, one per ray at most.

    Attributes:
        rgb: (H, W, 3) uint8 sRGB, zero where nothing was painted.
        layer: (H, W) int64, of the point that a color is for; -1 where nothing was painted.
        of_fill: (H, W) bool, where the color is for the fill's point and not for one of the layers.
    """

    rgb: np.ndarray
    layer: np.ndarray
    of_fill: np.ndarray


def repaint_hidden(
    world: LayeredWorld,
    points: np.ndarray,
    planes: Sequence[Plane],
    painter: Painter,
    *,
    filled: Filled | None = None,
    surfaces: Surfaces | None = None,
    wanted: np.ndarray | None = None,
    text: str = BACKGROUND,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Repainted:
    """Paint what would be seen from the photo's camera of a set of points alone, where the photo shows something else.

    A painter that is not generative paints each surface from what is seen of it: a floor takes nothing from the wall.
    Surfaces of which less is seen than is missing are painted together, from all that is seen. Only the front point of
    a ray gets a color: what is hidden behind it too keeps its own.

    Args:
        world: with everything in place; its layer 0 is what the photo shows.
        points: (L, H, W) bool: those that remain, or a lifted object's.
        planes: the supports.
        filled: what was filled in where `points` leave a hole.
        surfaces: as for `surface_colors`.
        wanted: (H, W) bool, where to paint; everywhere without it.

    Raises:
        WorldTracingError: those of the painter.
    """
    surfaces = surfaces or take_apart(part(world, points), planes)
    seen, front = points[0], front_layer(points)
    elsewhere = world.valid[0] & ~seen
    picture, _ = without_outline(world.rgb, seen, elsewhere, surfaces.support[0])
    mixed = seen & dilate(elsewhere, RIM)
    in_fill = np.zeros_like(seen) if filled is None else filled.valid
    unknown = (front > 0) | in_fill | mixed
    surface = _surface(surfaces, front)
    if filled is not None:
        picture = np.where(in_fill[..., None], filled.rgb, picture)
        surface = np.where(in_fill, support_map(planes, filled.points, in_fill), surface)
    wanted = unknown if wanted is None else unknown & wanted
    if painter.info.generative and wanted.any():
        rgb = painter.paint(picture, wanted, text, seed, on_progress)
        return _result(rgb, wanted, front, in_fill)
    rgb, painted = picture.copy(), np.zeros_like(wanted)
    for gap, source in _gaps(surface, wanted, seen & ~unknown):
        rgb[gap] = painter.paint(picture, gap, text, seed, on_progress, source)[gap]
        painted |= gap
    return _result(rgb, painted, front, in_fill)


def repaint_back(
    world: LayeredWorld,
    points: np.ndarray,
    name: str,
    painter: Painter,
    *,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Repainted:
    """Paint an object's back with a generative painter: the last point of each ray that is not the first.

    The painter sees a picture of two halves on a plain ground: on the left the object's front, on the right its outline
    mirrored, which it is to fill with the same thing from behind. So the outlines agree, but nothing makes the colors
    agree along them, sides are not painted, and the light is that of the front.

    Args:
        points: (L, H, W) bool, the object's.
        name: what it is; the painter reads it.

    Raises:
        WorldTracingError: those of the painter.
    """
    back = len(points) - 1 - points[::-1].argmax(0)
    has_back = points.any(0) & (back > 0) & (back != front_layer(points))
    if not has_back.any():
        return _result(world.rgb, has_back, back, np.zeros_like(has_back))
    seen = points[0]
    rows, columns = (np.flatnonzero((seen | has_back).any(axis)) for axis in (1, 0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    space = max(1, round(SPACE * max(len(rows), len(columns))))
    front = np.where(seen[..., None], world.rgb, np.uint8(GROUND))[window]
    halves = [
        np.pad(half, [(space, space)] * 2 + [(0, 0)], constant_values=GROUND)
        for half in (front, np.full_like(front, GROUND))
    ]
    shown, unknown = np.pad(seen[window], space), np.pad(has_back[window][:, ::-1], space)
    canvas, nothing = np.concatenate(halves, 1), np.zeros_like(unknown)
    unknown, source = np.concatenate([nothing, unknown], 1), np.concatenate([shown, nothing], 1)
    painted = painter.paint(canvas, unknown, BACK.format(name, name), seed, on_progress, source)
    rgb = np.zeros_like(world.rgb)
    rgb[window] = painted[:, halves[0].shape[1] :][space:-space, space:-space][:, ::-1]
    return _result(rgb, has_back, back, np.zeros_like(has_back))


def _surface(surfaces: Surfaces, front: np.ndarray) -> np.ndarray:
    """(H, W) int64: the support that the front point of each ray lies on, or -2 - its sheet; `NONE` for neither."""
    at = np.maximum(front, 0)[None]
    support, sheet = (
        np.take_along_axis(values, at, 0)[0].astype(np.int64) for values in (surfaces.support, surfaces.sheet)
    )
    return np.where(front < 0, NONE, np.where(support >= 0, support, np.where(sheet >= 0, -2 - sheet, NONE)))


def _gaps(surface: np.ndarray, wanted: np.ndarray, seen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What is wanted (H, W) bool, in parts, each with what of the seen tells how it looks.

    A surface of which enough is seen is a part of its own; all others are one that looks like anything that is seen.
    """
    left = wanted.copy()
    for index in np.unique(surface[wanted]):
        gap = wanted & (surface == index)
        source = inner_part(seen & (surface == index), seen)
        if index != NONE and np.count_nonzero(source) >= ENOUGH * np.count_nonzero(gap):
            left &= ~gap
            if np.count_nonzero(gap) >= FEWEST:
                yield gap, source
    if np.count_nonzero(left) >= FEWEST and seen.any():
        yield left, seen


def _result(rgb: np.ndarray, painted: np.ndarray, layer: np.ndarray, in_fill: np.ndarray) -> Repainted:
    return Repainted(
        np.where(painted[..., None], rgb, np.uint8(0)),
        np.where(painted & ~in_fill, layer, -1),
        painted & in_fill,
    )
