"""What the protocol says of predictions that need no learning: two below and three above any single-view method."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..camera import Camera
from ..engines.base import TraceOptions
from ..engines.silhouette import SilhouetteEngine
from ..progress import silent
from ..world import LayeredWorld
from .views import View

Predict = Callable[[View], LayeredWorld]


def world_of(depth: np.ndarray, camera: Camera, rgb: np.ndarray) -> LayeredWorld:
    """A world from depths (L, H, W), 0 where absent."""
    points = (depth[..., None] * camera.rays()).astype(np.float32)
    return LayeredWorld(points, depth > 0, rgb, camera.K, "relative")


def plane(view: View) -> LayeredWorld:
    """The silhouette as a card that faces the camera."""
    return world_of(view.mask[None].astype(np.float32), view.camera, view.rgb)


def inflation(view: View) -> LayeredWorld:
    """The silhouette engine: swollen from the outline, mirrored back."""
    options = TraceOptions(resolution=max(view.mask.shape))
    return SilhouetteEngine().trace(view.rgb, view.mask, view.camera, options, silent)


def perfect(layers: int) -> Predict:
    """The true first `layers` layers; one is the limit of any depth estimator, six that of the sampling."""
    return lambda view: world_of(view.depth[:layers], view.camera, view.rgb)


BASELINES: dict[str, Predict] = {
    "plane": plane,
    "inflation": inflation,
    "perfect-visible": perfect(1),
    "perfect-two-layer": perfect(2),
    "perfect-six": perfect(6),
}
