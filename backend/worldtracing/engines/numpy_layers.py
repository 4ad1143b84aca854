"""The layers without weights that the numpy network is made of; float32 in, float32 out."""

from __future__ import annotations

import numpy as np

ROPE_BASE = 100.0


def normalized(x: np.ndarray, axes: int | tuple[int, ...], epsilon: float) -> np.ndarray:
    """Mean 0 and variance 1 over the axes."""
    x = x - x.mean(axes, keepdims=True)
    return x / np.sqrt(np.square(x).mean(axes, keepdims=True) + np.float32(epsilon))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def gelu(x: np.ndarray) -> np.ndarray:
    """x Φ(x), with erf to 1.5e-7 by Abramowitz and Stegun 7.1.26, because numpy has none."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = np.float32(1.061405429)
    for a in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail = tail * t + np.float32(a)
    tail *= t * np.exp(-z * z)  # 1 - erf(z)
    return x * np.where(x < 0, 0.5 * tail, 1 - 0.5 * tail)


def softmax(x: np.ndarray) -> np.ndarray:
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def time_sinusoid(t: float) -> np.ndarray:
    """(256,) cosines, then sines."""
    angles = 1000.0 * float(t) * 10000.0 ** (-np.arange(128) / 128)
    return np.concatenate([np.cos(angles), np.sin(angles)]).astype(np.float32)


def rotary_table(grid: tuple[int, int], head_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """`model.rope.rotary_table` of all patches: (p, head_dim) cosines and signed sines."""
    n = head_dim // 2
    positions = np.stack(np.meshgrid(*map(np.arange, grid), indexing="ij"), -1).reshape(-1, 2, 1)
    angles = positions * ROPE_BASE ** (-np.arange(0, n, 2) / n)  # (p, 2, n / 2)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    shape = -1, head_dim
    return np.concatenate([cos, cos], -1).reshape(shape), np.concatenate([-sin, sin], -1).reshape(shape)


def rotate(x: np.ndarray, rope: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Turn queries or keys (..., p, head_dim)."""
    halves = x.reshape(*x.shape[:-1], 2, 2, -1)
    return x * rope[0] + halves[..., ::-1, :].reshape(x.shape) * rope[1]


def space_to_depth(x: np.ndarray, side: int) -> np.ndarray:
    """Layers (l, H, W) in squares of pixels, (l, H / side · W / side, side²)."""
    layers, height, width = x.shape
    squares = x.reshape(layers, height // side, side, width // side, side).swapaxes(2, 3)
    return squares.reshape(layers, -1, side * side)
