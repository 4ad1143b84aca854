"""Closed procedural shapes with outward winding: superquadrics, blobs, lathes, extrusions, boxes, tori, tubes.

Every generator takes a numpy Generator and returns a `Mesh` of one flat color, y up, a few units across at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .mesh import Mesh, merged


def grid(points: np.ndarray) -> Mesh:
    """The surface through a (n, m, 3) grid of points; rows and columns that close must repeat their first."""
    n, m = points.shape[:2]
    index = np.arange(n * m).reshape(n, m)
    a, b, c, d = (index[i : n - 1 + i, j : m - 1 + j].ravel() for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return outward(Mesh.plain(points.reshape(-1, 3), faces).with_parts(np.zeros(len(faces), np.int32)))


def outward(mesh: Mesh) -> Mesh:
    """The mesh with its faces turned so that it encloses a positive volume."""
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2).astype(np.float64)
    if np.einsum("ij,ij->", a, np.cross(b, c)) >= 0:
        return mesh
    return replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1])).with_parts(mesh.part)


def box(half: np.ndarray | tuple[float, float, float] = (1, 1, 1), centre: tuple[float, ...] = (0, 0, 0)) -> Mesh:
    """An axis-aligned box from its half sides."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    sides = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = [triangle for a, b, c, d in sides for triangle in ((a, b, c), (a, c, d))]
    return Mesh.plain(corners * np.asarray(half) + np.asarray(centre), faces).with_parts(np.zeros(12, np.int32))


def superquadric(rng: np.random.Generator, exponents: tuple[float, float] | None = None, n: int = 20) -> Mesh:
    """An ellipsoid, rounded box, cylinder or octahedron-like solid; exponents (1, 1) is an ellipsoid."""
    if exponents is None:
        exponents = tuple(rng.choice([0.15, 0.3, 0.6, 1.0, 1.0, 1.4, 2.0], 2))
    return grid(_superquadric_points(exponents, n) * rng.uniform(0.25, 1, 3))


def _superquadric_points(exponents: tuple[float, float], n: int) -> np.ndarray:
    latitude = np.linspace(-np.pi / 2, np.pi / 2, n)[:, None]
    longitude = np.linspace(-np.pi, np.pi, 2 * n)[None]

    def power(x: np.ndarray, e: float) -> np.ndarray:
        return np.sign(x) * np.abs(np.where(np.abs(x) < 1e-9, 0, x)) ** e  # exact poles, so that the surface closes

    e1, e2 = exponents
    ring = power(np.cos(latitude), e1)
    x, y, z = ring * power(np.cos(longitude), e2), power(np.sin(latitude), e1), ring * power(np.sin(longitude), e2)
    points = np.stack([x, np.broadcast_to(y, x.shape), z], -1)
    points[:, -1] = points[:, 0]
    return points


def blob(rng: np.random.Generator, n: int = 26) -> Mesh:
    """A ball with a few smooth bumps, like fruit, stones and toys."""
    points = _superquadric_points((1.0, 1.0), n)
    radius = np.ones(points.shape[:2])
    for _ in range(rng.integers(2, 7)):
        direction = rng.normal(size=3)
        cosine = points @ (direction / np.linalg.norm(direction))
        radius += rng.uniform(-0.35, 0.6) * np.exp((cosine - 1) / rng.uniform(0.05, 0.6))
    return grid(points * np.maximum(radius, 0.25)[..., None] * rng.uniform(0.4, 1, 3))


def lathe(rng: np.random.Generator, segments: int = 36) -> Mesh:
    """A turned profile: bottles, vases, bowls, cans; a third are hollow with a thin wall."""
    from scipy.interpolate import PchipInterpolator

    knots = rng.integers(3, 8)
    height, radius = np.sort(rng.uniform(-1, 1, knots)), rng.uniform(0.15, 1, knots)
    if rng.random() < 0.3:
        radius[:] = radius[0] * np.linspace(1, rng.uniform(0.6, 1.5), knots)  # cans, cups, buckets
    y = np.linspace(height[0], height[-1], 22)
    r = PchipInterpolator(height, radius)(y) if rng.random() < 0.6 else np.interp(y, height, radius)
    if rng.random() < 0.33:
        wall = rng.uniform(0.03, 0.12)
        inner = np.maximum(r[1:][::-1] - wall, 0.02)
        profile = np.concatenate([[[0, y[0]]], np.stack([r, y], 1), np.stack([inner, y[1:][::-1]], 1)])
        profile[len(r) + len(inner), 1] = y[0] + max(wall, y[1] - y[0])
        profile = np.concatenate([profile, [[0, profile[-1, 1]]]])
    else:
        profile = np.concatenate([[[0, y[0]]], np.stack([r, y], 1), [[0, y[-1]]]])
    return revolve(profile * [1, rng.uniform(0.5, 1.6)], segments)


def revolve(profile: np.ndarray, segments: int) -> Mesh:
    """A closed solid from a (n, 2) profile of (radius, y) that starts and ends on the axis."""
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    ring = np.stack([np.cos(angle), np.zeros_like(angle), np.sin(angle)], -1)
    ring[-1] = ring[0]
    return grid(profile[:, :1, None] * ring[None] + profile[:, 1:, None] * np.array([0.0, 1.0, 0.0]))


