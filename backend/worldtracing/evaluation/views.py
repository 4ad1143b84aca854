"""The views of the object protocol: what an engine is given, and the truth that it is compared with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ..camera import DEFAULT_FOV_DEGREES, Camera
from ..data.mesh import Mesh
from ..data.raycast import RayCaster
from ..data.render import Lighting, reduced, shade
from ..data.views import look_at, orbit
from .metrics import Cloud

ELEVATIONS = (0.0, 30.0, 60.0)
DISTANCES = (1.6, 2.2)

POINTS = 10_000
"""Points on each side of a comparison of clouds."""

SEEN_WITHIN = 2e-3
"""A surface point counts as visible when nothing is nearer than it by more than this."""


@dataclass(frozen=True, eq=False)
class View:
    """One picture of one mesh.

    Attributes:
        name: the mesh's and the view's number.
        rgb: (H, W, 3) uint8, the object on white.
        mask: (H, W) bool, its silhouette.
        camera: the true camera.
        depth: (6, H, W) float32 camera z of all surfaces, 0 where absent.
        surface: points uniform on the surface in the camera frame by part, "all", "visible", "unseen"; at most `POINTS`
            each, and no entry for a part that does not exist.
        seed: for drawing predicted points.
    """

    name: str
    rgb: np.ndarray
    mask: np.ndarray
    camera: Camera
    depth: np.ndarray
    surface: dict[str, Cloud]
    seed: int


class Views:
    """The protocol's views of one mesh: 49.1 degrees, elevations 0, 30, 60, distances 1.6 to 2.2, longest side 1."""

    def __init__(self, name: str, mesh: Mesh, size: int = 112) -> None:
        self.name = name
        self.mesh = mesh.normalized()
        self.size = size
        self._caster = RayCaster(self.mesh)

    def view(self, index: int) -> View:
        """View number `index`; depends on the name, the number and the size alone."""
        digest = hashlib.sha256(f"{self.name}/{index}".encode()).digest()
        seed = int.from_bytes(digest[:4], "big")
        rng = np.random.default_rng(seed)
        eye = orbit(ELEVATIONS[index % len(ELEVATIONS)], rng.uniform(0, 360), rng.uniform(*DISTANCES))
        camera, pose = Camera.from_fov(self.size, self.size, DEFAULT_FOV_DEGREES), look_at(eye, np.zeros(3))
        layers = self._caster.layers(camera, pose, solid=False)
        color, face = shade(self._caster, camera, pose, _lighting(eye), rng)
        white = 1 - reduced((face >= 0).astype(np.float32))[..., None]
        rgb = (np.clip(reduced(color) + white, 0, 1) * 255 + 0.5).astype(np.uint8)
        surface = self._surface(eye, pose, rng)
        return View(f"{self.name}/{index}", rgb, layers.valid[0], camera, layers.depth, surface, seed)

    def _surface(self, eye: np.ndarray, pose: np.ndarray, rng: np.random.Generator) -> dict[str, Cloud]:
        points = self.mesh.sample_surface(8 * POINTS, rng)
        toward = points - eye.astype(np.float32)
        distance = np.linalg.norm(toward, axis=1)
        face, nearest, _ = self._caster.closest(np.broadcast_to(eye, points.shape), toward / distance[:, None])
        seen = (face < 0) | (nearest > distance - SEEN_WITHIN)
        points = (points @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)
        parts = {"all": points, "visible": points[seen], "unseen": points[~seen]}
        return {part: Cloud(chosen[:POINTS]) for part, chosen in parts.items() if len(chosen)}


def _lighting(eye: np.ndarray) -> Lighting:
    """Soft sky and one lamp over the photographer's left shoulder."""
    forward = -eye / np.linalg.norm(eye)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    lamp = np.array([0.0, 0.8, 0.0]) - 0.6 * right - 0.7 * forward
    return Lighting(
        sky=np.full(3, 0.5, np.float32),
        sky_up=np.array([0, 1, 0], np.float32),
        lamps=(lamp / np.linalg.norm(lamp)).astype(np.float32)[None],
        lamp_colors=np.full((1, 3), 0.7, np.float32),
        gloss=0.0,
        sharpness=1.0,
        exposure=1.1,
    )
