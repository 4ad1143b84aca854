"""The texture: the photo on what the camera sees, and on the rest the best guess that the photo allows."""

from __future__ import annotations

import numpy as np

from ..camera import Camera
from ..data.mesh import Mesh
from ..editing.pull_push import pull_push
from ..progress import OnProgress
from ..regions import dilate, erode
from .projection import FeatureView, Visibility, back_project
from .raster import rasterize
from .smoothing import vertex_normals
from .symmetry import NEAR, find_symmetries
from .unwrap import Unwrapped

TRUST = (0.03, 0.15)
"""Cosines of the normal to the view from which, and at which wholly, the photo counts."""

SPREAD_ROUNDS = 400
"""Most steps from vertex to vertex that a color spreads; beyond that the mean color."""

SOFTENING = 12
"""Rounds of averaging the spread colors with their neighbors'."""

MIRRORED = 0.85
"""How much of a mirrored color counts against the spread one, where the photo shows the mirrored place."""

OUTLINE = (2, 1)
"""Pixels along the outline that are not trusted, the first number that leaves half of the object."""

OVERLAP = 0.1
"""Share of the seen surface whose mirror image must be seen too to judge a plane by its colors."""

ALIKE = 48.0
"""Largest mean difference, of 255, between the colors of the two sides."""

SURFACE_POINTS = 20_000
"""For finding mirror planes: vertices lie thinly where the surface is flat."""

STAGE = "Painting the texture"


def paint(
    vertices: np.ndarray,
    faces: np.ndarray,
    unwrapped: Unwrapped,
    rgb: np.ndarray,
    mask: np.ndarray,
    camera: Camera,
    visibility: Visibility,
    on_progress: OnProgress,
) -> np.ndarray:
    """Bake the base color.

    What the camera sees gets the photo. Hidden places get the photo at their mirror image, where the shape has a
    mirror plane and the camera sees that side; elsewhere the color of the nearest seen surface, spread along the mesh.
    The three fade into each other, and pull-push fills between the charts.

    Args:
        vertices: (V, 3) float32, camera frame.
        faces: (F, 3) int32.
        rgb: (H, W, 3) uint8 sRGB.
        mask: (H, W) bool, the pixels that show the object.
        camera: of these pixels.

    Returns:
        (size, size, 4) uint8 sRGB, opaque.
    """
    on_progress(STAGE, 0, 4)
    photo = _Photo(rgb, mask, camera, visibility)
    normals = vertex_normals(vertices, faces)
    spread = _spread(faces, *photo.read(vertices, normals), fallback=photo.colors(vertices))
    on_progress(STAGE, 1, 4)
    size = unwrapped.size
    raster = rasterize(unwrapped.texels, size, size)
    baked = raster.face >= 0
    points, normals, color = (raster.interpolate(values[faces]) for values in (vertices, normals, spread))
    on_progress(STAGE, 2, 4)
    shot, trust = photo.read(points, normals)
    slack = NEAR * float(np.ptp(vertices, axis=0).max())  # the two sides match about as well as this
    surface = Mesh.plain(vertices, faces).sample_surface(SURFACE_POINTS, np.random.default_rng(0))
    view = surface.mean(0) / max(float(np.linalg.norm(surface.mean(0))), 1e-9)
    for plane in reversed(find_symmetries(surface, view)):  # the best one last, over the others
        turned = normals - 2 * (normals @ plane.normal)[:, None] * plane.normal
        mirrored, shown = photo.read(plane.mirror(points), turned, slack)
        both = np.minimum(shown, trust) > 0.5
        if both.sum() > OVERLAP * (trust > 0.5).sum() and np.abs(mirrored - shot)[both].mean() > ALIKE:
            continue  # the shape is symmetric and the colors are not
        color += (MIRRORED * shown)[:, None] * (mirrored - color)
    on_progress(STAGE, 3, 4)
    texture = np.zeros((size, size, 3), np.float32)
    texture[baked] = color + trust[:, None] * (shot - color)
    texture = pull_push(texture, baked)
    opaque = np.full((size, size, 1), 255, np.uint8)
    return np.concatenate([(np.clip(texture, 0, 255) + 0.5).astype(np.uint8), opaque], 2)


class _Photo:
    """The photo as a source of colors for points, and how far to trust each."""

    def __init__(self, rgb: np.ndarray, mask: np.ndarray, camera: Camera, visibility: Visibility) -> None:
        self._view = FeatureView(pull_push(rgb.astype(np.float32), _without_outline(mask)), camera)
        self._shown = dilate(mask, 1)
        self._visibility = visibility

    def colors(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) float32, 0 to 255: the pixels onto which points (N, 3) project, whatever hides them."""
        return back_project(points, [self._view])[0]

    def read(self, points: np.ndarray, normals: np.ndarray, slack: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Colors (N, 3), and trust (N,) float32 from 0 to 1: whether a surface there is seen, and how squarely.

        Points may lie behind what is seen by `slack`, a distance.
        """
        distance = np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
        facing = -(points / distance * normals).sum(1) / np.maximum(np.linalg.norm(normals, axis=1), 1e-9)
        trust = np.clip((facing - TRUST[0]) / (TRUST[1] - TRUST[0]), 0, 1)
        near = points * (1 - np.minimum(slack / distance, 0.5))
        column, row = np.floor(self._view.camera.project(near)).astype(int).T
        inside = (row >= 0) & (row < self._shown.shape[0]) & (column >= 0) & (column < self._shown.shape[1])
        inside[inside] = self._shown[row[inside], column[inside]]
        trust *= inside & self._visibility.sees(near) & self._visibility.sees_clearly(near)
        return self.colors(points), trust.astype(np.float32)


def _without_outline(mask: np.ndarray) -> np.ndarray:
    """The mask without the pixels along its outline, which mix object and background; thin objects keep more."""
    for radius in OUTLINE:
        inner = erode(mask, radius)
        if 2 * inner.sum() >= mask.sum():
            return inner
    return mask


def _spread(faces: np.ndarray, colors: np.ndarray, trust: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """(V, 3) float32: colors of trusted vertices carried along the mesh to all others, softer the farther they go."""
    start, end = faces.reshape(-1), np.roll(faces, -1, 1).reshape(-1)
    known = trust > 0.5
    seen = known.copy()
    colors = np.where(known[:, None], colors, 0).astype(np.float32)
    for _ in range(SPREAD_ROUNDS):
        front = known[end] & ~known[start]
        if not front.any():
            break
        total, count = _sums(start[front], colors[end[front]], len(colors))
        reached = count > 0
        colors[reached] = total[reached] / count[reached, None]
        known |= reached
    colors = np.where(known[:, None], colors, fallback)
    soft = ~seen[start]
    for _ in range(SOFTENING):
        total, count = _sums(start[soft], colors[end[soft]], len(colors))
        colors = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], colors).astype(np.float32)
    return colors


def _sums(index: np.ndarray, values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Per index the sum (size, C) of values (N, C), and how many there are."""
    sums = [np.bincount(index, values[:, k], size) for k in range(values.shape[1])]
    return np.stack(sums, 1).astype(np.float32), np.bincount(index, minlength=size)
