"""Colors as Blender wants them, scene-linear, and the two color scales of the layer view."""

from __future__ import annotations

import numpy as np

from ...backend.worldtracing.export.depth_sheet import turbo
from ...backend.worldtracing.srgb import srgb_to_linear

LINEAR_OF_BYTE = srgb_to_linear(np.arange(256) / 255)
"""(256,) float32: the scene-linear value of each sRGB byte."""


def linear_rgba(rgb: np.ndarray, to_working: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 sRGB to (..., 4) float32 scene-linear with alpha 1.

    Args:
        to_working: (3, 3), from linear Rec.709 to the working space that Blender renders in.
    """
    rgba = np.ones((*rgb.shape[:-1], 4), np.float32)
    for channel in range(3):
        rgba[..., channel] = LINEAR_OF_BYTE[rgb[..., channel]]
    rgba[..., :3] = convert(rgba[..., :3], to_working)
    return rgba


def convert(colors: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(..., 3) linear colors in the color space that the (3, 3) `matrix` leads to, same dtype."""
    if np.allclose(matrix, np.eye(3), rtol=0, atol=1e-4):
        return colors  # the usual case, without the rounding of Blender's matrices
    return (colors @ matrix.T).astype(colors.dtype)


TURBO = tuple(tuple(float(value) / 255 for value in color) for color in turbo(np.linspace(0, 1, 11)))
"""The depth sheet's turbo map in sRGB at eleven even steps, blue to red."""

LAYER_COLORS = (
    (0.90, 0.62, 0.00),
    (0.34, 0.71, 0.91),
    (0.00, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.84, 0.37, 0.00),
    (0.80, 0.47, 0.65),
)
"""One sRGB color for each layer, told apart by color-blind people too (Okabe and Ito 2008)."""


def linear_stops(
    colors: tuple[tuple[float, float, float], ...], to_working: np.ndarray
) -> list[tuple[float, float, float, float]]:
    """sRGB color stops as scene-linear RGBA, for Blender's color ramps; `to_working` as in `linear_rgba`."""
    return [(*map(float, color), 1.0) for color in convert(srgb_to_linear(np.array(colors)), to_working)]
