"""Furniture-like assemblies of closed parts, and rooms to put objects in. Units are about metres, y up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .mesh import Mesh, merged
from .shapes import about_y, box, lathe, revolve, superquadric, torus


def table(rng: np.random.Generator) -> Mesh:
    w, d, h, t = rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.8), rng.uniform(0.02, 0.06)
    leg, inset = rng.uniform(0.02, 0.06), rng.uniform(0.0, 0.08)
    if rng.random() < 0.3:
        foot, stem = (
            revolve(np.array([[0, 0], [r, 0], [r, y], [0, y]]), 32)
            for r, y in ((rng.uniform(0.15, 0.35), 0.04), (leg * 1.3, h))
        )
        return merged([_cylinder(max(w, d), t, h), foot, stem])
    legs = [_leg(rng, x * (w - leg - inset), z * (d - leg - inset), leg, h) for x in (-1, 1) for z in (-1, 1)]
    top = box((w, t, d), (0, h, 0))
    return merged([top, *legs])


def chair(rng: np.random.Generator) -> Mesh:
    w, h, t = rng.uniform(0.18, 0.28), rng.uniform(0.35, 0.5), rng.uniform(0.015, 0.04)
    leg, back = rng.uniform(0.015, 0.035), rng.uniform(0.3, 0.6)
    parts = [_leg(rng, x * (w - leg), z * (w - leg), leg, h) for x in (-1, 1) for z in (-1, 1)]
    parts.append(box((w, t, w), (0, h, 0)))
    if rng.random() < 0.5:
        parts.append(box((w, back / 2, t), (0, h + back / 2, -w + t)))
    else:
        parts += [box((leg, back / 2, leg), (x * (w - leg), h + back / 2, -w + leg)) for x in (-1, 1)]
        parts += [box((w, 0.04, t), (0, h + back * k, -w + leg)) for k in np.linspace(0.4, 0.95, rng.integers(2, 4))]
    if rng.random() < 0.3:
        parts += [box((leg, t, w), (x * (w - leg), h + 0.2, 0)) for x in (-1, 1)]
    return merged(parts)


def shelf(rng: np.random.Generator) -> Mesh:
    w, h, d, t = rng.uniform(0.25, 0.6), rng.uniform(0.3, 1.0), rng.uniform(0.12, 0.25), rng.uniform(0.01, 0.03)
    parts = [box((t, h, d), (x * (w - t), h, 0)) for x in (-1, 1)]
    parts += [box((w, t, d), (0, y, 0)) for y in np.linspace(t, 2 * h - t, rng.integers(2, 6))]
    if rng.random() < 0.7:
        parts.append(box((w, h, t), (0, h, -d + t)))
    return merged(parts)


def cabinet(rng: np.random.Generator) -> Mesh:
    w, h, d = rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.9), rng.uniform(0.15, 0.3)
    parts = [box((w, h, d), (0, h, 0))]
    rows, columns = rng.integers(1, 5), rng.integers(1, 3)
    for r in range(rows):
        for c in range(columns):
            x, y = (2 * (c + 0.5) / columns - 1) * w, 2 * (r + 0.5) / rows * h
            parts.append(box((0.88 * w / columns, 0.88 * h / rows, 0.01), (x, y, d)))
            parts.append(superquadric(rng, (1.0, 1.0), 8).normalized().moved(np.eye(3) * 0.06, (x, y, d + 0.02)))
    return merged(parts)


def sofa(rng: np.random.Generator) -> Mesh:
    w, d, h, arm = rng.uniform(0.4, 1.0), rng.uniform(0.35, 0.5), rng.uniform(0.16, 0.25), rng.uniform(0.06, 0.13)

    def soft(half: tuple[float, ...], centre: tuple[float, ...]) -> Mesh:
        rounded = superquadric(rng, (0.2, 0.2), 24).normalized()
        return rounded.moved(np.diag(2 * np.array(half) / np.ptp(rounded.vertices, axis=0)), centre)

    parts = [soft((w, h, d), (0, h, 0)), soft((w, 1.9 * h, 0.12), (0, 1.9 * h, -d + 0.1))]
    parts += [soft((arm, 1.4 * h, d), (x * w, 1.4 * h, 0)) for x in (-1, 1)]
    return merged(parts)


def lamp(rng: np.random.Generator) -> Mesh:
    h, r = rng.uniform(0.3, 1.5), rng.uniform(0.1, 0.25)
    top, t = r * rng.uniform(0.3, 1.0), 0.012
    shade = [[0, h - 0.02], [t, h - 0.02], [t, h + 0.2], [r - t, h], [r, h], [top, h + 0.25], [0, h + 0.25]]
    return merged(
        [_cylinder(rng.uniform(0.08, 0.16), 0.02, 0.02), _cylinder(0.015, h / 2, h / 2), revolve(np.array(shade), 32)]
    )


def mug(rng: np.random.Generator) -> Mesh:
    h, r, wall = rng.uniform(0.6, 1.4), rng.uniform(0.35, 0.6), rng.uniform(0.03, 0.08)
    top = r * rng.uniform(0.85, 1.25)
    profile = [[0, 0], [r, 0], [top, h], [top - wall, h], [r - wall, wall], [0, wall]]
    arc = np.pi + 0.4
    handle = torus(h * 0.28, rng.uniform(0.04, 0.08), arc=arc)
    lying_to_standing = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)
    side = (r + top) / 2 - wall / 2 - 0.01
    handle = handle.moved(lying_to_standing @ about_y(arc / 2), (side, h / 2, 0))
    return merged([revolve(np.array(profile), 40), handle])


def crate(rng: np.random.Generator) -> Mesh:
    """An open box with walls."""
    w, h, d, t = *rng.uniform(0.3, 1, 3), rng.uniform(0.02, 0.08)
    walls = [box((t, h, d), (x * (w - t), h, 0)) for x in (-1, 1)] + [
        box((w, h, t), (0, h, z * (d - t))) for z in (-1, 1)
    ]
    return merged([box((w, t, d), (0, t, 0)), *walls])


FURNITURE: tuple[Callable[[np.random.Generator], Mesh], ...] = (
    table,
    chair,
    shelf,
    cabinet,
    sofa,
    lamp,
    mug,
    crate,
    lathe,
)


def furniture(rng: np.random.Generator) -> Mesh:
    """Any assembly, standing, its longest side 1."""
    return FURNITURE[rng.integers(len(FURNITURE))](rng).moved(about_y(rng.uniform(0, 2 * np.pi))).normalized()


def room(rng: np.random.Generator) -> tuple[Mesh, np.ndarray]:
    """An empty box room seen from inside (faces inwards), floor at y = 0, and its half width, height, half depth."""
    half = np.array([rng.uniform(1.2, 3.0), rng.uniform(2.2, 3.2), rng.uniform(1.2, 3.0)])
    shell = box((half[0], half[1] / 2, half[2]), (0, half[1] / 2, 0))
    inward = Mesh.plain(shell.vertices, shell.faces[:, ::-1])
    material = (np.arange(12) // 2 == 2) + 2 * (np.arange(12) // 2 == 3)  # walls, floor, ceiling
    colors = np.repeat(inward.colors, 3, 0)
    return Mesh(inward.vertices, inward.faces, material.astype(np.int32), colors, textures=(None,) * 3), half


def ground(extent: float, height: float) -> Mesh:
    """A square sheet facing up at y = `height`."""
    corners = [
        [-extent, height, -extent],
        [-extent, height, extent],
        [extent, height, extent],
        [extent, height, -extent],
    ]
    return Mesh.plain(np.array(corners), [[0, 1, 2], [0, 2, 3]])


def _cylinder(radius: float, half_height: float, y: float) -> Mesh:
    low, high = y - half_height, y + half_height
    return revolve(np.array([[0, low], [radius, low], [radius, high], [0, high]]), 32)


def _leg(rng: np.random.Generator, x: float, z: float, half: float, height: float) -> Mesh:
    return box((half, height / 2, half), (x, height / 2, z))
