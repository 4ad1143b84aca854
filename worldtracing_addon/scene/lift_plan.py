"""What lifting and splitting compute before they change anything in Blender: arrays alone, so in any thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from ...backend.worldtracing.editing.base import Filled, Lifted, Plane, Prompt, front_layer, part
from ...backend.worldtracing.editing.colors import surface_colors
from ...backend.worldtracing.editing.cut_off import cut_off
from ...backend.worldtracing.editing.fill import fill
from ...backend.worldtracing.editing.lift import lift
from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.regions import dilate
from ..core.frames import to_blender
from ..core.kept import Kept
from ..core.placing import bottom_center, standing_on
from .segmentation import SegmenterInUse, frozen, level_planes, planes_of, segmentation, selection, surfaces_of
from .world_data import Window, WorldData, window_around, window_with_neighbors

REACH = 0.25  # heights of the object that its lower end may be from what it stands on
OUTLINE = 2  # pixels around an object whose colors it has mixed with

MOST = 8
"""Lifts that are planned in advance, as a command's that speaks of several objects."""

_plans, _cuts, _recolorings = Kept(MOST), Kept(4), Kept(2)


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is to be lifted.

    Attributes:
        segmenter: what tells objects apart.
        up: of the scene, in the frame of the root, for what stands on no floor or table.
        prompts: clicks, boxes or strokes in the traced picture; or else
        mask: (H, W) bool, the pixels in which the object is seen.
    """

    segmenter: SegmenterInUse
    up: tuple[float, float, float]
    prompts: Sequence[Prompt] = ()
    mask: np.ndarray | None = None

    def key(self, data: WorldData) -> tuple:
        """All that a plan depends on."""
        mask = None if self.mask is None else self.mask.tobytes()
        return data.world, _digest(data.owner), self.segmenter, self.up, frozen(self.prompts), mask


@dataclass(frozen=True, eq=False)
class Recoloring:
    """The layers' colors in a part of the picture: what objects hid has been given some.

    Attributes:
        window: rows and columns.
        rgb: (L, h, w, 3) uint8 sRGB.
    """

    window: Window
    rgb: np.ndarray


@dataclass(frozen=True, eq=False)
class LiftPlan:
    """An object to be made, and what its place in the layers looks like then.

    Attributes:
        name: the segmentation's.
        number: that the object's points in the layers carry.
        places: layers, rows and columns of the object's points, (N,) each.
        positions: (N, 3) float32, around `origin`.
        rgb: (N, 3) uint8 sRGB.
        invented: (N,) bool, points whose color the photo does not show.
        confidence: (N,) float32.
        up, origin: (3,) float64, the object's; all in the frame of the root.
        filled: what closes the hole that it leaves, in
        window: rows and columns of the picture.
        recoloring: of what it hid.
    """

    name: str
    number: int
    places: tuple[np.ndarray, np.ndarray, np.ndarray]
    positions: np.ndarray
    rgb: np.ndarray
    invented: np.ndarray
    confidence: np.ndarray
    up: np.ndarray
    origin: np.ndarray
    filled: Filled
    window: Window
    recoloring: Recoloring

    def owner_after(self, data: WorldData) -> np.ndarray:
        """(L, H, W) int32, whose each point is once the object is lifted out of the world it was planned for."""
        owner = data.owner.copy()
        owner[self.places] = self.number
        return owner


def lift_plan(data: WorldData, wanted: Wanted) -> LiftPlan:
    """How to lift an object; the same is not computed twice.

    Raises:
        WorldTracingError: WT-SCENE-PROMPT where there is no object, WT-SCENE-LIFTED where it was lifted before, and
            where the segmenter lacks something, WT-ENV-PACKAGE and WT-MODEL-MISSING.
    """
    return _plans.get(wanted.key(data), lambda: _planned(data, wanted))


def lift_plans(data: WorldData, several: Sequence[Wanted]) -> list[LiftPlan]:
    """How to lift objects one after the other, `MOST` of them."""
    plans = []
    for wanted in several[:MOST]:
        plans.append(lift_plan(data, wanted))
        data = replace(data, owner=plans[-1].owner_after(data))
    return plans


def knows_lift_plans(data: WorldData, several: Sequence[Wanted]) -> bool:
    """Whether `lift_plans` would answer at once."""
    for wanted in several[:MOST]:
        if wanted.key(data) not in _plans:
            return False
        data = replace(data, owner=lift_plan(data, wanted).owner_after(data))
    return True


def cut(data: WorldData, number: int, prompts: Sequence[Prompt], segmenter: SegmenterInUse) -> Lifted:
    """The part of the lifted object `number` that prompts point at; the same is not computed twice.

    Raises:
        WorldTracingError: WT-SCENE-PROMPT, WT-SCENE-SPLIT.
    """

    def find() -> Lifted:
        return cut_off(data.world, data.owner == number, prompts, segmentation(data.world, segmenter))

    return _cuts.get(_cut_key(data, number, prompts, segmenter), find)


def knows_cut(data: WorldData, number: int, prompts: Sequence[Prompt], segmenter: SegmenterInUse) -> bool:
    """Whether `cut` would answer at once."""
    return _cut_key(data, number, prompts, segmenter) in _cuts


def stand(positions: np.ndarray, planes: Sequence[Plane], up: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """The up of points (N, 3) and their origin, the bottom center on what they stand on, in the frame of the root.

    Args:
        up: where they stand on none of the planes.
    """
    positions = positions.astype(np.float64)
    levels = level_planes(planes)
    index = standing_on(positions, levels, REACH)
    if index >= 0:
        return levels[index][0], bottom_center(positions, *levels[index])
    return np.array(up), bottom_center(positions, np.array(up))


def recoloring(data: WorldData, changed: np.ndarray) -> Recoloring:
    """Colors of the layers' points around those that have changed their owner; the same is not computed twice.

    Args:
        data: `owner` as it is then.
        changed: (H, W) bool, pixels of which some point has another owner than before.
    """
    return _recolorings.get(_recoloring_key(data, changed), lambda: _recolored(data, changed))


def knows_recoloring(data: WorldData, changed: np.ndarray) -> bool:
    """Whether `recoloring` would answer at once."""
    return _recoloring_key(data, changed) in _recolorings


def given_back(data: WorldData, numbers: Sequence[int]) -> tuple[WorldData, np.ndarray]:
    """The same once objects with these numbers have given their points back, and (H, W) bool, where they had some."""
    taken = np.isin(data.owner, [number for number in numbers if number > 0])
    return replace(data, owner=np.where(taken, np.int32(0), data.owner)), taken.any(0)


def _recolored(data: WorldData, changed: np.ndarray) -> Recoloring:
    window = window_with_neighbors(changed, data.owner)
    near = data.crop(window)
    rgb = np.broadcast_to(near.world.rgb, (*near.owner.shape, 3))
    taken = near.owner > 0
    if taken.any():
        uncovered = dilate(taken.any(0), OUTLINE)
        invented = surface_colors(near.world, near.remaining, planes_of(data), surfaces_of(data).crop(window)).rgb
        rgb = np.where((uncovered & near.remaining)[..., None], invented, rgb)
    return Recoloring(window, rgb)


def _planned(data: WorldData, wanted: Wanted) -> LiftPlan:
    planes, surfaces = planes_of(data), surfaces_of(data)
    mask = selection(data.world, wanted.segmenter, wanted.prompts) if wanted.mask is None else wanted.mask
    mask = mask & ~_seen_taken(data)
    # In the whole world, so that what is lifted does not depend on what was lifted before.
    taken = lift(data.world, mask, planes, surfaces).points & data.remaining
    if not taken.any():
        raise WorldTracingError(
            "WT-SCENE-LIFTED",
            "What the photo shows there was lifted before, or is nothing.",
            "Select it in the outliner under Objects, or put it back.",
        )
    number = max(1, int(data.owner.max()) + 1)
    owner = np.where(taken, np.int32(number), data.owner)
    window = window_around(taken.any(0))
    near, points = data.crop(window), taken[:, *window]
    colors = surface_colors(near.world, points, planes, surfaces.crop(window))
    positions = to_blender(data.world.points[taken])
    up, origin = stand(positions, planes, wanted.up)
    return LiftPlan(
        name=_name(data, wanted.segmenter, mask),
        number=number,
        places=np.nonzero(taken),
        positions=positions - origin.astype(np.float32),
        rgb=colors.rgb[points],
        invented=colors.invented[points],
        confidence=data.world.confidence[taken],
        up=up,
        origin=origin,
        filled=fill(part(near.world, near.remaining), near.remaining & ~points, planes),
        window=window,
        recoloring=recoloring(replace(data, owner=owner), taken.any(0)),
    )


def _name(data: WorldData, segmenter: SegmenterInUse, mask: np.ndarray) -> str:
    """The name that the segmentation has for most of the mask."""
    known = segmentation(data.world, segmenter)
    labels = np.bincount(known.labels[mask], minlength=1)
    labels[0] = 0
    return known.names[labels.argmax() - 1] if labels.any() else "Object"


def _seen_taken(data: WorldData) -> np.ndarray:
    """(H, W) bool, the pixels of the photo that show an object which was lifted already."""
    front = front_layer(data.world.valid)
    return np.take_along_axis(data.owner, np.maximum(front, 0)[None], 0)[0] > 0


def _cut_key(data: WorldData, number: int, prompts: Sequence[Prompt], segmenter: SegmenterInUse) -> tuple:
    return data.world, _digest(data.owner), number, segmenter, frozen(prompts)


def _recoloring_key(data: WorldData, changed: np.ndarray) -> tuple:
    return data.world, _digest(data.owner), changed.tobytes()


def _digest(owner: np.ndarray) -> bytes:
    return blake2b(owner, digest_size=16).digest()
