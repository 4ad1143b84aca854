"""Back-projection of image features onto points, and what of a mesh a camera sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..camera import Camera
from .raster import rasterize


@dataclass(frozen=True, eq=False)
class FeatureView:
    """One view's features.

    Attributes:
        features: (H, W, C) float32, such as colors or a network's feature map.
        camera: of these H x W pixels; `Camera.resized` makes one for a feature map.
        pose: (4, 4) world to camera, OpenCV; None for the frame of the points itself.
    """

    features: np.ndarray
    camera: Camera
    pose: np.ndarray | None = None


def back_project(
    points: np.ndarray, views: Sequence[FeatureView], weights: Sequence[np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The features at the pixels onto which points project, bilinear, averaged over the views that see them.

    The feature volume of Pixal3D (section 3.2) is this at the centers of a voxel grid: every voxel on a ray gets its
    pixel's feature, and several views are averaged.

    Args:
        points: (N, 3).
        views: at least one.
        weights: per view (N,) how much it counts for each point, for instance whether it sees it; 1 by default.

    Returns:
        (N, C) float32 features, zero where no view has the point in its picture; and (N,) float32 the total weight.
    """
    total = np.zeros(len(points), np.float32)
    mixed = np.zeros((len(points), views[0].features.shape[2]), np.float32)
    for number, view in enumerate(views):
        local = points if view.pose is None else points @ view.pose[:3, :3].T + view.pose[:3, 3]
        in_front = local[:, 2] > 1e-9
        pixels = view.camera.project(np.where(in_front[:, None], local, 1))
        size = (view.camera.width, view.camera.height)
        weight = (in_front & (pixels >= 0).all(1) & (pixels <= size).all(1)).astype(np.float32)
        if weights is not None:
            weight = weight * weights[number]
        mixed += weight[:, None] * sample(view.features, pixels)
        total += weight
    return mixed / np.where(total > 0, total, 1)[:, None], total


def sample(image: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N, C) float32: an image (H, W, C) read at pixel coordinates (N, 2), bilinear, its border continued."""
    height, width = image.shape[:2]
    x = np.clip(pixels[:, 0] - 0.5, 0, width - 1)
    y = np.clip(pixels[:, 1] - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), max(width - 2, 0)), np.minimum(y.astype(int), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    u, v = (x - left).astype(np.float32)[:, None], (y - top).astype(np.float32)[:, None]
    upper = image[top, left] * (1 - u) + image[top, right] * u
    lower = image[bottom, left] * (1 - u) + image[bottom, right] * u
    return (upper * (1 - v) + lower * v).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Visibility:
    """What a camera sees of a mesh.

    Attributes:
        camera: the camera.
        depth: (H, W) float32 the nearest surface's z in each pixel, infinite where there is none.
        tolerance: relative depth within which a point counts as on that surface.
    """

    camera: Camera
    depth: np.ndarray
    tolerance: float

    @classmethod
    def of(cls, vertices: np.ndarray, faces: np.ndarray, camera: Camera, tolerance: float) -> Visibility:
        """Of a mesh (V, 3), (F, 3) in the camera's frame and before it."""
        z = vertices[faces][..., 2]
        raster = rasterize(camera.project(vertices)[faces], camera.width, camera.height, z)
        depth = np.full((camera.height, camera.width), np.inf, np.float32)
        depth[raster.face >= 0] = raster.interpolate(z[..., None])[:, 0]
        return cls(camera, depth, tolerance)

    def sees(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool: whether points (N, 3) lie on what is seen, to about a pixel."""
        return points[:, 2] <= self._around(np.maximum, -np.inf)[self._pixels(points)] * (1 + self.tolerance)

    def sees_clearly(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool: those with nothing much nearer in any pixel around, whose color would bleed in."""
        return points[:, 2] <= self._around(np.minimum, np.inf)[self._pixels(points)] * (1 + 4 * self.tolerance)

    def _around(self, extreme: np.ufunc, ignored: float) -> np.ndarray:
        """The extreme depth of each pixel and its eight neighbors, infinite ones left out."""
        height, width = self.depth.shape
        padded = np.pad(np.where(np.isfinite(self.depth), self.depth, ignored), 1, constant_values=ignored)
        around = extreme.reduce([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)])
        return np.where(np.isfinite(around), around, np.inf).astype(np.float32)

    def _pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels = np.floor(self.camera.project(points)).astype(int)
        return pixels[:, 1].clip(0, self.camera.height - 1), pixels[:, 0].clip(0, self.camera.width - 1)
