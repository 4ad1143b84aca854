"""Filling the holes of a picture smoothly from all around (push-pull, Gortler et al. 1996)."""

from __future__ import annotations

import numpy as np


def push_pull(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The image with its unknown pixels filled from coarser and coarser averages of the known ones.

    Args:
        image: (H, W, C) float32; unknown pixels may hold anything.
        known: (H, W) bool.

    Returns:
        (H, W, C) float32; known pixels as they were. Zeros where nothing at all is known.
    """
    weight = known.astype(np.float32)
    return _filled(np.where(known[..., None], image, 0).astype(np.float32), weight)


def _filled(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`image` is weighted by `weight` in [0, 1]; what is missing comes from the picture at half the size."""
    height, width = weight.shape
    missing = 1 - weight
    if not missing.any() or max(height, width) == 1:
        return image
    half_weight = _halved(weight[..., None])[..., 0]
    scale = 1 / np.maximum(half_weight, 1e-12)
    half_weight_capped = np.minimum(half_weight * 4, 1)  # one known pixel of four is enough
    half = _filled(_halved(image) * (scale * half_weight_capped)[..., None], half_weight_capped)
    return image + missing[..., None] * _doubled(half)[:height, :width]


def _halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels; an odd last row or column is doubled first."""
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / 4


def _doubled(image: np.ndarray) -> np.ndarray:
    """Twice the size, bilinear: each pixel is three quarters its own and one quarter its neighbor's, per axis."""
    for axis in (0, 1):
        first, last = np.take(image, [0], axis), np.take(image, [-1], axis)
        body = [slice(None)] * 3
        body[axis] = slice(None, -1)
        before = np.concatenate([first, image[tuple(body)]], axis)
        body[axis] = slice(1, None)
        after = np.concatenate([image[tuple(body)], last], axis)
        pair = np.stack([0.75 * image + 0.25 * before, 0.75 * image + 0.25 * after], axis + 1)
        shape = list(image.shape)
        shape[axis] *= 2
        image = pair.reshape(shape)
    return image
