"""A cheap guess at the sky of an outdoor photo, for users who ask for it. Nothing calls it unasked.

The released scene models give the sky points like any surface; it has to be masked out before the trace. This finds
clear or thinly clouded blue daylight sky only. Overcast, sunset and night skies are left in, and a smooth light blue
wall that reaches the top of the picture is taken for sky: a mask by hand or from a segmenter is always better.
"""

from __future__ import annotations

import numpy as np

from .regions import fill_holes, label_components

MIN_BRIGHTNESS = 110
MIN_BLUE_OVER_RED = 10
MAX_STEP = 6  # between neighbouring pixels of the smoothed brightness
MIN_AREA = 0.02  # of the picture
MAX_HOLE = 0.0005  # of the picture; rims of clouds


def guess_sky(rgb: np.ndarray) -> np.ndarray:
    """The bright, bluish, smooth region that touches the picture's top edge.

    Args:
        rgb: (H, W, 3) uint8 sRGB.

    Returns:
        (H, W) bool; nowhere True when that region covers less than 2 % of the picture.
    """
    color = rgb.astype(np.float32)
    brightness = _smooth(color.mean(-1))
    down, right = (np.abs(np.diff(brightness, axis=axis, append=brightness.take([-1], axis))) for axis in (0, 1))
    bluish = color[..., 2] > color[..., 0] + MIN_BLUE_OVER_RED
    labels, _ = label_components(
        (color.max(-1) > MIN_BRIGHTNESS) & bluish & (np.maximum(down, right) < MAX_STEP), diagonal=False
    )
    sky = np.isin(labels, labels[0][labels[0] > 0])
    return fill_holes(sky, int(MAX_HOLE * sky.size)) if sky.mean() >= MIN_AREA else np.zeros_like(sky)


def _smooth(image: np.ndarray) -> np.ndarray:
    """Each pixel averaged with its eight neighbours, weights 1-2-1 both ways."""
    padded = np.pad(image, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16
