"""The picture of one object as generators want it: cut out, and squared by a camera that looks straight at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...camera import Camera
from ...errors import WorldTracingError
from ...world import LayeredWorld


@dataclass(frozen=True, eq=False)
class ObjectView:
    """The photo as a camera at the same place would see it that is turned to the object and just holds it.

    Attributes:
        rgba: (N, N, 4) uint8 sRGB with straight alpha, the object in the middle.
        fov: horizontal and vertical field of view in radians.
        rotation: (3, 3), from this camera's frame to the world's (both OpenCV).
    """

    rgba: np.ndarray
    fov: float
    rotation: np.ndarray

    def on_black(self) -> np.ndarray:
        """(N, N, 3) uint8 sRGB."""
        return (self.rgba[..., :3].astype(np.uint16) * self.rgba[..., 3:] // 255).astype(np.uint8)


def visible_pixels(chosen: np.ndarray) -> np.ndarray:
    """(H, W) bool: where the photo shows the object.

    Args:
        chosen: (L, H, W) bool, from `chosen_points`.

    Raises:
        WorldTracingError: WT-MESH-HIDDEN.
    """
    if not chosen[0].any():
        raise WorldTracingError(
            "WT-MESH-HIDDEN",
            "The photo does not show what the mesh is to be made of, and this generator works from the photo.",
            "Choose an object that is seen, or the built-in generator.",
        )
    return chosen[0]


def cut_out(world: LayeredWorld, visible: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8: the photo with the object opaque and all else transparent."""
    return np.dstack([world.rgb, visible.astype(np.uint8) * 255])


def object_view(world: LayeredWorld, visible: np.ndarray, size: int, margin: float) -> ObjectView:
    """Turn the camera to the object, so that a generator's centred camera is the photo's own.

    Cutting a window out of the photo would leave the principal point outside its centre; turning the camera about its
    eye changes no depth order and can be done exactly on the pixels.

    Args:
        world: the traced photo.
        visible: (H, W) bool, somewhere true.
        size: of the picture in pixels.
        margin: side of the picture relative to the longer side of the object in it.
    """
    camera = Camera.from_K(world.K, world.width, world.height)
    rays = camera.rays()[visible].astype(np.float64)
    direction = rays.mean(0)
    for _ in range(5):  # the middle of the extent moves a little when the camera turns
        rotation = _looking_along(direction)
        slopes = rays @ rotation
        slopes = slopes[:, :2] / slopes[:, 2:]
        low, high = slopes.min(0), slopes.max(0)
        direction = rotation @ [*(low + high) / 2, 1]
    half = margin * (np.abs(slopes).max() + 0.5 / min(camera.fx, camera.fy))  # a pixel reaches half beyond its centre
    steps = ((np.arange(size) + 0.5) / size * 2 - 1) * half
    x, y = np.meshgrid(steps, steps)
    u, v = np.moveaxis(camera.project(np.stack([x, y, np.ones_like(x)], -1) @ rotation.T), -1, 0)
    return ObjectView(_sample(cut_out(world, visible), u, v), float(2 * np.arctan(half)), rotation)


def _looking_along(direction: np.ndarray) -> np.ndarray:
    """(3, 3) rotation of a camera that looks along `direction` without rolling: its columns are its axes."""
    z = direction / np.linalg.norm(direction)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], 1)


def _sample(rgba: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bilinear samples of a picture at pixel coordinates, transparent outside; colors are mixed by their alpha."""
    padded = np.pad(rgba.astype(np.float32), ((1, 1), (1, 1), (0, 0)))
    padded[..., :3] *= padded[..., 3:] / 255
    height, width = rgba.shape[:2]
    column, row = np.clip(u + 0.5, 0, width + 0.999), np.clip(v + 0.5, 0, height + 0.999)
    left, top = column.astype(int), row.astype(int)
    across, down = (column - left)[..., None].astype(np.float32), (row - top)[..., None].astype(np.float32)
    upper = padded[top, left] * (1 - across) + padded[top, left + 1] * across
    lower = padded[top + 1, left] * (1 - across) + padded[top + 1, left + 1] * across
    mixed = upper * (1 - down) + lower * down
    mixed[..., :3] /= np.maximum(mixed[..., 3:], 1e-6) / 255
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
