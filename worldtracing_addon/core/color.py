"""sRGB and scene-linear values (IEC 61966-2-1), and the two color scales of the layer view."""

from __future__ import annotations

import numpy as np


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to scene-linear, elementwise, float32 or float64 as given."""
    values = np.asarray(values)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(values.dtype)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """Scene-linear in [0, 1] to sRGB, elementwise, float32 or float64 as given."""
    values = np.asarray(values)
    curve = 1.055 * np.maximum(values, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(values <= 0.0031308, values * 12.92, curve).astype(values.dtype)


LINEAR_OF_BYTE = srgb_to_linear(np.arange(256, dtype=np.float64) / 255).astype(np.float32)
"""(256,) float32: the scene-linear value of each sRGB byte."""


def linear_rgba(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 sRGB to (..., 4) float32 scene-linear with alpha 1."""
    rgba = np.ones((*rgb.shape[:-1], 4), np.float32)
    for channel in range(3):
        rgba[..., channel] = LINEAR_OF_BYTE[rgb[..., channel]]
    return rgba


TURBO = (
    (0.188, 0.071, 0.231),
    (0.271, 0.361, 0.812),
    (0.243, 0.608, 0.996),
    (0.098, 0.835, 0.804),
    (0.275, 0.973, 0.518),
    (0.643, 0.988, 0.235),
    (0.882, 0.867, 0.216),
    (0.996, 0.655, 0.196),
    (0.941, 0.357, 0.071),
    (0.765, 0.145, 0.012),
    (0.478, 0.016, 0.012),
)
"""Google's turbo map (Mikhailov 2019) in sRGB at eleven even steps, blue to red."""

LAYER_COLORS = (
    (0.90, 0.62, 0.00),
    (0.34, 0.71, 0.91),
    (0.00, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.84, 0.37, 0.00),
    (0.80, 0.47, 0.65),
)
"""One sRGB color for each layer, told apart by color-blind people too (Okabe and Ito 2008)."""


def linear_stops(colors: tuple[tuple[float, float, float], ...]) -> list[tuple[float, float, float, float]]:
    """sRGB color stops as scene-linear RGBA, for Blender's color ramps."""
    return [(*map(float, srgb_to_linear(np.array(color))), 1.0) for color in colors]
