"""A small world with what is hard about real ones: texture, a depth jump, a hole, a hidden layer."""

import numpy as np


def intrinsics(width, height, fx=None, fy=None, cx=None, cy=None):
    """(3, 3) camera matrix; unset values give a centred camera of about 49 degrees with square pixels."""
    fx = fx or 1.1 * max(width, height)
    return np.array([[fx, 0, cx or width / 2], [0, fy or fx, cy or height / 2], [0, 0, 1]], np.float64)


def textured_picture(width, height, seed=0):
    """(H, W, 3) uint8: blobs of many sizes with a hard-edged checkerboard on top, contrast like a photo's."""
    random = np.random.default_rng(seed)
    v, u = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 3))
    for wavelength in (64, 24, 10, 5):
        direction = random.normal(size=(3, 2))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        phase = 2 * np.pi * (u[..., None] * direction[:, 0] + v[..., None] * direction[:, 1]) / wavelength
        picture += np.sin(phase + random.uniform(0, 6, 3)) / 5
    picture += np.where((u // 12 + v // 12) % 2, 0.15, -0.15)[..., None]
    return np.clip(127 + 100 * picture, 0, 255).astype(np.uint8)


def make_world(world_class, width=96, height=72, K=None, layers=2, seed=0, **metadata):
    """A LayeredWorld of a ball in front of a slanted board with a hole; the second layer is the board's back."""
    K = intrinsics(width, height) if K is None else K
    v, u = np.mgrid[:height, :width] + 0.5
    across, down = 2 * u / width - 1, 2 * v / height - 1
    radius = np.hypot(across + 0.1, down)
    board = 2.5 + 0.4 * across
    front = np.where(radius < 0.5, 2 - 0.5 * np.sqrt(np.maximum(0.25 - radius**2, 0)), board)
    valid = (np.abs(across) < 0.85) & (np.abs(down) < 0.8) & (np.hypot(across - 0.6, down - 0.5) > 0.15)
    depth = np.stack([front + 0.3 * layer for layer in range(layers)])
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1)
    valid = np.stack([valid & (radius < 1.5 - 0.4 * layer) for layer in range(layers)])
    points = np.where(valid[..., None], rays * depth[..., None], 0).astype(np.float32)
    details = {"engine": "toy", "model": "ball", "seed": seed, "mode": "object"} | metadata
    return world_class(points, valid, textured_picture(width, height, seed), K, "relative", metadata=details)
