"""Resizing pictures and masks, in numpy alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def resize_area(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture at another size: each new pixel is the exact mean of the area it covers.

    An axis that grows is interpolated linearly between pixel centres instead.

    Args:
        image: (H, W) or (H, W, C), an integer or float dtype.

    Returns:
        (height, width[, C]) of the same dtype, integers rounded to nearest.
    """
    result = image
    if height != image.shape[0]:
        result = _resize_rows(result, height)
    if width != image.shape[1]:
        result = np.swapaxes(_resize_rows(np.ascontiguousarray(np.swapaxes(result, 0, 1)), width), 0, 1)
    if np.issubdtype(image.dtype, np.integer):
        result = np.rint(result)
    return np.array(result, image.dtype, order="C")


def resize_mask(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """(height, width) bool: pixels at least half covered by the mask, (H, W) bool."""
    return resize_area(mask.astype(np.float32), width, height) >= 0.5


def resize_nearest(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture at another size, each new pixel a copy of the one under its centre."""
    rows = ((np.arange(height) + 0.5) * image.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * image.shape[1] / width).astype(int)
    return image[rows[:, None], columns]


def _resize_rows(image: np.ndarray, size: int) -> np.ndarray:
    """Axis 0 resampled, one new row at a time, so that a large picture is never held as floats."""
    dtype = np.float64 if image.dtype == np.float64 else np.float32
    result = np.empty((size, *image.shape[1:]), dtype)
    for row, (first, weights) in enumerate(_taps(image.shape[0], size)):
        block = image[first : first + len(weights)].reshape(len(weights), -1).astype(dtype, copy=False)
        result[row] = (weights.astype(dtype) @ block).reshape(image.shape[1:])
    return result


def _taps(old: int, new: int) -> Iterator[tuple[int, np.ndarray]]:
    """For each of `new` positions the first of the `old` ones it draws on, and their weights, which sum to one."""
    scale = old / new
    for position in range(new):
        if scale > 1:
            low, high = position * scale, min((position + 1) * scale, old)
            first, last = int(low), min(int(np.ceil(high)), old)
            edges = np.clip(np.arange(first, last + 1), low, high)
            weights = np.diff(edges)
        else:
            centre = min(max((position + 0.5) * scale - 0.5, 0), old - 1)
            first = int(centre)
            weights = np.array([1 - (centre - first), centre - first])[: old - first]
        yield first, weights / weights.sum()
