"""Whether triangles close, and the parts that they form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Topology:
    """What `inspect` found.

    Attributes:
        open_edges: edges with one triangle only.
        crowded_edges: edges with more than two triangles.
        turned_edges: edges whose two triangles do not face the same way.
        pinched_vertices: vertices at which several fans of triangles meet.
        flat_faces: triangles that name a vertex twice.
    """

    open_edges: int
    crowded_edges: int
    turned_edges: int
    pinched_vertices: int
    flat_faces: int

    @property
    def watertight(self) -> bool:
        """Closed, with one inside and one outside."""
        return not (self.open_edges or self.crowded_edges or self.turned_edges or self.flat_faces)

    @property
    def manifold(self) -> bool:
        """Everywhere like a plane, or like a half plane at open edges."""
        return not (self.crowded_edges or self.turned_edges or self.pinched_vertices or self.flat_faces)


def inspect(faces: np.ndarray) -> Topology:
    """The topology of triangles (F, 3); coordinates do not matter."""
    faces = np.asarray(faces, np.int64)
    count = int(faces.max(initial=-1)) + 1
    start, end = faces.reshape(-1), np.roll(faces, -1, 1).reshape(-1)
    low, high = np.minimum(start, end), np.maximum(start, end)
    _, edge, uses = np.unique(low * count + high, return_inverse=True, return_counts=True)
    forward = np.bincount(edge, start < end, len(uses))
    flat = (faces == np.roll(faces, -1, 1)).any(1)
    return Topology(
        open_edges=int((uses == 1).sum()),
        crowded_edges=int((uses > 2).sum()),
        turned_edges=int(((uses == 2) & (forward != 1)).sum()),
        pinched_vertices=_pinched(faces, count),
        flat_faces=int(flat.sum()),
    )


def _pinched(faces: np.ndarray, count: int) -> int:
    """Vertices whose triangles do not all hang together over the edges at them."""
    # A corner is a vertex of a face; corners of one vertex connect where their faces share an edge at it.
    corner = np.arange(faces.size).reshape(faces.shape)
    nodes, keys = [], []
    for k in range(3):
        for step in (1, 2):
            nodes.append(corner[:, k])
            keys.append(faces[:, k] * count + faces[:, (k + step) % 3])
    nodes, keys = np.concatenate(nodes), np.concatenate(keys)
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    label = connected(faces.size, nodes[order][same], nodes[order][same + 1])
    fans = np.unique(faces.reshape(-1) * faces.size + label)
    return int((np.bincount(fans // faces.size, minlength=count) > 1).sum()) if faces.size else 0


def connected(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(count,) int64: for each node the smallest node that it hangs together with over the links (a, b)."""
    label = np.arange(count)
    while True:
        low = np.minimum(label[a], label[b])
        new = label.copy()
        np.minimum.at(new, label[a], low)
        np.minimum.at(new, label[b], low)
        while not np.array_equal(new, new[new]):
            new = new[new]
        if np.array_equal(new, label):
            return label
        label = new


def face_parts(faces: np.ndarray) -> np.ndarray:
    """(F,) int64: a number from 0 for each part of triangles that hang together over common vertices."""
    a = np.concatenate([faces[:, 0], faces[:, 1]])
    b = np.concatenate([faces[:, 1], faces[:, 2]])
    label = connected(int(faces.max(initial=-1)) + 1, a, b)
    return np.unique(label[faces[:, 0]], return_inverse=True)[1].reshape(-1)


def without_unused(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertices that faces use, and the faces renumbered."""
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    return vertices[used], (np.cumsum(used) - 1)[faces].astype(np.int32)


def edge_twins(faces: np.ndarray) -> np.ndarray:
    """(3 F,) for each directed edge 3 f + k (corner k to the next) the number of one that runs back.

    Args:
        faces: (F, 3) int64, every edge run through as often forward as back.
    """
    count = int(faces.max(initial=-1)) + 1
    start, end = faces.reshape(-1).astype(np.int64), np.roll(faces, -1, 1).reshape(-1).astype(np.int64)
    forward, back = np.argsort(start * count + end, kind="stable"), np.argsort(end * count + start, kind="stable")
    twin = np.empty(len(start), np.int64)
    twin[forward] = back  # equal keys come in equal numbers and in the same order, so the match is mutual
    return twin


def face_neighbors(faces: np.ndarray) -> np.ndarray:
    """(F, 3) the faces across each face's edges; the mesh must be closed."""
    return (edge_twins(faces) // 3).reshape(-1, 3)
