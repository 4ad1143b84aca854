"""Smoothing that takes the steps of the volume away and leaves the surface on the layers' points."""

from __future__ import annotations

import numpy as np

from ..progress import OnProgress
from .ray_grid import read_rays

STAGE = "Smoothing"

SHRINK, GROW = 0.5, -0.53
"""Taubin's pair of weights: together they pass what is wide and remove what is narrow, without shrinking."""

ROUNDS = 4

REACH = 2.0
"""How far from a layer, in samples, a vertex may lie that belongs to it."""


def smooth_onto_layers(
    vertices: np.ndarray, faces: np.ndarray, enter: np.ndarray, leave: np.ndarray, on_progress: OnProgress
) -> np.ndarray:
    """Smooth a surface in sample coordinates, with every vertex that a layer passes by put back on it.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) int32, closed.
        enter, leave: the solid intervals that the surface was made from (`solid_intervals`).

    Returns:
        (V, 3) float32.
    """
    on_progress(STAGE, 0, ROUNDS)
    neighbors = _Neighbors(faces, len(vertices))
    # Thin solids have their back within reach of their front: each side knows its own layers only.
    front = vertex_normals(vertices, faces)[:, 2] < 0
    for number in range(ROUNDS):
        on_progress(STAGE, number, ROUNDS)
        for weight in (SHRINK, GROW):
            vertices = vertices + np.float32(weight) * (neighbors.mean(vertices) - vertices)
        for side, layers in ((front, enter), (~front, leave)):
            depth, found = read_rays(layers, vertices[side], REACH)
            vertices[np.flatnonzero(side)[found], 2] = depth[found]
    return vertices


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals, the faces' weighted by area; zero where there is none."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    sums = [np.bincount(faces.reshape(-1), np.repeat(normal[:, k], 3), len(vertices)) for k in range(3)]
    total = np.stack(sums, 1)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)).astype(np.float32)


class _Neighbors:
    """The means over each vertex's neighbors in a closed mesh."""

    def __init__(self, faces: np.ndarray, count: int) -> None:
        # In a closed mesh each edge is in two triangles, once in each direction: every neighbor comes exactly once.
        self._start, self._end = faces.reshape(-1), np.roll(faces, -1, 1).reshape(-1)
        self._count = count
        self._degree = np.maximum(np.bincount(self._start, minlength=count), 1).astype(np.float32)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """(V, 3) float32."""
        sums = [np.bincount(self._start, values[self._end, k], self._count) for k in range(values.shape[1])]
        return (np.stack(sums, 1) / self._degree[:, None]).astype(np.float32)