def extrusion(rng: np.random.Generator) -> Mesh:
    """A star-shaped polygon drawn upwards, straight or tapering."""
    corners = int(rng.integers(3, 12))
    angle = np.arange(corners) * 2 * np.pi / corners
    if rng.random() < 0.4:
        angle = angle + rng.uniform(-0.4, 0.4, corners) * 2 * np.pi / corners
    radius = rng.uniform(0.35, 1, corners) if rng.random() < 0.5 else np.ones(corners)
    height, taper = rng.uniform(0.1, 1.2), rng.uniform(0.4, 1) if rng.random() < 0.4 else 1.0
    outline = np.stack([radius * np.cos(angle), np.zeros(corners), radius * np.sin(angle)], 1)
    outline = np.concatenate([outline, outline[:1]])
    rows = [0 * outline, outline, outline * [taper, 1, taper], 0 * outline]
    lift = np.array([-height, -height, height, height])[:, None, None] * np.array([0.0, 1.0, 0.0])
    return grid(np.stack(rows) + lift)


def torus(major: float = 0.7, minor: float = 0.25, n: int = 40, m: int = 20, arc: float = 2 * np.pi) -> Mesh:
    """A torus around the y axis; an arc below 2 pi gives a bent tube with flat ends, like a handle."""
    along, around = np.linspace(0, arc, n + 1), np.linspace(0, 2 * np.pi, m + 1)
    circle = np.stack([major + minor * np.cos(around), minor * np.sin(around)], 1)
    circle[-1] = circle[0]
    if arc < 2 * np.pi - 1e-6:
        along = np.concatenate([along[:1], along, along[-1:]])
    x = circle[None, :, 0] * np.cos(along)[:, None]
    z = circle[None, :, 0] * np.sin(along)[:, None]
    points = np.stack([x, np.broadcast_to(circle[None, :, 1], x.shape), z], -1)
    if arc < 2 * np.pi - 1e-6:
        points[0], points[-1] = points[1].mean(0), points[-2].mean(0)
    else:
        points[-1] = points[0]
    return grid(points)


def any_torus(rng: np.random.Generator) -> Mesh:
    """A ring or bent tube of random thickness."""
    arc = 2 * np.pi if rng.random() < 0.5 else rng.uniform(1.5, 5.5)
    return torus(0.7, rng.uniform(0.06, 0.35), arc=arc)


def any_box(rng: np.random.Generator) -> Mesh:
    """A box, or one with rounded edges."""
    if rng.random() < 0.5:
        return box(rng.uniform(0.1, 1, 3))
    return superquadric(rng, (0.12, 0.12), 26)


PRIMITIVES: dict[Callable[[np.random.Generator], Mesh], float] = {
    superquadric: 0.2,
    blob: 0.2,
    lathe: 0.26,
    extrusion: 0.12,
    any_box: 0.14,
    any_torus: 0.08,
}
"""Generators and how often each is drawn."""


def primitive(rng: np.random.Generator) -> Mesh:
    """One shape of any kind, its longest side 1."""
    return list(PRIMITIVES)[rng.choice(len(PRIMITIVES), p=list(PRIMITIVES.values()))](rng).normalized()


def union(rng: np.random.Generator) -> Mesh:
    """One to six primitives that interpenetrate; ray casting keeps the boundary of their union."""
    count = rng.choice(6, p=[0.35, 0.25, 0.14, 0.1, 0.09, 0.07]) + 1
    parts = [primitive(rng).moved(rotation(rng))]
    for _ in range(count - 1):
        on = parts[rng.integers(len(parts))]
        where = on.vertices[rng.integers(len(on.vertices))] * rng.uniform(0.5, 1.0)
        parts.append(primitive(rng).moved(rotation(rng) * rng.uniform(0.2, 0.9), where))
    return merged(parts).normalized()


def rotation(rng: np.random.Generator, upright: float = 0.6) -> np.ndarray:
    """A random rotation (3, 3); with probability `upright` one about y after turning an axis upwards."""
    if rng.random() < upright:
        turn = np.linalg.qr(np.eye(3)[rng.permutation(3)])[0]
        turn = turn * np.sign(np.linalg.det(turn))
        return about_y(rng.uniform(0, 2 * np.pi)) @ turn
    q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return q * np.sign(np.linalg.det(q))


def about_y(angle: float) -> np.ndarray:
    """Rotation about y by `angle` radians, (3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def bent(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """The mesh tapered, twisted and bent a little along a random axis; its topology stays."""
    axis = rng.permutation(3)
    p = mesh.vertices[:, axis].astype(np.float64)
    t = p[:, 2]
    p[:, :2] *= 1 + rng.uniform(-0.5, 0.5) * t[:, None]
    angle = rng.uniform(-1.2, 1.2) * t
    x, y = p[:, 0] * np.cos(angle) - p[:, 1] * np.sin(angle), p[:, 0] * np.sin(angle) + p[:, 1] * np.cos(angle)
    x = x + rng.uniform(-0.5, 0.5) * t**2
    vertices = np.empty_like(p)
    vertices[:, axis] = np.stack([x, y, t], 1)
    return replace(mesh, vertices=vertices.astype(np.float32)).with_parts(mesh.part).normalized()
