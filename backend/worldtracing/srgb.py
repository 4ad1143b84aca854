"""The sRGB transfer curve, IEC 61966-2-1, in its exact piecewise form."""

from __future__ import annotations

import numpy as np


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Scene-linear values to sRGB in [0, 1], float32; what is outside [0, 1] is clipped."""
    linear = np.clip(linear, 0, 1, dtype=np.float32)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB values, uint8 or float in [0, 1], to scene-linear float32."""
    if srgb.dtype == np.uint8:
        return srgb_to_linear(np.arange(256) / 255)[srgb]
    srgb = np.asarray(srgb, np.float32)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_bytes(unit: np.ndarray) -> np.ndarray:
    """Values in [0, 1] to the nearest of 0 to 255, uint8."""
    return np.rint(unit * 255).astype(np.uint8)
