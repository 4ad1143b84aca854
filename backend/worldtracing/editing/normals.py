"""Normals of point maps."""

from __future__ import annotations

import numpy as np


def surface_normals(points: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Unit normals towards the camera, (H, W, 3) float32, from the nearer neighbor in depth on each axis.

    Taking the nearer one keeps the normals of two surfaces apart where one occludes the other.

    Args:
        points: (H, W, 3) float32.
        valid: (H, W) bool.

    Returns:
        Zero where a pixel is not valid or has no valid neighbor on an axis.
    """
    across, down = (_nearer_step(points, valid, axis) for axis in (1, 0))
    normal = np.cross(across, down)
    length = np.sqrt(np.einsum("ijk,ijk->ij", normal, normal))
    facing = np.where(np.einsum("ijk,ijk->ij", normal, points) > 0, np.float32(-1), np.float32(1))
    return normal * (facing / np.maximum(length, np.float32(1e-20)))[..., None]


def _nearer_step(points: np.ndarray, valid: np.ndarray, axis: int) -> np.ndarray:
    """(H, W, 3) step to the next pixel along an axis, by the forward or the backward difference; 0 without either."""
    step = np.diff(points, axis=axis)
    first, last = (np.take(valid, range(*ends), axis) for ends in ((0, valid.shape[axis] - 1), (1, valid.shape[axis])))
    size = np.where(first & last, np.abs(step[..., 2]), np.float32(np.inf))
    ends = [(0, 0)] * 2
    ends[axis] = (0, 1)
    forward, forward_size = np.pad(step, [*ends, (0, 0)]), np.pad(size, ends, constant_values=np.inf)
    ends[axis] = (1, 0)
    backward, backward_size = np.pad(step, [*ends, (0, 0)]), np.pad(size, ends, constant_values=np.inf)
    nearer = np.where((forward_size <= backward_size)[..., None], forward, backward)
    return np.where(np.isfinite(np.minimum(forward_size, backward_size))[..., None], nearer, np.float32(0))
