"""What repainting computes before it changes anything in Blender: arrays alone, so in any thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from ...backend.worldtracing.editing.base import Filled, front_layer
from ...backend.worldtracing.editing.painters import Painter
from ...backend.worldtracing.editing.repaint import FEWEST, Repainted, repaint_back, repaint_hidden
from ...backend.worldtracing.progress import OnProgress, silent
from ...backend.worldtracing.regions import dilate
from ..core.kept import Kept
from .lift_plan import OUTLINE
from .segmentation import planes_of, surfaces_of
from .world_data import WorldData

_plans = Kept(2)


@dataclass(frozen=True, eq=False)
class StoredFill:
    """A fill's mesh.

    Attributes:
        item: id of the lifted object that left the hole.
        points: (N, 3) float32 in the camera frame.
        rows, columns: (N,) int, of the picture.
        rgb: (N, 3) uint8 sRGB.
    """

    item: str
    points: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    rgb: np.ndarray


@dataclass(frozen=True, eq=False)
class PaintWanted:
    """What is to be painted: what some objects hid, and with a generative painter their backs.

    Attributes:
        numbers: of these objects.
        names: of all lifted objects, by number.
        fills: all that the world has.
        painter_name, seed: the painter, and its seed.
        painter: the same, ready to be asked in any thread.
    """

    numbers: tuple[int, ...]
    names: Mapping[int, str]
    fills: Sequence[StoredFill]
    painter_name: str
    seed: int
    painter: Painter

    def key(self, data: WorldData) -> tuple:
        """All that a plan depends on."""
        digest = blake2b(data.owner, digest_size=16)
        for fill in self.fills:
            digest.update(fill.points)
            digest.update(fill.rgb)
        names = tuple(sorted(self.names.items()))
        return data.world, digest.digest(), self.numbers, names, self.painter_name, self.seed


@dataclass(frozen=True, eq=False)
class Painted:
    """New colors of points of one mesh or of the layers.

    Attributes:
        places: layers, rows and columns, (N,) int each.
        rgb: (N, 3) uint8 sRGB.
    """

    places: tuple[np.ndarray, np.ndarray, np.ndarray]
    rgb: np.ndarray

    @classmethod
    def of(cls, *results: Repainted) -> Painted:
        """The colors of layers' points in several results, the last of which count."""
        at = [(result, *np.nonzero(result.layer >= 0)) for result in results]
        layers = np.concatenate([result.layer[rows, columns] for result, rows, columns in at])
        places = (np.concatenate(parts) for parts in zip(*((rows, columns) for _, rows, columns in at), strict=True))
        return cls((layers, *places), np.concatenate([result.rgb[rows, columns] for result, rows, columns in at]))


@dataclass(frozen=True, eq=False)
class PaintPlan:
    """
    Attributes:
        layers: colors of the layers' points.
        fills: by item id the vertices (M,) int of its fill, and their colors (M, 3) uint8 sRGB.
        objects: colors of lifted objects' points, by number.
    """

    layers: Painted
    fills: Mapping[str, tuple[np.ndarray, np.ndarray]]
    objects: Mapping[int, Painted]

    @property
    def count(self) -> int:
        """How many points get a color."""
        parts = [self.layers.rgb, *(rgb for _, rgb in self.fills.values()), *(one.rgb for one in self.objects.values())]
        return sum(map(len, parts))


def paint_plan(data: WorldData, wanted: PaintWanted, on_progress: OnProgress = silent) -> PaintPlan:
    """What to paint in which color; the same is not computed twice.

    Raises:
        WorldTracingError: those of the painter.
        Cancelled: by `on_progress`.
    """
    return _plans.get(wanted.key(data), lambda: _planned(data, wanted, on_progress))


def knows_paint_plan(data: WorldData, wanted: PaintWanted) -> bool:
    """Whether `paint_plan` would answer at once."""
    return wanted.key(data) in _plans


def _planned(data: WorldData, wanted: PaintWanted, on_progress: OnProgress) -> PaintPlan:
    planes, surfaces, numbers = planes_of(data), surfaces_of(data), wanted.numbers
    asked = {"surfaces": surfaces, "seed": wanted.seed, "on_progress": on_progress}
    hid = dilate(np.isin(data.owner, numbers).any(0), OUTLINE)
    filled, fill, vertex = _together(wanted.fills, data)
    rest = repaint_hidden(data.world, data.remaining, planes, wanted.painter, filled=filled, wanted=hid, **asked)
    objects: dict[int, list[Repainted]] = {}
    for number in wanted.names:
        points = data.owner == number
        behind = (front_layer(points) > 0) & np.isin(data.owner[0], [one for one in numbers if one != number])
        if np.count_nonzero(behind) >= FEWEST:
            hidden = repaint_hidden(
                data.world, points, planes, wanted.painter, wanted=behind, text=wanted.names[number], **asked
            )
            objects.setdefault(number, []).append(hidden)
    if wanted.painter.info.generative:
        for number in set(numbers) & wanted.names.keys():
            back = repaint_back(
                data.world, data.owner == number, wanted.names[number], wanted.painter, seed=wanted.seed,
                on_progress=on_progress,
            )  # fmt: skip
            objects.setdefault(number, []).append(back)
    fills = {}
    for index, one in enumerate(wanted.fills):
        where = rest.of_fill & (fill == index)
        if where.any():
            fills[one.item] = vertex[where], rest.rgb[where]
    return PaintPlan(Painted.of(rest), fills, {number: Painted.of(*results) for number, results in objects.items()})


def _together(fills: Sequence[StoredFill], data: WorldData) -> tuple[Filled, np.ndarray, np.ndarray]:
    """All fills as one, the nearest on each ray; and (H, W) int whose point and which of its vertices that is."""
    shape = data.owner.shape[1:]
    points, rgb = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 3), np.uint8)
    depth, fill, vertex = np.full(shape, np.inf), np.full(shape, -1), np.full(shape, -1)
    for index, one in enumerate(fills):
        nearer = np.flatnonzero(one.points[:, 2] < depth[one.rows, one.columns])
        at = one.rows[nearer], one.columns[nearer]
        points[at], rgb[at], depth[at] = one.points[nearer], one.rgb[nearer], one.points[nearer, 2]
        fill[at], vertex[at] = index, nearer
    return Filled(points, fill >= 0, rgb), fill, vertex
