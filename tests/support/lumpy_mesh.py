"""A closed mesh that no rotation maps onto itself, for tests of alignment and of generators."""

import numpy as np


def lumpy_mesh(rows=24, columns=48):
    """Vertices (V, 3) float64 about the origin, of about unit size, and faces (F, 3) int32 counter-clockwise outside.

    A sphere of latitude rows, stretched along each axis differently, with one nose and one bump.
    """
    polar = np.linspace(0, np.pi, rows + 1)[1:-1]
    around = np.arange(columns) * 2 * np.pi / columns
    sphere = [
        np.outer(np.sin(polar), np.cos(around)),
        np.outer(np.cos(polar), np.ones(columns)),
        np.outer(np.sin(polar), np.sin(around)),
    ]
    points = np.concatenate([np.stack(sphere, -1).reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    nose = np.exp(-8 * ((points - [0, 0.3, 0.95]) ** 2).sum(1))
    bump = np.exp(-6 * ((points - [0.9, -0.3, -0.2]) ** 2).sum(1))
    vertices = points * (0.4 + 0.25 * nose + 0.15 * bump)[:, None] * [0.8, 1.2, 1.0]
    ring = np.arange(rows - 1)[:, None] * columns
    here, right = ring + np.arange(columns), ring + (np.arange(columns) + 1) % columns
    top, bottom = len(points) - 2, len(points) - 1
    upper, lower = here[:-1], here[1:]
    faces = [
        np.stack([upper, right[:-1], lower], -1).reshape(-1, 3),
        np.stack([right[:-1], right[1:], lower], -1).reshape(-1, 3),
        np.stack([np.full(columns, top), right[0], here[0]], -1),
        np.stack([np.full(columns, bottom), here[-1], right[-1]], -1),
    ]
    return vertices, np.concatenate(faces).astype(np.int32)


def volume(vertices, faces):
    """Enclosed volume; positive when the faces are counter-clockwise seen from outside."""
    a, b, c = np.moveaxis(np.asarray(vertices, np.float64)[faces], 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)
