"""A grid whose columns are viewing rays, and the layers seen as depths along them.

Samples lie at equal steps of x/z, y/z and log z. Steps of log z are lengths relative to the distance, as steps of x/z
and y/z are, so cells are cubes that grow with the distance: a scene gets its detail where the photo has it, and for an
object, whose depth is small beside its distance, the cells are all but equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..camera import Camera
from ..layers import resample_layers

PADDING = 3
"""Empty samples around what is to be meshed, so that every surface closes inside the grid."""

RAYS = 3
"""Rays per sample and axis: outlines fall between samples."""

LONGEST = 2.5
"""The grid's longest side may have so many times the resolution; the others then have fewer samples."""

FINEST = 0.4
"""No step is smaller than this many pixels: there is nothing to be seen in between."""

TAILS = 1.0
"""Percent of the points on each side that may be outliers."""


@dataclass(frozen=True, eq=False)
class RayGrid:
    """Where the samples of a volume lie.

    Attributes:
        origin: (3,) float64, x/z, y/z and log z of sample (0, 0, 0).
        step: between samples, the same in all three.
        shape: numbers of samples (columns, rows, depths).
    """

    origin: np.ndarray
    step: float
    shape: tuple[int, int, int]

    def to_camera(self, index: np.ndarray) -> np.ndarray:
        """(N, 3) float32 points in the camera frame of positions (N, 3) in samples."""
        slopes = self.origin + np.asarray(index, np.float64) * self.step
        z = np.exp(slopes[:, 2:])
        return np.concatenate([slopes[:, :2] * z, z], 1).astype(np.float32)

    def depth_index(self, z: np.ndarray) -> np.ndarray:
        """Positions in samples of depths (any shape), float32; NaN where z is 0."""
        with np.errstate(divide="ignore"):
            index = (np.log(z, dtype=np.float64) - self.origin[2]) / self.step
        return np.where(z > 0, index, np.nan).astype(np.float32)


def fit_grid(depth: np.ndarray, camera: Camera, resolution: int) -> RayGrid:
    """The grid of about `resolution`^3 samples that holds the points of depths (L, H, W), 0 where absent."""
    rows, columns = (np.flatnonzero((depth > 0).any((0, axis))) for axis in (2, 1))
    low = np.array([(columns[0] - camera.cx) / camera.fx, (rows[0] - camera.cy) / camera.fy])
    high = np.array([(columns[-1] + 1 - camera.cx) / camera.fx, (rows[-1] + 1 - camera.cy) / camera.fy])
    low_depth, high_depth = _depth_range(np.log(depth[depth > 0], dtype=np.float64), (high - low).max())
    low, high = np.append(low, low_depth), np.append(high, high_depth)
    extent = high - low
    volume = np.prod(np.maximum(extent, 0.05 * extent.max()))
    step = max(np.cbrt(volume) / resolution, extent.max() / (LONGEST * resolution), FINEST / max(camera.fx, camera.fy))
    inner = np.ceil(extent / step).astype(int) + 1
    origin = (low + high) / 2 - (inner - 1) / 2 * step - PADDING * step
    return RayGrid(origin, float(step), tuple(int(n) + 2 * PADDING for n in inner))


def _depth_range(depths: np.ndarray, width: float) -> tuple[float, float]:
    """The least and the greatest of log depths (N,), those left out that lie far from nearly all others.

    Far is farther than nearly all of them reach, or than the whole is wide.
    """
    low = np.percentile(depths, TAILS, method="higher")
    high = np.percentile(depths, 100 - TAILS, method="lower")
    low, high = min(low, high), max(low, high)  # of two depths each is the other's tail
    reach = max(high - low, width)
    near = depths[(depths >= low - reach) & (depths <= high + reach)]
    return float(near.min()), float(near.max())


def depths_on_rays(depth: np.ndarray, camera: Camera, grid: RayGrid) -> np.ndarray:
    """Depths along `RAYS` x `RAYS` rays per column of the grid, in samples.

    Args:
        depth: (L, H, W) float32, 0 where absent.
        camera: of the H x W pixels.

    Returns:
        (L, RAYS * rows, RAYS * columns) float32 positions along the third axis, NaN where absent.
    """
    columns, rows = (((np.arange(RAYS * n) + 0.5) / RAYS - 0.5) * grid.step for n in grid.shape[:2])
    columns = (columns + grid.origin[0]) * camera.fx + camera.cx
    rows = (rows + grid.origin[1]) * camera.fy + camera.cy
    points = depth[..., None] * camera.rays()
    points, valid = resample_layers(points, depth > 0, camera, columns, rows)
    return grid.depth_index(np.where(valid, points[..., 2], 0))


def read_rays(rays: np.ndarray, index: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The layers nearest to positions along their rays, mixed over the four rays around.

    Args:
        rays: (L, RAYS * rows, RAYS * columns) as `depths_on_rays` returns.
        index: (N, 3) positions in samples.
        reach: how far from the position a layer may lie, in samples.

    Returns:
        (N,) float32 the layers' position along the ray, and (N,) bool whether there is one within reach.
    """
    column, row = ((index[:, k] + 0.5) * RAYS - 0.5 for k in (0, 1))
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    total, mixed = np.zeros(len(index), np.float32), np.zeros(len(index), np.float32)
    for dy in (0, 1):
        for dx in (0, 1):
            weight = np.abs(1 - dx - (column - left)) * np.abs(1 - dy - (row - top))
            r, c = (top + dy).clip(0, rays.shape[1] - 1), (left + dx).clip(0, rays.shape[2] - 1)
            best, distance = np.zeros(len(index), np.float32), np.full(len(index), np.inf, np.float32)
            for layer in rays:
                value = layer[r, c]
                apart = np.abs(value - index[:, 2])
                closer = apart < distance  # false for NaN
                best, distance = np.where(closer, value, best), np.where(closer, apart, distance)
            weight = np.where(distance <= reach, weight, 0).astype(np.float32)
            total += weight
            mixed += weight * best
    found = total > 0.25  # less than a quarter of the rays around does not speak for the place
    return mixed / np.where(found, total, 1), found
