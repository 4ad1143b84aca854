"""Fewer triangles, still a closed 2-manifold."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from ..extras import need
from .topology import connected, edge_twins, face_parts, without_unused

AGGRESSION = 5
"""fast-simplification's speed against quality, from 0 to 10."""


def can_decimate() -> bool:
    """Whether the extra that `decimate` needs is installed; nothing is imported."""
    return find_spec("fast_simplification") is not None


def decimate(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Collapse edges, those that change the shape least first (quadric error), down to about `count` triangles.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) int32, a closed 2-manifold.

    Returns:
        Vertices and faces, again a closed 2-manifold.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without fast-simplification (extra "mesh").
    """
    simplify = need("fast_simplification", "mesh", "reduce the number of triangles").simplify
    if len(faces) <= count:
        return vertices, faces
    fewer, triangles = simplify(vertices, faces, target_count=count, agg=AGGRESSION)
    return make_manifold(fewer.astype(np.float32), triangles.astype(np.int32))


def make_manifold(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part what an edge collapse has glued together, without moving anything.

    Edge collapse by quadrics does not look at the topology, so an edge may end up with four triangles, or a vertex
    with two fans. Each directed edge is matched with one that runs back; triangles hang together over these matches
    alone, and vertices double where that makes several fans. Where two matched edges still have both ends in common,
    one gets a vertex of its own in the middle.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) int32, every edge run through as often forward as back.

    Returns:
        A closed 2-manifold, without parts that are folded flat.
    """
    faces = np.asarray(faces, np.int64)
    faces = faces[(faces != np.roll(faces, -1, 1)).all(1)]
    while True:
        vertices, faces = _part_fans(vertices, faces)
        edges = _shared_edges(faces, len(vertices))
        if not len(edges):
            break
        vertices, faces = _cut_edges(vertices, faces, edges)
    part = face_parts(faces)
    return without_unused(vertices, faces[np.bincount(part)[part] >= 4] if len(faces) else faces)


def _part_fans(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One vertex for each fan of triangles that hang together over matched edges."""
    edge = np.arange(faces.size)
    following = edge - edge % 3 + (edge + 1) % 3
    corner = connected(faces.size, edge, following[edge_twins(faces)])  # an edge starts where its twin ends
    _, first, fan = np.unique(corner, return_index=True, return_inverse=True)
    return vertices[faces.reshape(-1)[first]], fan.reshape(-1, 3)


def _shared_edges(faces: np.ndarray, count: int) -> np.ndarray:
    """Directed edges to cut: of each vertex pair with several matched edges all but one, no triangle twice."""
    start, end = faces.reshape(-1), np.roll(faces, -1, 1).reshape(-1)
    forward = np.flatnonzero(start < end)
    order = forward[np.argsort(start[forward] * count + end[forward], kind="stable")]
    again = order[1:][(start[order][1:] == start[order][:-1]) & (end[order][1:] == end[order][:-1])]
    twin = edge_twins(faces)
    touched, chosen = set(), []
    for edge in again.tolist():
        both = {edge // 3, int(twin[edge]) // 3}
        if not both & touched:
            touched |= both
            chosen.append(edge)
    return np.array(chosen, np.int64)


def _cut_edges(vertices: np.ndarray, faces: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A new vertex in the middle of each directed edge and of its twin: two triangles become four."""
    twins = edge_twins(faces)[edges]
    middle = len(vertices) + np.arange(len(edges))
    ends = [faces[edges // 3, (edges + step) % 3] for step in (0, 1)]
    vertices = np.concatenate([vertices, (vertices[ends[0]] + vertices[ends[1]]) / 2])
    halves = []
    for side in (edges, twins):
        a, b, c = (faces[side // 3, (side + step) % 3] for step in (0, 1, 2))
        halves += [np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)]
    kept = np.ones(len(faces), bool)
    kept[np.concatenate([edges, twins]) // 3] = False
    return vertices, np.concatenate([faces[kept], *halves])
