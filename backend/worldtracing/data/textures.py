"""Procedural colors as functions of position: noise, stripes, checks, spots, wood, marble and text-like marks.

They need no UV coordinates and continue through every cut, so any shape can wear any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

KINDS = ("noise", "stripes", "checks", "spots", "wood", "marble", "text")

_CELLS = 32


@dataclass(frozen=True, eq=False)
class SolidTexture:
    """A color for every point in space.

    Attributes:
        kind: one of `KINDS`.
        palette: (P, 3) float32 sRGB in 0..1; the pattern's value picks between neighbors.
        frequency: pattern repeats per unit of length.
        rotation: (3, 3) turning the pattern.
        offset: (3,) moving it.
        distortion: how far noise moves the pattern, in repeats.
        seed: of the text-like marks.
    """

    kind: str
    palette: np.ndarray
    frequency: float
    rotation: np.ndarray
    offset: np.ndarray
    distortion: float
    seed: int

    @classmethod
    def random(cls, rng: np.random.Generator, base: np.ndarray | None = None) -> SolidTexture:
        """A texture of any kind; its palette stays near `base` (3,) sRGB where given."""
        kind = KINDS[rng.choice(len(KINDS), p=[0.3, 0.13, 0.08, 0.08, 0.13, 0.13, 0.15])]
        center = random_color(rng) if base is None else base
        spread = rng.choice([0.05, 0.15, 0.4])
        palette = center + rng.normal(0, spread, (rng.integers(2, 5), 3)) + rng.normal(0, spread, (1, 1))
        if rng.random() < 0.3:
            palette[-1] = random_color(rng)
        return cls(
            kind=kind,
            palette=np.clip(palette, 0.02, 1).astype(np.float32),
            frequency=float(np.exp(rng.uniform(np.log(1.5), np.log(14)))),
            rotation=np.linalg.qr(rng.normal(size=(3, 3)))[0],
            offset=rng.uniform(0, 8, 3),
            distortion=float(rng.choice([0.0, 0.3, 1.0])),
            seed=int(rng.integers(2**31)),
        )

    def color(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """(N, 3) float32 sRGB at (N, 3) points with (N, 3) unit normals."""
        value = np.clip(self._pattern(points, normals), 0, 1) * (len(self.palette) - 1)
        low = np.minimum(value.astype(np.int64), len(self.palette) - 2)
        share = (value - low)[:, None].astype(np.float32)
        return self.palette[low] * (1 - share) + self.palette[low + 1] * share

    def _pattern(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        p = (points @ self.rotation.T) * self.frequency + self.offset
        warp = noise(p * 0.4) - 0.5 if self.kind != "noise" else None
        if self.kind == "noise":
            return 1.6 * noise(p * 0.5) - 0.3
        if self.kind == "stripes":
            return (p[:, 0] + 4 * self.distortion * warp) % 1 > 0.5
        if self.kind == "checks":
            return np.floor(p + 2 * self.distortion * warp[:, None]).sum(1) % 2
        if self.kind == "spots":
            return np.linalg.norm(p % 1 - 0.5, axis=1) < 0.35 + 0.2 * self.distortion * warp
        if self.kind == "wood":
            return 0.5 + 0.5 * np.sin(2 * np.pi * (np.hypot(p[:, 0], p[:, 1] * 0.3) + (1 + self.distortion) * 2 * warp))
        if self.kind == "marble":
            return np.abs(np.sin(np.pi * (0.5 * p[:, 0] + (1 + self.distortion) * 3 * warp)))
        return self._marks(points, normals)

    def _marks(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Rows of small random bitmaps with gaps, drawn on the plane that the surface faces most."""
        axis = np.abs(normals).argmax(1)
        rows = np.arange(len(points))
        u, v = points[rows, (axis + 1) % 3], points[rows, (axis + 2) % 3]
        u, v = np.where(axis == 0, v, u), np.where(axis == 0, u, np.where(axis == 1, u, v))
        u, v = u * self.frequency * 2 + self.offset[0], v * self.frequency * 1.2 + self.offset[1]
        column, line = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
        code = _hash(column, line, self.seed)
        x, y = ((u - column) * 5).astype(np.int64), ((v - line) * 9).astype(np.int64)
        inside = (x < 4) & (y < 6) & (code % 5 != 0) & (_hash(line, axis, self.seed) % 4 != 0)
        return inside & ((_hash(code % 26, x * 8 + y, 7) & 1) == 1)


def noise(points: np.ndarray) -> np.ndarray:
    """(N,) smooth fractal noise in about 0..1 at (N, 3) points, features about one unit across."""
    from scipy.ndimage import map_coordinates

    coordinates = np.asarray(points, np.float32).T * 4 % _CELLS
    return map_coordinates(_volume(), coordinates, order=1, mode="grid-wrap", prefilter=False)


@cache
def _volume() -> np.ndarray:
    """(32, 32, 32) float32 periodic fractal noise with equally many low and high values."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    volume = np.zeros((_CELLS,) * 3)
    for sigma, weight in ((2.5, 1.0), (1.2, 0.5), (0.6, 0.25)):
        octave = gaussian_filter(rng.normal(size=volume.shape), sigma, mode="wrap")
        volume += weight * octave / octave.std()
    return (volume.argsort(axis=None).argsort().reshape(volume.shape) / volume.size).astype(np.float32)


def random_color(rng: np.random.Generator) -> np.ndarray:
    """(3,) sRGB as things have: half muted or grey, half colorful."""
    import colorsys

    saturation = rng.uniform(0, 0.35) if rng.random() < 0.5 else rng.uniform(0.3, 0.95)
    return np.array(colorsys.hsv_to_rgb(rng.random(), saturation, rng.uniform(0.12, 1.0)))


def _hash(a: np.ndarray, b: np.ndarray, seed: int) -> np.ndarray:
    """Well mixed non-negative integers from two integer arrays."""
    x = (np.asarray(a, np.int64) * 73856093) ^ (np.asarray(b, np.int64) * 19349663) ^ seed
    x = (x ^ (x >> 13)) * 1274126177 & 0x7FFFFFFF
    return x ^ (x >> 16)
