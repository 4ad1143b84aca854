"""A small picture of a world seen from the side, where guesses of the hidden surfaces differ most."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np

from ...backend.worldtracing.world import LayeredWorld

SIDE_DEGREES, DOWN_DEGREES = 40.0, 15.0
MOST_POINTS = 60_000
HIDDEN_BRIGHTNESS = 0.6
OUTLIERS_PERCENT = 1.0
MARGIN = 0.06


def side_view(world: LayeredWorld, size: int = 128) -> np.ndarray:
    """(size, size, 4) float32 sRGB in [0, 1] with alpha, rows from the bottom as Blender keeps them.

    An orthographic view from the upper right of the photo's camera onto the points in the photo's colors; hidden
    layers are darker than the visible one.
    """
    layer, row, column = np.nonzero(world.valid)
    step = max(1, len(layer) // MOST_POINTS)
    layer, row, column = layer[::step], row[::step], column[::step]
    points = world.points[layer, row, column].astype(np.float64)
    colors = world.rgb[row, column] / np.float32(255)
    colors[layer > 0] *= HIDDEN_BRIGHTNESS
    view = (points - np.median(points, 0)) @ _rotation().T
    low, high = np.percentile(view[:, :2], [OUTLIERS_PERCENT, 100 - OUTLIERS_PERCENT], axis=0)
    scale = size * (1 - 2 * MARGIN) / max(float((high - low).max()), 1e-9)
    place = np.floor((view[:, :2] - (low + high) / 2) * scale + size / 2).astype(int)
    picture = np.zeros((size, size, 4), np.float32)
    order = np.argsort(-view[:, 2])  # from far to near: of two points on one pixel, the later one counts
    place, colors = place[order], colors[order]
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):  # points of 2 x 2 pixels close the gaps
        y, x = place[:, 1] + down, place[:, 0] + right
        inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
        picture[size - 1 - y[inside], x[inside], :3] = colors[inside]
        picture[size - 1 - y[inside], x[inside], 3] = 1
    return picture


def _rotation() -> np.ndarray:
    """(3, 3) from the OpenCV frame to one that looks from the side and from above."""
    a, b = radians(SIDE_DEGREES), radians(DOWN_DEGREES)
    around = np.array([[cos(a), 0, sin(a)], [0, 1, 0], [-sin(a), 0, cos(a)]])
    down = np.array([[1, 0, 0], [0, cos(b), sin(b)], [0, -sin(b), cos(b)]])
    return down @ around
