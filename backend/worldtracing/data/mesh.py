"""Textured triangle meshes, their connected parts, and how several become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

WELD = 1e-5
"""Corners closer than this are one corner: UV seams duplicate vertices."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with a material each; counter-clockwise seen from outside.

    Attributes:
        vertices: (V, 3) float32, object coordinates (y up where "up" matters).
        faces: (F, 3) int32.
        material: (F,) int32, an index into `colors` and `textures`.
        colors: (M, 4) float32 RGBA in 0..1 (sRGB); multiplies the texture where there is one.
        uv: (V, 2) float32 with v up, or None.
        textures: one (h, w, 3) uint8 sRGB picture or None per material.
        colors and textures describe what is seen only; ray casting needs the vertices and faces alone.
    """

    vertices: np.ndarray
    faces: np.ndarray
    material: np.ndarray
    colors: np.ndarray
    uv: np.ndarray | None = None
    textures: tuple[np.ndarray | None, ...] = ()

    @classmethod
    def plain(cls, vertices: np.ndarray, faces: np.ndarray, color: Sequence[float] = (0.7, 0.7, 0.7)) -> Mesh:
        """A mesh of one flat color."""
        faces = np.asarray(faces, np.int32)
        colors = np.array([[*color, 1.0]], np.float32)
        return cls(np.asarray(vertices, np.float32), faces, np.zeros(len(faces), np.int32), colors, textures=(None,))

    @cached_property
    def part(self) -> np.ndarray:
        """(F,) int32: the connected part of each face; faces connect where they share a corner's position."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        cells = np.round(self.vertices.astype(np.float64) / (WELD * max(self.size, 1e-9))).astype(np.int64)
        corner = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)[self.faces]
        edges = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]]])
        count = int(corner.max()) + 1 if len(corner) else 0
        graph = coo_matrix((np.ones(len(edges), np.int8), edges.T), (count, count))
        label = connected_components(graph, directed=False)[1]
        return np.unique(label[corner[:, 0]], return_inverse=True)[1].reshape(-1).astype(np.int32)

    @cached_property
    def normals(self) -> np.ndarray:
        """(F, 3) float32 unit face normals (zero for degenerate faces)."""
        a, b, c = self.vertices[self.faces].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)

    @cached_property
    def areas(self) -> np.ndarray:
        """(F,) float32 face areas."""
        a, b, c = self.vertices[self.faces].transpose(1, 0, 2)
        return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2

    @property
    def size(self) -> float:
        """The longest side of the bounding box."""
        return float(np.ptp(self.vertices, axis=0).max()) if len(self.vertices) else 0.0

    def moved(self, matrix: np.ndarray, shift: np.ndarray | Sequence[float] = (0, 0, 0)) -> Mesh:
        """The mesh with vertices `v @ matrix.T + shift`; a mirroring matrix also turns the winding."""
        matrix = np.asarray(matrix, np.float64)
        vertices = (self.vertices @ matrix.T + np.asarray(shift)).astype(np.float32)
        faces = self.faces[:, ::-1] if np.linalg.det(matrix) < 0 else self.faces
        return replace(self, vertices=vertices, faces=np.ascontiguousarray(faces)).with_parts(self.part)

    def with_parts(self, part: np.ndarray) -> Mesh:
        """The mesh itself, told its parts where they are known."""
        self.__dict__["part"] = part  # where cached_property keeps it
        return self

    def normalized(self) -> Mesh:
        """Centred on the bounding box's centre, its longest side 1."""
        low, high = self.vertices.min(0), self.vertices.max(0)
        return self.moved(np.eye(3) / max((high - low).max(), 1e-9), -(low + high) / 2 / max((high - low).max(), 1e-9))

    def sample_surface(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, 3) float32 points uniform on the surface."""
        weights = self.areas.astype(np.float64)
        face = rng.choice(len(self.faces), count, p=weights / weights.sum())
        u, v = rng.random((2, count))
        over = u + v > 1
        u[over], v[over] = 1 - u[over], 1 - v[over]
        a, b, c = self.vertices[self.faces[face]].transpose(1, 0, 2)
        return (a + u[:, None] * (b - a) + v[:, None] * (c - a)).astype(np.float32)


def merged(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of all of them, materials and parts kept apart."""
    vertex_shift = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    material_shift = np.cumsum([0, *(len(m.colors) for m in meshes)])
    uv = None
    if any(m.uv is not None for m in meshes):
        uv = np.concatenate([m.uv if m.uv is not None else np.zeros((len(m.vertices), 2), np.float32) for m in meshes])
    part_shift = np.cumsum([0, *(int(m.part.max(initial=-1)) + 1 for m in meshes)])
    part = np.concatenate([m.part + shift for m, shift in zip(meshes, part_shift, strict=False)]).astype(np.int32)
    return Mesh(
        vertices=np.concatenate([m.vertices for m in meshes]),
        faces=np.concatenate([m.faces + shift for m, shift in zip(meshes, vertex_shift, strict=False)]).astype(
            np.int32
        ),
        material=np.concatenate([m.material + shift for m, shift in zip(meshes, material_shift, strict=False)]),
        colors=np.concatenate([m.colors for m in meshes]),
        uv=uv,
        textures=tuple(texture for m in meshes for texture in m.textures),
    ).with_parts(part)
