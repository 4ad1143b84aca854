"""Coarse layers on a photo's pixels: smooth within a surface, with edges where the photo has them.

A network traces fewer pixels than a photo has. Interpolating its layers gives stairs at the border of hidden layers,
and puts points in the air where a pixel's neighbours lie on different surfaces. Here each pixel first chooses the
surface whose color fits it (as a joint bilateral filter does), and is then interpolated on that surface alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .camera import Camera
from .layers import DEPTH_JUMP

COLOR_SPREAD = 0.08
"""sRGB difference (of 1, root mean square over the channels) at which a neighbour counts exp(-1/2) as much."""

AT_ONCE = 1 << 16
"""Pixels worked on at a time: each takes about 500 bytes meanwhile."""

VISIBLE_LAYERS = 2
"""Layers whose outlines the photo shows: the visible surface, and its back, which ends where it does."""


@dataclass(frozen=True)
class Raster:
    """Pixels of the fine picture and the 4x4 coarse pixels around each.

    Attributes:
        rows, columns: (n,) fine pixels.
        taps: (16, n) flat indices of coarse pixels.
        weights: (16, n) float32 cubic B-spline weights; they sum to 1.
        colors: (16, n) float32 in (0, 1], how well the coarse pixel's color fits the fine one's.
    """

    rows: np.ndarray
    columns: np.ndarray
    taps: np.ndarray
    weights: np.ndarray
    colors: np.ndarray


def guided_layers(
    points: np.ndarray,
    valid: np.ndarray,
    rgb: np.ndarray,
    camera: Camera,
    fine_rgb: np.ndarray,
    fine_camera: Camera,
    mask: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Coarse layers on the pixels of a finer picture from the same viewpoint.

    Depth is interpolated by a cubic B-spline of inverse depth (exact for planes) over those of the 4x4 coarse pixels
    around that lie within `DEPTH_JUMP` of the best fitting one; points lie exactly on the fine camera's rays.

    Args:
        points: (L, h, w, 3) float32 metres in the OpenCV camera frame, on the rays of `camera`.
        valid: (L, h, w) bool.
        rgb: (h, w, 3) float32 in [0, 1], the coarse picture.
        camera: of the coarse pixels.
        fine_rgb: (H, W, 3) uint8 sRGB.
        fine_camera: of the fine pixels; another part of the same view.
        mask: (H, W) bool, the fine pixels that are traced. All of them that have a coarse neighbour get layer 0.

    Returns:
        (L, H, W, 3) float32 points and (L, H, W) bool validity.
    """
    fine_points = np.zeros((len(valid), *mask.shape, 3), np.float32)
    fine_valid = np.zeros((len(valid), *mask.shape), bool)
    fine_rays = fine_camera.rays()
    pixels = np.nonzero(mask)
    for start in range(0, len(pixels[0]), AT_ONCE):
        rows, columns = (part[start : start + AT_ONCE] for part in pixels)
        raster = _raster(rgb, camera, fine_rgb, fine_camera, rows, columns)
        _guide(points, valid, raster, fine_rays[raster.rows, raster.columns], fine_points, fine_valid)
    return fine_points, fine_valid


def _guide(
    points: np.ndarray,
    valid: np.ndarray,
    raster: Raster,
    rays: np.ndarray,
    fine_points: np.ndarray,
    fine_valid: np.ndarray,
) -> None:
    """Write the layers of the raster's pixels, whose rays are (n, 3), to `fine_points` and `fine_valid`."""
    ahead = np.ones(len(raster.rows), bool)
    for layer, (z, ok) in enumerate(zip(points[..., 2], valid, strict=True)):
        fit = raster.weights * raster.colors if layer < VISIBLE_LAYERS else raster.weights
        found = ok.ravel()[raster.taps]
        share = (fit * found).sum(0)
        there = ahead & (share > 0 if layer == 0 else share >= 0.5 * fit.sum(0))
        inverse = _interpolate(np.where(ok, 1 / np.where(ok, z, 1), 0).ravel()[raster.taps], found, fit, raster.weights)
        z_fine = 1 / np.where(there, inverse, 1)
        fine_points[layer, raster.rows, raster.columns] = rays * np.where(there, z_fine, 0)[:, None]
        fine_valid[layer, raster.rows, raster.columns] = there
        ahead = there


def _interpolate(inverse: np.ndarray, found: np.ndarray, fit: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) inverse depth from 16 neighbours each (16, n), over those on the surface of the best fitting one."""
    best = np.argmax(fit * found, 0)
    chosen = np.take_along_axis(inverse, best[None], 0)
    same = found & (np.abs(inverse - chosen) <= DEPTH_JUMP * chosen)
    weights = weights * same
    total = weights.sum(0)
    return (weights * inverse).sum(0) / np.where(total > 0, total, 1)


def _raster(
    rgb: np.ndarray, camera: Camera, fine_rgb: np.ndarray, fine_camera: Camera, rows: np.ndarray, columns: np.ndarray
) -> Raster:
    """Of those of the fine pixels (n,) that the coarse picture reaches."""
    height, width = rgb.shape[:2]
    y = (rows + 0.5 - fine_camera.cy) / fine_camera.fy * camera.fy + camera.cy - 0.5
    x = (columns + 0.5 - fine_camera.cx) / fine_camera.fx * camera.fx + camera.cx - 0.5
    inside = (y > -1) & (y < height) & (x > -1) & (x < width)
    rows, columns, y, x = rows[inside], columns[inside], y[inside], x[inside]
    tap_rows, row_weights = _spline(y, height)
    tap_columns, column_weights = _spline(x, width)
    taps = (tap_rows[:, None] * width + tap_columns).reshape(16, -1)
    weights = (row_weights[:, None] * column_weights).reshape(16, -1)
    fine = fine_rgb[rows, columns].astype(np.float32) / 255
    difference = np.square(rgb.reshape(-1, 3)[taps] - fine).mean(-1)
    return Raster(rows, columns, taps, weights, np.exp(-difference / (2 * COLOR_SPREAD**2)) + np.float32(1e-6))


def _spline(position: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The four pixels around each position (4, n), border replicated, and their cubic B-spline weights."""
    first = np.floor(position).astype(np.int64)
    t = (position - first).astype(np.float32)
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    return np.clip(first + np.arange(-1, 3)[:, None], 0, size - 1), weights
