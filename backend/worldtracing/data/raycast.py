"""Layered ground truth: every intersection of pixel rays with a mesh, in order, as up to six surfaces per pixel.

All hits are found by repeating embree's closest-hit query. Two things then turn hits into layers:

- hits closer than `MERGE` of the object's size are one surface (doubled faces, thin sheets);
- surfaces inside a solid are no surfaces. Where parts interpenetrate, only the union's boundary is kept: a hit stays
  unless the winding number along the ray is positive on both sides of it. A part counts as solid along a ray when
  the ray enters and leaves it alternately; an open or inconsistently wound part hides nothing on that ray, but a
  surface shortly behind such a part that faces the same way (a plate without a back on a wall) is closed by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..camera import Camera
from ..extras import need
from ..world import MAX_LAYERS
from .mesh import Mesh

MERGE = 5e-4
"""Hits closer than this fraction of the object's size are one surface."""

ATTACHED = 0.15
"""An open part closes what lies behind it within this fraction of the object's size."""

STEP = 2e-6
"""How far beyond a hit the next query starts, relative to the scene's extent from the eye."""

MAX_HITS = 48
"""Hits followed along one ray; more only occur in meshes of stacked sheets."""


@dataclass(frozen=True, eq=False)
class Hits:
    """Intersections along rays, sorted by (ray, depth).

    Attributes:
        ray: (N,) int64 index of the ray.
        depth: (N,) float64, in units of the ray's direction (camera z where the direction has z = 1).
        face: (N,) int32.
        bary: (N, 2) float32, the weights of the face's second and third corner.
    """

    ray: np.ndarray
    depth: np.ndarray
    face: np.ndarray
    bary: np.ndarray

    def __getitem__(self, index: np.ndarray) -> Hits:
        return Hits(self.ray[index], self.depth[index], self.face[index], self.bary[index])


@dataclass(frozen=True, eq=False)
class Layers:
    """Ordered surfaces per pixel, L = 6.

    Attributes:
        depth: (L, H, W) float32 camera z, 0 where absent.
        valid: (L, H, W) bool.
        face: (L, H, W) int32, -1 where absent.
        bary: (L, H, W, 2) float32, the weights of the face's second and third corner.
        rays: (H, W, 3) float32 with z = 1.
    """

    depth: np.ndarray
    valid: np.ndarray
    face: np.ndarray
    bary: np.ndarray
    rays: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """(L, H, W, 3) float32 in the camera frame; zero where absent."""
        return self.depth[..., None] * self.rays[None]


