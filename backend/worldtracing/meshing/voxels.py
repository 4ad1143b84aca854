"""The layers as the occupied voxels that TRELLIS.2 takes in place of its first stage (spec, section 14)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..extras import need

HALF_EXTENT = 0.45
"""Largest coordinate of the canonical cloud; the grid's cube reaches to 0.5."""

FIT_POINTS = 400_000
"""More points than these are thinned out before the canonical frame is fitted, as the release does."""


@dataclass(frozen=True, eq=False)
class CanonicalFrame:
    """The unit cube of the voxels: (x, y, z) of the camera frame becomes (x, z, -y), centred and scaled.

    z is up there and the camera looks along +y, which is TRELLIS.2's front view.

    Attributes:
        centroid: (3,) float32, in mapped axes.
        scale: canonical units per unit of the world.
    """

    centroid: np.ndarray
    scale: float

    @classmethod
    def fit(cls, points: np.ndarray, valid: np.ndarray) -> CanonicalFrame:
        """The frame whose cube holds all valid points.

        Args:
            points: (L, H, W, 3) float32 in the OpenCV camera frame.
            valid: (L, H, W) bool, somewhere true.
        """
        cloud = points[valid & np.isfinite(points).all(-1)]
        if len(cloud) > FIT_POINTS:
            cloud = cloud[np.random.RandomState(0).choice(len(cloud), FIT_POINTS, replace=False)]
        mapped = _turn(cloud)
        centroid = mapped.mean(0)
        reach = float(np.abs(mapped - centroid).max())
        return cls(centroid, HALF_EXTENT / reach if reach > 0 else 1.0)

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Canonical coordinates (..., 3) float32 of camera-space points (..., 3)."""
        return (_turn(points) - self.centroid) * np.float32(self.scale)

    def invert(self, points: np.ndarray) -> np.ndarray:
        """Camera-space points (..., 3) float32 of canonical coordinates (..., 3)."""
        x, z, up = np.moveaxis(points / np.float32(self.scale) + self.centroid, -1, 0)
        return np.stack([x, -up, z], -1)


def occupied_voxels(
    points: np.ndarray,
    valid: np.ndarray,
    frame: CanonicalFrame,
    resolution: int,
    between: int = 4,
    closing: int = 1,
) -> np.ndarray:
    """The voxels that the object fills: its points, the way from each layer to the next, and what they enclose.

    Args:
        points: (L, H, W, 3) float32 in the OpenCV camera frame.
        valid: (L, H, W) bool.
        frame: of the grid's cube.
        resolution: voxels along the cube's side; 32 for TRELLIS.2's cascades and its 512 pipeline, 64 for 1024.
        between: points put on each ray between two adjacent valid layers.
        closing: passes of the morphological closing.

    Returns:
        (N, 3) int32 coordinates in canonical axes, sorted.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without SciPy.
    """
    valid = valid & np.isfinite(points).all(-1)
    grid = np.zeros((resolution,) * 3, bool)
    for cloud in _filled_rays(points, valid, between):
        inside = frame.apply(cloud)
        inside = inside[np.abs(inside).max(-1) <= 0.5 - 1e-6]
        index = np.clip(np.floor((inside + np.float32(0.5)) * np.float32(resolution)), 0, resolution - 1).astype(int)
        grid[tuple(index.T)] = True
    if closing:
        ndimage = need("scipy.ndimage", "mesh", "fill the object's volume")
        grid = ndimage.binary_fill_holes(ndimage.binary_closing(grid, iterations=closing))
    return np.argwhere(grid).astype(np.int32)


def _filled_rays(points: np.ndarray, valid: np.ndarray, between: int):
    """The clouds (N, 3) of every layer, and of every step between two adjacent layers."""
    for layer, ok in zip(points, valid, strict=True):
        yield layer[ok]
    for near, far, ok in zip(points[:-1], points[1:], valid[:-1] & valid[1:], strict=True):
        for step in range(1, between + 1):
            share = np.float32(step / (between + 1))
            yield near[ok] * (1 - share) + far[ok] * share


def _turn(points: np.ndarray) -> np.ndarray:
    """(x, y, z) to (x, z, -y): a rotation, so that nothing is mirrored."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)
