"""A world of one striped ball, whose surface is known."""

import numpy as np

SIZE, DEPTH, RADIUS = 240, 3.0, 0.8
COLORS = ((200, 60, 40), (40, 90, 180), (230, 210, 120))


def ball_world(kind):
    """Entry and exit of every ray through a ball `DEPTH` before the camera; `kind` is `LayeredWorld`."""
    focal = 1.5 * SIZE
    K = np.array([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1]])
    column, row = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    rays = np.stack([(column - SIZE / 2) / focal, (row - SIZE / 2) / focal, np.ones((SIZE, SIZE))], -1)
    square, along = (rays**2).sum(-1), DEPTH
    inside = along**2 - square * (DEPTH**2 - RADIUS**2)
    root = np.sqrt(np.maximum(inside, 0))
    depth = np.stack([(along - root) / square, (along + root) / square])
    valid = np.broadcast_to(inside > 0, depth.shape).copy()
    points = (rays * np.where(valid, depth, 0)[..., None]).astype(np.float32)
    stripe = (column // 20).astype(int) % len(COLORS)
    rgb = np.array(COLORS, np.uint8)[stripe]
    return kind(points, valid, rgb, K, "metric", metadata={"mode": "object", "engine": "toy"})