class RayCaster:
    """A mesh prepared for ray queries; keep it to cast from several cameras."""

    def __init__(self, mesh: Mesh, object_size: float | None = None) -> None:
        """
        Args:
            mesh: what is hit.
            object_size: what `MERGE` and `ATTACHED` are relative to; the mesh's longest side where not given.

        Raises:
            WorldTracingError: WT-ENV-PACKAGE when embreex is not installed (extra "train").
        """
        scene = need("embreex.rtcore_scene", "train", "cast rays").EmbreeScene
        triangles = need("embreex.mesh_construction", "train", "cast rays").TriangleMesh
        self.mesh = mesh
        self.object_size = mesh.size if object_size is None else object_size
        self._scene = scene()
        triangles(self._scene, _parted(mesh), np.ascontiguousarray(mesh.faces, np.int32))

    def closest(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The nearest hit of each ray.

        Args:
            origins, directions: (R, 3) float32 in the mesh's coordinates.

        Returns:
            (R,) int32 face (-1: none), (R,) float32 depth in units of the direction, (R, 2) float32 barycentrics.
        """
        found = self._scene.run(_rays(origins), _rays(directions), output=True)
        return found["primID"], found["tfar"], np.stack([found["u"], found["v"]], 1)

    def occluded(self, origins: np.ndarray, directions: np.ndarray, faces: int) -> np.ndarray:
        """(R,) bool: whether one of the first `faces` faces is what each ray meets first."""
        nearest = self._scene.run(_rays(origins), _rays(directions), query="INTERSECT")
        return (nearest >= 0) & (nearest < faces)

    def all_hits(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """Every intersection of every ray, coincident faces of different parts included."""
        step = STEP * (float(np.linalg.norm(origins - self.mesh.vertices.mean(0), axis=1).max()) + self.mesh.size)
        step_depth = step / np.linalg.norm(directions, axis=1).astype(np.float64)
        alive = np.arange(len(origins))
        start, last = np.zeros(len(origins)), np.full(len(origins), -1, np.int32)
        found: list[tuple[np.ndarray, ...]] = []
        for _ in range(MAX_HITS):
            face, depth, bary = self.closest(origins + start[:, None].astype(np.float32) * directions, directions)
            hit = face >= 0
            if not hit.any():
                break
            origins, directions, alive, step_depth = origins[hit], directions[hit], alive[hit], step_depth[hit]
            face, depth, previous = face[hit], start[hit] + depth[hit], last[hit]
            # Rounding may find the face just left again.
            new = (face != previous) | (depth - start[hit] > 4 * step_depth)
            found.append((alive[new], depth[new], face[new], bary[hit][new]))
            start, last = depth + step_depth, face
        if not found:
            return Hits(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int32), np.zeros((0, 2), np.float32))
        hits = Hits(*(np.concatenate(column) for column in zip(*found, strict=True)))
        return hits[np.lexsort((hits.depth, hits.ray))]

    def layers(self, camera: Camera, pose: np.ndarray, solid: bool = True, faces: int | None = None) -> Layers:
        """The first six surfaces behind every pixel's centre.

        Args:
            camera: the picture's camera.
            pose: (4, 4) mesh coordinates to camera frame, rigid.
            solid: drop surfaces inside solids (see the module); False keeps every distinct hit.
            faces: look at the first so many faces only; the others are neither hit nor hide anything.
        """
        rays = camera.rays()
        directions = rays.reshape(-1, 3) @ pose[:3, :3]
        eye = -pose[:3, :3].T @ pose[:3, 3]
        origins = np.broadcast_to(eye, directions.shape).astype(np.float32)
        hits = self.all_hits(origins, directions.astype(np.float32))
        if faces is not None:
            hits = hits[hits.face < faces]
        hits = surfaces(self.mesh, hits, directions, self.object_size, solid)
        return self._arranged(hits, rays, pose)

    def _arranged(self, hits: Hits, rays: np.ndarray, pose: np.ndarray) -> Layers:
        H, W = rays.shape[:2]
        order = np.arange(len(hits.ray)) - np.searchsorted(hits.ray, hits.ray)
        hits, order = hits[order < MAX_LAYERS], order[order < MAX_LAYERS]
        depth = np.zeros((MAX_LAYERS, H * W), np.float32)
        face = np.full((MAX_LAYERS, H * W), -1, np.int32)
        bary = np.zeros((MAX_LAYERS, H * W, 2), np.float32)
        depth[order, hits.ray] = self._exact_depth(hits, rays.reshape(-1, 3), pose)
        face[order, hits.ray] = hits.face
        bary[order, hits.ray] = hits.bary
        shape = (MAX_LAYERS, H, W)
        return Layers(
            depth.reshape(shape), face.reshape(shape) >= 0, face.reshape(shape), bary.reshape(*shape, 2), rays
        )

    def _exact_depth(self, hits: Hits, rays: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Depths on the mesh as given: embree saw its parts shrunk a little (see `_parted`)."""
        points = interpolate(self.mesh.vertices, self.mesh.faces, hits.face, hits.bary) @ pose[:3, :3].T + pose[:3, 3]
        rays = rays[hits.ray].astype(np.float64)
        return np.einsum("ij,ij->i", points, rays) / np.einsum("ij,ij->i", rays, rays)


def interpolate(values: np.ndarray, faces: np.ndarray, face: np.ndarray, bary: np.ndarray) -> np.ndarray:
    """Per-vertex `values` (V, C) at barycentrics `bary` (N, 2) of triangles `face` (N,), (N, C) float64."""
    a, b, c = (values[faces[face, k]].astype(np.float64) for k in range(3))
    u, v = bary[:, :1].astype(np.float64), bary[:, 1:].astype(np.float64)
    return (1 - u - v) * a + u * b + v * c


def surfaces(mesh: Mesh, hits: Hits, directions: np.ndarray, size: float, solid: bool = True) -> Hits:
    """The hits that are surfaces of the union of the mesh's parts, one for each cluster of coincident ones.

    Args:
        hits: sorted by (ray, depth).
        directions: (R, 3) of the rays, in the mesh's coordinates.
        size: the object's, in the mesh's units of length.
    """
    if not len(hits.ray):
        return hits
    length = np.linalg.norm(directions, axis=1)[hits.ray]
    fresh = np.ones(len(hits.ray), bool)
    fresh[1:] = (np.diff(hits.ray) != 0) | (np.diff(hits.depth) * length[1:] > MERGE * size)
    first = np.flatnonzero(fresh)
    if not solid:
        return hits[first]
    enters = np.einsum("ij,ij->i", mesh.normals[hits.face], directions[hits.ray]) < 0
    change = np.where(enters, 1, -1) * _solid_along_ray(hits, mesh.part[hits.face], enters)
    after = np.cumsum(change)  # solids balance along each ray, so the sum starts every ray at zero
    before = (after - change)[first] > 0
    after = after[np.append(first[1:], len(fresh)) - 1] > 0
    enters = np.where(before == after, enters[first], after)
    boundary = ~(before & after)
    first, enters = first[boundary], enters[boundary]
    closed = _closed_by_neighbor(hits[first], enters, length[first], ATTACHED * size)
    return hits[first[~closed]]


def _closed_by_neighbor(hits: Hits, enters: np.ndarray, length: np.ndarray, reach: float) -> np.ndarray:
    """(N,) bool, of entries the second and of exits the first where two follow each other within `reach`."""
    close = (np.diff(hits.ray) == 0) & (np.diff(hits.depth) * length[1:] < reach) & (enters[1:] == enters[:-1])
    return np.append(False, close & enters[1:]) | np.append(close & ~enters[:-1], False)


def _solid_along_ray(hits: Hits, part: np.ndarray, enters: np.ndarray) -> np.ndarray:
    """(N,) int64, 1 where the hit belongs to a part that its ray enters and leaves, or (a cavity) leaves and enters."""
    order = np.lexsort((hits.depth, part, hits.ray))
    key = hits.ray[order] * (int(part.max()) + 1) + part[order]
    start = np.flatnonzero(np.append(True, np.diff(key) != 0))
    change = np.where(enters[order], 1, -1)
    running = np.cumsum(change)
    running -= np.repeat(running[start] - change[start], np.diff(np.append(start, len(key))))
    end = np.append(start[1:], len(key)) - 1
    one_sided = (np.minimum.reduceat(running, start) >= 0) | (np.maximum.reduceat(running, start) <= 0)
    consistent = one_sided & (running[end] == 0)
    solid = np.empty(len(key), np.int64)
    solid[order] = np.repeat(consistent, np.diff(np.append(start, len(key))))
    return solid


def _parted(mesh: Mesh) -> np.ndarray:
    """Vertices for embree, each part shrunk a little and differently towards its centre.

    A closest-hit query cannot tell coincident faces apart; this parts the faces of touching parts by more than the
    query's step, so that each is found and the winding number along the ray adds up.
    """
    part = mesh.part
    if not len(part) or part.max() == 0:
        return np.ascontiguousarray(mesh.vertices, np.float32)
    owner = np.zeros(len(mesh.vertices), np.int64)
    owner[mesh.faces] = part[:, None]
    count = np.maximum(np.bincount(owner), 1)[:, None]
    centre = np.stack([np.bincount(owner, mesh.vertices[:, k]) for k in range(3)], 1) / count
    golden = (np.arange(len(count)) * 0.618034) % 1  # spread evenly, neighbors differ
    shrink = 1 - 6e-5 * (0.5 + golden[owner, None])
    return ((mesh.vertices - centre[owner]) * shrink + centre[owner]).astype(np.float32)


def _rays(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)
