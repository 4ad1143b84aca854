"""Texture coordinates: what the camera sees keeps the photo's own raster, the rest is projected along the axes.

A chart is a connected patch of faces with one projection. The visible charts are cut out of the photo as they are, so
their texels are the photo's pixels; xatlas took 7 to 12 s of CPU for thousands of small charts on the same meshes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..camera import Camera
from .projection import Visibility
from .topology import connected, face_neighbors

FACING = 0.06
"""Faces whose normal has less than this cosine to the view are not seen well enough."""

AXES = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32)

ROUNDS = 6
"""Of letting faces take over their neighbors' projection, which rids charts of their frayed borders."""

PULL = 0.35
"""What a neighbor's vote is worth against the cosine to an axis."""

HIDDEN_DENSITY = 0.6
"""Texels along a side of hidden faces, relative to visible ones: what fills them is less sharp than the photo."""

GUTTER = 2
"""Texels around each chart, so that filtering does not mix charts."""

SEEN = 0


@dataclass(frozen=True, eq=False)
class Unwrapped:
    """
    Attributes:
        texels: (F, 3, 2) float32 positions of the faces' corners in texels, row 0 at the top.
        seen: (F,) bool, faces whose chart is the photo's raster.
        size: side of the texture.
    """

    texels: np.ndarray
    seen: np.ndarray
    size: int

    @property
    def uvs(self) -> np.ndarray:
        """(F, 3, 2) float32 with v up, within 0 to 1."""
        return np.clip(self.texels / self.size * (1, -1) + (0, 1), 0, 1).astype(np.float32)


def unwrap(vertices: np.ndarray, faces: np.ndarray, camera: Camera, visibility: Visibility, size: int) -> Unwrapped:
    """Texture coordinates for a closed mesh in the camera's frame.

    A texture that cannot hold all charts with what separates them is made larger.
    """
    corners = vertices[faces]
    neighbors = face_neighbors(faces)
    normals = face_normals(corners)
    label = _projections(corners, normals, neighbors, visibility)
    same = label[neighbors] == label[:, None]
    face = np.repeat(np.arange(len(faces)), 3).reshape(-1, 3)
    chart = np.unique(connected(len(faces), face[same], neighbors[same]), return_inverse=True)[1].reshape(-1)
    flat = _flattened(corners, label, chart, camera)
    low = np.full((chart.max() + 1, 2), np.inf)
    high = np.full((chart.max() + 1, 2), -np.inf)
    np.minimum.at(low, chart, flat.min(1))
    np.maximum.at(high, chart, flat.max(1))
    place, scale = pack(high - low, size)
    while scale == 0:
        size *= 2
        place, scale = pack(high - low, size)
    texels = (flat - low[chart][:, None]) * scale + place[chart][:, None]
    return Unwrapped(texels.astype(np.float32), label == SEEN, size)


def face_normals(corners: np.ndarray) -> np.ndarray:
    """(F, 3) unit normals of triangles (F, 3, 3); zero where there is no area."""
    a, b, c = corners.transpose(1, 0, 2).astype(np.float64)
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)


def _projections(corners: np.ndarray, normals: np.ndarray, neighbors: np.ndarray, visibility: Visibility) -> np.ndarray:
    """(F,) for each face `SEEN`, or 1 + the number of the axis that it faces."""
    center = corners.mean(1)
    facing = -(normals * center).sum(1) / np.linalg.norm(center, axis=1)
    seen = (facing > FACING) & visibility.sees(center)
    for k in range(3):
        seen &= visibility.sees(corners[:, k])
    for _ in range(ROUNDS):
        votes = seen[neighbors].sum(1)
        seen = (seen & (votes > 1)) | (~seen & (votes > 1) & (facing > FACING / 2) & visibility.sees(center))
    cosine = normals @ AXES.T
    label = 1 + cosine.argmax(1)
    for _ in range(ROUNDS):
        votes = np.stack([((label[neighbors] == k + 1) & ~seen[neighbors]).sum(1) for k in range(6)], 1)
        label = 1 + np.where(cosine > 0.15, cosine + PULL * votes, cosine - 9).argmax(1)
    return np.where(seen, SEEN, label)


def _flattened(corners: np.ndarray, label: np.ndarray, chart: np.ndarray, camera: Camera) -> np.ndarray:
    """(F, 3, 2) float64: the corners in each chart's plane, in pixels of the photo."""
    flat = camera.project(corners)
    distance = np.bincount(chart, corners[..., 2].mean(1)) / np.bincount(chart)
    density = HIDDEN_DENSITY * np.sqrt(camera.fx * camera.fy) / distance[chart]
    for axis in range(6):
        chosen = label == axis + 1
        kept = [k for k in range(3) if k != axis // 2]
        flat[chosen] = corners[chosen][..., kept] * density[chosen, None, None]
    return flat


def pack(sizes: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """Place boxes in a square, as large as they fit.

    Args:
        sizes: (N, 2) widths and heights.
        side: of the square, in texels.

    Returns:
        (N, 2) float64 the top left corner of each, `GUTTER` kept around it, and the scale of the sizes; 0 where they do
        not fit at any.
    """
    order = np.argsort(-sizes[:, 1], kind="stable")
    low, high = 0.0, 4.0 * side / max(float(np.sqrt(sizes.prod(1).sum())), float(sizes.max()), 1e-9)
    best = np.zeros(sizes.shape)
    for _ in range(24):
        middle = (low + high) / 2
        placed = _shelves(sizes[order] * middle + 2 * GUTTER, side)
        if placed is None:
            high = middle
        else:
            low = middle
            best[order] = placed + GUTTER
    return best, low


def _shelves(sizes: np.ndarray, side: int) -> np.ndarray | None:
    """Top left corners of boxes (tallest first) row by row; None where they do not fit."""
    place = np.empty(sizes.shape)
    x = y = shelf = 0.0
    for number, (width, height) in enumerate(sizes.tolist()):
        if x + width > side:
            x, y, shelf = 0.0, y + shelf, 0.0
        if width > side or y + height > side:
            return None
        place[number] = x, y
        x, shelf = x + width, max(shelf, height)
    return place
