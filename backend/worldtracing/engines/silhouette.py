"""The quick engine without a model: an object swells from its outline, a scene is a floor and a back wall.

It knows nothing of what the photo shows. Its results say so in their metadata (`model` is None), and it predicts no
confidence, because it has no evidence to base one on.
"""

from __future__ import annotations

import numpy as np

from ..camera import Camera
from ..errors import WorldTracingError
from ..inflate import inflate
from ..progress import OnProgress
from ..regions import label_components
from ..resample import resize_area, resize_mask
from ..world import LayeredWorld
from .base import EngineInfo, TraceOptions

CAMERA_HEIGHT = 1.5
"""Assumed height of a scene's level camera above the floor, in what would be metres if the assumption held."""

FARTHEST = 10.0
"""Depth of a scene's back wall, in the same unit."""


class SilhouetteEngine:
    """Weight-free geometry, numpy alone.

    Object mode gives two layers, front and mirrored back, valid on the mask. Scene mode gives the stage in one layer;
    with `extra["foreground"]`, (H, W) bool of the image's size, these components stand on its floor and take layers 0
    and 1, with the stage behind them as layer 2.
    """

    info = EngineInfo(
        name="silhouette",
        label="Silhouette (quick, no model)",
        description="Guesses a rounded shape from the outline alone, and a floor and a wall for scenes. "
        "It knows nothing about the real hidden side.",
    )

    def trace(
        self, image: np.ndarray, mask: np.ndarray, camera: Camera, options: TraceOptions, on_progress: OnProgress
    ) -> LayeredWorld:
        """See `Engine.trace`; the world shows the whole photo, resampled to `options.resolution`.

        Raises:
            WorldTracingError: WT-IMG-EMPTY-MASK, WT-IMG-MASK-SIZE.
        """
        camera = _traced_camera(camera, options.resolution)
        size = camera.width, camera.height
        rgb = resize_area(image, *size)
        if options.mode == "object":
            points, valid = _object_layers(_fit(mask, image, size), camera, on_progress)
            metadata = {}
        else:
            foreground = options.extra.get("foreground")
            kept = resize_mask(mask, *size) if foreground is None else np.ones(size[::-1], bool)
            standing = np.zeros_like(kept) if foreground is None else _fit(foreground, image, size)
            points, valid = _scene_layers(kept, standing, camera, on_progress)
            metadata = {"assumed_camera_height": CAMERA_HEIGHT, "assumed_farthest": FARTHEST}
        return LayeredWorld(points, valid, rgb, camera.K, "relative", metadata=metadata)

    def free_memory(self) -> None:
        """Nothing is kept between traces."""


def _traced_camera(camera: Camera, longest: int) -> Camera:
    """The camera of the picture shrunk so that its longest side has at most `longest` pixels."""
    scale = min(1.0, longest / max(camera.width, camera.height))
    return camera.resized(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))


def _fit(mask: np.ndarray, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A foreground mask at the traced size (width, height), or the reason why there is none."""
    if np.shape(mask) != image.shape[:2]:
        raise WorldTracingError(
            "WT-IMG-MASK-SIZE",
            f"The mask is {np.shape(mask)} and the picture {image.shape[:2]} (height, width).",
            "Give a mask of the picture's size.",
        )
    mask = resize_mask(np.asarray(mask, bool), *size)
    if not mask.any():
        raise WorldTracingError(
            "WT-IMG-EMPTY-MASK",
            f"Nothing is left of the foreground at {size[0]}x{size[1]} pixels.",
            "Give a mask that marks the object, or raise the resolution.",
        )
    return mask


def _object_layers(mask: np.ndarray, camera: Camera, on_progress: OnProgress) -> tuple[np.ndarray, np.ndarray]:
    """Front and back of the inflated mask; at their common mid depth the longest side of its box is 1 unit.

    Returns:
        (2, H, W, 3) float32 points and (2, H, W) bool.
    """
    swell = _relative_thickness(mask, camera, on_progress)
    box_height, box_width = (np.ptp(np.flatnonzero(mask.any(axis))) + 1 for axis in (1, 0))
    middle = 1.0 / max(box_width / camera.fx, box_height / camera.fy)
    depths = np.stack([middle * (1 - swell), middle * (1 + swell)])
    return _points(depths, np.stack([mask, mask]), camera)


def _scene_layers(
    kept: np.ndarray, standing: np.ndarray, camera: Camera, on_progress: OnProgress
) -> tuple[np.ndarray, np.ndarray]:
    """The stage where `kept`, and in front of it the inflated components of `standing`.

    Returns:
        (L, H, W, 3) float32 points and (L, H, W) bool, L = 1 without anything standing, otherwise 3.
    """
    stage = _stage_depth(camera)
    if not standing.any():
        return _points(stage[None], kept[None], camera)
    swell = _relative_thickness(standing, camera, on_progress)
    labels, count = label_components(standing)
    lowest = np.zeros(count + 1, int)
    np.maximum.at(lowest, labels, np.arange(camera.height)[:, None])
    middle = stage[lowest, 0][labels]
    front = np.where(standing, middle * (1 - swell), stage)
    # Where it meets the floor, the rounded back would pass below it: there the back is the floor itself.
    back = np.minimum(middle * (1 + swell), stage)
    depths = np.stack([front, back, stage])
    return _points(depths, np.stack([kept, standing, standing & (back < stage)]), camera)


def _stage_depth(camera: Camera) -> np.ndarray:
    """Depth of a level floor below the principal point's row and of the wall that closes it, (H, W) float64."""
    v = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
    depth = CAMERA_HEIGHT / np.maximum(v, CAMERA_HEIGHT / FARTHEST)
    return np.repeat(depth[:, None], camera.width, axis=1)


def _relative_thickness(mask: np.ndarray, camera: Camera, on_progress: OnProgress) -> np.ndarray:
    """Half the thickness over the mid depth, (H, W) float64 in [0, 1).

    An outline h pixels from its middle is seen at the angle a = atan(h / f), where a sphere's tangent touches it: its
    radius is sin(a) times its distance. The sine also keeps the front before the eye at any field of view.
    """
    slope = inflate(mask, on_progress) / np.sqrt(camera.fx * camera.fy)
    return slope / np.hypot(1.0, slope)


def _points(depths: np.ndarray, valid: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Points on the pixels' rays at (L, H, W) depths, zero where not valid; and `valid`."""
    points = camera.rays() * depths[..., None].astype(np.float32)
    points[~valid] = 0
    return points, valid
