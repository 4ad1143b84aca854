"""Triangles to pixels in numpy, for baking textures and for telling what the camera sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHUNK = 4_000_000
"""Pixels of bounding boxes looked at in one go, which bounds the memory."""

TOUCH = 1e-4
"""Slack, as a share of a triangle, for pixels whose centers lie on an edge."""


@dataclass(frozen=True, eq=False)
class Raster:
    """What is seen in each pixel.

    Attributes:
        face: (H, W) int32, -1 where nothing is.
        weights: (H, W, 3) float32, the parts of the face's three corners; in pictures of depth, not yet corrected for
            perspective.
    """

    face: np.ndarray
    weights: np.ndarray

    def interpolate(self, corners: np.ndarray) -> np.ndarray:
        """(N, C) float32: values given at the corners of faces, (F, 3, C), at the N pixels where a face is."""
        seen = self.face >= 0
        return np.einsum("nk,nkc->nc", self.weights[seen], corners[self.face[seen]])


def rasterize(corners: np.ndarray, width: int, height: int, depth: np.ndarray | None = None) -> Raster:
    """Draw triangles.

    Args:
        corners: (F, 3, 2) float pixel coordinates, centers at +0.5.
        depth: (F, 3) float; the smallest is seen. Without it the last triangle is.
    """
    face = np.full(height * width, -1, np.int32)
    weights = np.zeros((height * width, 3), np.float32)
    nearest = np.full(height * width, np.inf, np.float32)
    for index, pixel, part in _covered(corners, width, height):
        if depth is None:
            keep = np.arange(len(pixel))
        else:
            value = (part * depth[index]).sum(1).astype(np.float32)
            np.minimum.at(nearest, pixel, value)
            keep = np.flatnonzero(value <= nearest[pixel])
        face[pixel[keep]] = index[keep]
        weights[pixel[keep]] = part[keep]
    return Raster(face.reshape(height, width), weights.reshape(height, width, 3))


def _covered(corners: np.ndarray, width: int, height: int):
    """Chunks of (triangle, pixel, (N, 3) corner weights) of every pixel center that lies in a triangle."""
    corners = np.asarray(corners, np.float64)
    low = np.ceil(corners.min(1) - 0.5 - TOUCH).clip(0, None).astype(np.int64)
    high = np.floor(corners.max(1) - 0.5 + TOUCH).clip(None, (width - 1, height - 1)).astype(np.int64)
    size = np.maximum(high - low + 1, 0)
    a, b, c = corners.transpose(1, 0, 2)
    area = _cross(b - a, c - a)
    usable = np.flatnonzero((size.prod(1) > 0) & (np.abs(area) > 1e-12))
    total = np.cumsum(size[usable].prod(1))
    start = 0
    while start < len(usable):
        done = total[start - 1] if start else 0
        end = max(int(np.searchsorted(total, done + CHUNK)), start + 1)
        chunk = usable[start:end]
        start = end
        count = size[chunk].prod(1)
        index = np.repeat(chunk, count)
        number = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
        x = low[index, 0] + number % size[index, 0]
        y = low[index, 1] + number // size[index, 0]
        p = np.stack([x, y], 1) + 0.5
        second = _cross(p - a[index], c[index] - a[index]) / area[index]
        third = _cross(b[index] - a[index], p - a[index]) / area[index]
        part = np.stack([1 - second - third, second, third], 1)
        inside = part.min(1) >= -TOUCH
        yield index[inside], (y * width + x)[inside], part[inside].astype(np.float32)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
