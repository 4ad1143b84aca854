"""What scene editing speaks of: planes, segmentations, prompts, lifted objects, and the registry of segmenters.

Everything is in the world's own raster and camera frame (OpenCV: x right, y down, z forward; the world's unit). A set
of points is always a boolean array (L, H, W), true for the layer hits that belong to it, so that taking points away
and giving them back are `valid & ~points` and `valid | points`, and no index ever moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..camera import Camera
from ..progress import OnProgress
from ..registry import Registry
from ..world import LayeredWorld

if TYPE_CHECKING:
    from .surfaces import Surfaces

SEGMENTERS = Registry(
    "segmenter",
    "worldtracing.segmenters",
    {
        "graph": ".editing.graph_segmenter:GraphSegmenter",
        "sam2": ".editing.sam2_segmenter:Sam2Segmenter",
        "sam3": ".editing.sam3_segmenter:Sam3Segmenter",
    },
)

SUPPORT_KINDS = ("floor", "table", "wall", "ceiling", "plane")


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane of the points p with normal . p = offset.

    Attributes:
        normal: (3,) float64 of length 1, towards the camera's side: offset is negative.
        offset: in the world's unit.
        kind: one of `SUPPORT_KINDS`, by orientation and height; "plane" where it is none of the others.
        support: points that lie on it, of those it was found in; tells which plane is larger.
        tolerance: distance relative to depth within which points lie on it: four times the median they are off it.
    """

    normal: np.ndarray
    offset: float
    kind: str = "plane"
    support: int = 0
    tolerance: float = 0.01

    def heights(self, points: np.ndarray) -> np.ndarray:
        """Signed distances (...) float64 of points (..., 3), positive on the camera's side."""
        return np.asarray(points, np.float64) @ self.normal - self.offset


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The visible surface divided into objects and supports.

    Attributes:
        labels: (H, W) int32; 0 belongs to no object (supports, background, nothing there), 1 to n are the objects.
        names: one per object; names[k] is that of label k + 1. All differ.
        planes: the supports, the one with the most points first.
        support: (H, W) int32, an index into `planes`, -1 where the pixel lies on none.
        surfaces: of the same world and `planes`; spares `lift` and `surface_colors` most of their time. None where the
            segmenter has no need of them.
    """

    labels: np.ndarray
    names: tuple[str, ...]
    planes: tuple[Plane, ...] = ()
    support: np.ndarray | None = None
    surfaces: Surfaces | None = None

    def mask(self, label: int) -> np.ndarray:
        """(H, W) bool, the pixels of one object."""
        return self.labels == label

    def label(self, name: str) -> int:
        """The label of the object called `name`, 0 where there is none; case does not matter."""
        lowered = [known.casefold() for known in self.names]
        return lowered.index(name.casefold()) + 1 if name.casefold() in lowered else 0


@dataclass(frozen=True)
class Click:
    """A point of the picture on the object, or, not positive, on what is not the object.

    Attributes:
        x, y: pixels of the world's raster, centres at +0.5, as the attribute `wt_pixel` has them.
    """

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True)
class Box:
    """A rectangle around the object; pixels of the world's raster, x0 < x1 and y0 < y1."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class Stroke:
    """A line drawn over the object, or, not positive, over what is not the object.

    Attributes:
        points: at least one (x, y), joined by straight lines.
        radius: of the brush, in pixels.
    """

    points: tuple[tuple[float, float], ...]
    radius: float = 3.0
    positive: bool = True


Prompt = Click | Box | Stroke


@dataclass(frozen=True, eq=False)
class Lifted:
    """One object taken out of a world.

    Attributes:
        mask: (H, W) bool, the pixels in which it was seen.
        points: (L, H, W) bool, the hits that belong to it: a subset of the world's valid ones.
    """

    mask: np.ndarray
    points: np.ndarray


@dataclass(frozen=True, eq=False)
class PointColors:
    """A color for every point of a set.

    Attributes:
        rgb: (L, H, W, 3) uint8 sRGB, zero outside the set.
        invented: (L, H, W) bool, points whose color the photo does not show.
    """

    rgb: np.ndarray
    invented: np.ndarray


@dataclass(frozen=True, eq=False)
class Filled:
    """New points where a removed object leaves a hole that no layer covers; one per pixel, all of them invented.

    Attributes:
        points: (H, W, 3) float32 on the pixels' rays, zero where not valid.
        valid: (H, W) bool.
        rgb: (H, W, 3) uint8 sRGB, zero where not valid.
    """

    points: np.ndarray
    valid: np.ndarray
    rgb: np.ndarray


@dataclass(frozen=True)
class SegmenterInfo:
    """What the panel and `doctor` say of a segmenter."""

    name: str
    label: str
    description: str
    licence: str = "GPL-3.0-or-later"
    needs: tuple[str, ...] = ()  # importable modules beyond numpy


class Segmenter(Protocol):
    """One way to divide a picture with layers into objects."""

    info: SegmenterInfo

    def problem(self) -> str:
        """What it lacks on this machine and how to get it, "" where it can be used. Loads no model."""
        ...

    def segment(self, world: LayeredWorld, on_progress: OnProgress) -> Segmentation:
        """All objects of the world."""
        ...

    def select(
        self, world: LayeredWorld, prompts: Sequence[Prompt], segmentation: Segmentation | None = None
    ) -> np.ndarray:
        """(H, W) bool, the one object that the prompts point at.

        Args:
            prompts: at least one positive.
            segmentation: of the same world, where it is known: spares looking for the supports again.

        Raises:
            WorldTracingError: WT-SCENE-PROMPT when they point at nothing.
        """
        ...


def segmenter_states() -> list[tuple[SegmenterInfo, str]]:
    """What each of `SEGMENTERS` says of itself, and its problem: "" where it can be used."""
    return SEGMENTERS.states(lambda name: SegmenterInfo(name, name, "", licence="unknown"))


def part(world: LayeredWorld, points: np.ndarray) -> LayeredWorld:
    """The same raster with these points alone valid; layer indices stay, so rays may have gaps.

    Args:
        points: (L, H, W) bool.
    """
    valid = world.valid & points
    return replace(world, points=np.where(valid[..., None], world.points, np.float32(0)), valid=valid)


def front_layer(valid: np.ndarray) -> np.ndarray:
    """(H, W) int64, the first valid layer of each ray of (L, H, W) bool, -1 where there is none."""
    return np.where(valid.any(0), valid.argmax(0), -1)


def front_points(world: LayeredWorld) -> tuple[np.ndarray, np.ndarray]:
    """The points seen by the camera, (H, W, 3) float32, and where there are any, (H, W) bool."""
    layer = front_layer(world.valid)
    points = np.take_along_axis(world.points, np.maximum(layer, 0)[None, :, :, None], 0)[0]
    return points, layer >= 0


def pixels_of(world: LayeredWorld, points: np.ndarray) -> np.ndarray:
    """Where points (N, 3) of the camera frame are seen, (N, 2) float64 x and y: prompts from picks in the viewport."""
    return Camera.from_K(world.K, world.width, world.height).project(points)
