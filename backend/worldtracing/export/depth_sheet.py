"""The picture that shows a world at a glance: the photo and the depth of each layer, side by side."""

from __future__ import annotations

import numpy as np

from ..world import LayeredWorld

INVALID_GREY = 40
OUTLIERS_PERCENT = 0.5
FARTHEST_COLOR, NEAREST_COLOR = 0.08, 0.95  # turbo's ends are nearly black, which would pass for "no point"

TURBO = np.array(
    [
        [0.13572138, 0.09140261, 0.10667330],
        [4.61539260, 2.19418839, 12.64194608],
        [-42.66032258, 4.84296658, -60.58204836],
        [132.13108234, -14.18503333, 110.36276771],
        [-152.94239396, 4.27729857, -89.90310912],
        [59.28637943, 2.82956604, 27.34824973],
    ]
)
"""Coefficients of t^0 to t^5 for red, green and blue: the polynomial published with the turbo colour map (map by A.
Mikhailov, polynomial by R. Du, Google 2019, Apache-2.0). It is off by up to a tenth, most near the ends."""


def turbo(t: np.ndarray) -> np.ndarray:
    """Turbo colours of values in [0, 1], clipped, of any shape: (..., 3) uint8 sRGB; 0 is blue, 1 red."""
    t = np.clip(np.asarray(t, np.float64), 0, 1)[..., None]
    color = np.zeros(1)
    for coefficients in TURBO[::-1]:
        color = color * t + coefficients
    return np.round(color.clip(0, 1) * 255).astype(np.uint8)


def depth_sheet(world: LayeredWorld) -> np.ndarray:
    """The photo and each layer's depth in turbo, near red and far blue, with one range for all layers.

    Returns:
        (H, (1 + L) W, 3) uint8 sRGB; pixels without a point are dark grey.
    """
    depth = world.points[..., 2]
    near, far = _range(depth[world.valid])
    nearness = ((far - depth) / (far - near)).clip(0, 1)
    colors = turbo(FARTHEST_COLOR + nearness * (NEAREST_COLOR - FARTHEST_COLOR))
    colors[~world.valid] = INVALID_GREY
    return np.concatenate([world.rgb, *colors], axis=1)


def _range(depths: np.ndarray) -> tuple[float, float]:
    """The range of nearly all depths, so that a few stray points do not take all the colours."""
    if depths.size == 0:
        return 0.0, 1.0
    near, far = np.percentile(depths, [OUTLIERS_PERCENT, 100 - OUTLIERS_PERCENT])
    return float(near), float(max(far, near + 1e-6))
