"""Marching cubes in numpy: a closed 2-manifold around the positive part of a volume.

The tables are derived, not listed: around each face of a cell, the surface's line segments cut off the inside corners
one by one, which both cells of that face agree on, so the surface closes; the segments of a cell chain into polygons,
and each is cut into a fan without an edge inside a face of the cell, so that no two cells can have an edge in common
that is not of their common polygon border. Every mesh edge then has exactly two triangles. The libraries that offer
marching cubes are compiled, and Blender's own Python has none of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
"""Corner number 4x + 2y + z of a cell."""

EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if (CORNERS[a] != CORNERS[b]).sum() == 1]
"""The twelve edges as corner pairs, the first corner nearer to the origin."""

MARGIN = 0.02
"""How close a vertex may come to the ends of its edge; keeps triangles from losing all their area."""


def marching_cubes(volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The surface between positive and other samples.

    Args:
        volume: (X, Y, Z) float32; its outermost samples must not be positive.

    Returns:
        (V, 3) float32 vertices in index coordinates, and (F, 3) int32 faces, counter-clockwise seen from outside (in a
        right-handed frame). Both empty where nothing is positive.
    """
    inside = volume > 0
    vertices, ids = _edge_vertices(volume, inside)
    case = np.zeros(np.array(volume.shape) - 1, np.uint8)
    for number, corner in enumerate(CORNERS):
        window = tuple(slice(1, None) if offset else slice(None, -1) for offset in corner)
        case |= inside[window].view(np.uint8) << np.uint8(number)
    crossed = np.nonzero((case != 0) & (case != 255))
    return vertices, _cell_faces(case[crossed], np.stack(crossed, 1), ids, volume.shape)


def _edge_vertices(volume: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Vertices on all grid edges that the surface crosses, and per axis their number by the edge's first sample."""
    vertices, ids, count = [], [], 0
    for axis in range(3):
        first = tuple(slice(None, -1) if k == axis else slice(None) for k in range(3))
        second = tuple(slice(1, None) if k == axis else slice(None) for k in range(3))
        where = np.nonzero(inside[first] != inside[second])
        a, b = volume[first][where], volume[second][where]
        position = np.stack(where, 1).astype(np.float32)
        position[:, axis] += np.clip(a / (a - b), MARGIN, 1 - MARGIN)
        number = np.zeros(volume.shape, np.int32)
        number[where] = np.arange(count, count + len(a))
        count += len(a)
        vertices.append(position)
        ids.append(number)
    return np.concatenate(vertices), ids


def _cell_faces(case: np.ndarray, position: np.ndarray, ids: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """(F, 3) int32: the triangles of cells of the given cases (N,) at positions (N, 3)."""
    faces = [np.zeros((0, 3), np.int32)]
    order = np.argsort(case, kind="stable")
    bounds = np.searchsorted(case[order], np.arange(257))
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    origin = position @ strides
    flat = [number.reshape(-1) for number in ids]
    for number, triangles in enumerate(case_table()):
        cells = origin[order[bounds[number] : bounds[number + 1]]]
        if not len(cells) or not len(triangles):
            continue
        corner = np.empty((len(cells), len(triangles), 3), np.int32)
        for edge in np.unique(triangles):
            a, b = EDGES[edge]
            axis = int(np.flatnonzero(CORNERS[a] != CORNERS[b])[0])
            corner[:, triangles == edge] = flat[axis][cells + CORNERS[a] @ strides][:, None]
        faces.append(corner.reshape(-1, 3))
    return np.concatenate(faces)


@lru_cache(maxsize=1)
def case_table() -> tuple[np.ndarray, ...]:
    """For each of the 256 sign patterns (bit k: corner k is inside) its triangles as (N, 3) edge numbers."""
    return tuple(_triangles(case) for case in range(256))


def _triangles(case: int) -> np.ndarray:
    inside = [bool(case >> k & 1) for k in range(8)]
    after = {}
    for face in _face_corners():
        after.update(_segments(face, inside))
    triangles = []
    while after:
        start, edge = next(iter(after.items()))
        loop = [start]
        while edge != start:
            loop.append(edge)
            edge = after[edge]
        for edge in loop:
            del after[edge]
        triangles += _fan(loop)
    return np.array(triangles, np.int64).reshape(-1, 3)


def _face_corners() -> list[list[int]]:
    """The corners of the cell's six faces, counter-clockwise seen from outside."""
    faces = []
    for axis in range(3):
        u, v = np.eye(3, dtype=int)[(axis + 1) % 3], np.eye(3, dtype=int)[(axis + 2) % 3]
        for side in (0, 1):
            base = np.eye(3, dtype=int)[axis] * side
            ring = [base, base + u, base + u + v, base + v]
            faces.append([int(corner @ (4, 2, 1)) for corner in (ring if side else ring[::-1])])
    return faces


def _segments(face: list[int], inside: list[bool]) -> dict[int, int]:
    """The surface's directed segments on a face, from edge to edge: one around each run of inside corners.

    Seen from outside the cell, the inside lies on the right of a segment, so polygons run counter-clockwise seen from
    the surface's outside.
    """
    segments = {}
    for k in range(4):
        if inside[face[k]] and not inside[face[k - 1]]:  # a run of inside corners begins
            end = k
            while inside[face[(end + 1) % 4]]:
                end += 1
            entry, leave = _edge(face[k - 1], face[k]), _edge(face[end % 4], face[(end + 1) % 4])
            segments[entry] = leave
    return segments


def _edge(a: int, b: int) -> int:
    return EDGES.index((min(a, b), max(a, b)))


def _fan(loop: list[int]) -> list[list[int]]:
    """Triangles of a polygon of cell edges, from a corner whose diagonals all pass through the cell's interior."""

    def in_face(a: int, b: int) -> bool:
        corners = CORNERS[[*EDGES[a], *EDGES[b]]]
        return bool((corners == corners[0]).all(0).any())

    for k in range(len(loop)):
        turned = loop[k:] + loop[:k]
        if not any(in_face(turned[0], other) for other in turned[2:-1]):
            return [[turned[0], turned[n], turned[n + 1]] for n in range(1, len(turned) - 1)]
    raise AssertionError("every polygon of marching cubes has such a corner")
