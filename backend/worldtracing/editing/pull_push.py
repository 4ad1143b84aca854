"""Smooth values where none are known, by pull and push (Gortler et al. 1996): means of what is known at each scale."""

from __future__ import annotations

import numpy as np


def pull_push(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(H, W, C) float32: the values where `known`, (H, W) bool, a smooth continuation elsewhere; 0 if none is known."""
    weights = known.astype(np.float32)[..., None]
    return _filled(np.where(known[..., None], values, 0).astype(np.float32), weights)


def _filled(total: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """From sums of values and weights of at most 1 per pixel; where the weight is below 1, the coarser scale adds."""
    if weight.min() >= 1 or max(weight.shape) == 1:
        return total / np.maximum(weight, np.float32(1e-20))
    coarse_total, coarse_weight = _halved(total), _halved(weight)
    saturated = np.minimum(1, 1 / np.maximum(coarse_weight, np.float32(1e-20)))
    coarse = _doubled(_filled(coarse_total * saturated, coarse_weight * saturated), weight.shape)
    return total + (1 - weight) * coarse


def _halved(image: np.ndarray) -> np.ndarray:
    """Sums over 2 x 2 pixels, a missing last row or column counting as nothing."""
    image = np.pad(image, [(0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)])
    rows = image[0::2] + image[1::2]
    return rows[:, 0::2] + rows[:, 1::2]


def _doubled(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Twice the size, linear between pixel centers, cut to (H, W)."""
    for axis in (0, 1):
        before = np.take(image, np.r_[0, 0 : image.shape[axis] - 1], axis)
        after = np.take(image, np.r_[1 : image.shape[axis], image.shape[axis] - 1], axis)
        pair = np.stack([0.75 * image + 0.25 * before, 0.75 * image + 0.25 * after], axis + 1)
        image = pair.reshape(*image.shape[:axis], -1, *image.shape[axis + 1 :])
    return image[: shape[0], : shape[1]]


def nearest_known(known: np.ndarray) -> np.ndarray:
    """(H, W) int64 flat index of a nearest known pixel, by jump flooding (Rong and Tan 2006); -1 if none is known."""
    height, width = known.shape
    nearest = np.where(known, np.arange(known.size).reshape(known.shape), -1)
    rows, columns = np.nonzero(~known)
    best = np.full(len(rows), -1)
    distance = np.full(len(rows), np.inf)
    step = 1 << max(max(height, width) - 1, 1).bit_length() - 1
    while step:
        for down in (-step, 0, step):
            for right in (-step, 0, step):
                other = nearest[np.clip(rows + down, 0, height - 1), np.clip(columns + right, 0, width - 1)]
                away = (other // width - rows) ** 2 + (other % width - columns) ** 2
                closer = (other >= 0) & (away < distance)
                best, distance = np.where(closer, other, best), np.where(closer, away, distance)
        nearest[rows, columns] = best
        step //= 2
    return nearest
