"""Small worlds whose shape is known, for the tests of meshes."""

import numpy as np

from worldtracing.camera import Camera
from worldtracing.world import LayeredWorld

CENTER, RADIUS = np.array([0.1, -0.05, 2.0]), 0.5


def world_of_depths(depth: np.ndarray, fov: float, rgb: np.ndarray | None = None) -> LayeredWorld:
    """A world from depths (L, H, W), 0 where absent; a colorful picture where none is given."""
    height, width = depth.shape[1:]
    camera = Camera.from_fov(width, height, fov)
    with np.errstate(over="ignore", invalid="ignore"):
        points = (depth[..., None] * camera.rays()).astype(np.float32)
    valid = (depth != 0) & np.isfinite(points).all(-1)
    if rgb is None:
        rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return LayeredWorld(np.where(valid[..., None], points, np.float32(0)), valid, rgb, camera.K, "metric")


def ball_world(side: int, hollow: float = 0.0) -> LayeredWorld:
    """A ball, red on its left and green on its right half, on blue; with a hollow of that radius inside."""
    camera = Camera.from_fov(side, side, 40)
    shells = [ball_depths(camera, radius) for radius in (RADIUS, hollow) if radius]
    depth = np.stack([shells[0][0], *(d for shell in shells[1:] for d in shell), shells[0][1]])
    rgb = np.zeros((side, side, 3), np.uint8)
    rgb[...] = (0, 0, 255)
    inside = depth[0] > 0
    right = (camera.rays()[..., 0] * depth[0] > CENTER[0]) & inside
    rgb[inside], rgb[right] = (220, 30, 30), (30, 220, 30)
    return world_of_depths(depth, 40, rgb)


def ball_depths(camera: Camera, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Where rays enter and leave a ball about `CENTER`, (H, W) each, 0 beside it."""
    rays = camera.rays().astype(np.float64)
    a, b, c = (rays**2).sum(-1), rays @ CENTER, CENTER @ CENTER - radius**2
    root = b**2 - a * c
    hit = root > 0
    root = np.sqrt(np.where(hit, root, 0))
    return np.where(hit, (b - root) / a, 0), np.where(hit, (b + root) / a, 0)
