"""Rotary position embedding of patch coordinates and frame numbers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BASE = 100.0


class Rotary(NamedTuple):
    """Cosines and sines that broadcast against queries; sines carry the sign of the rotation."""

    cos: Tensor
    sin: Tensor

    def to(self, dtype: torch.dtype) -> Rotary:
        return Rotary(self.cos.to(dtype), self.sin.to(dtype))


def rotary_table(positions: Tensor, head_dim: int, *, bf16_angles: bool = False) -> Rotary:
    """Rotations of positions (..., 2), integers (y, x): half of the channels turn with y, the other half with x.

    Returns:
        cos and sin, (..., head_dim) float32, with sin negative on the first half of each half (rotate-half).
        With `bf16_angles`, angles, cosines and sines are rounded to bf16.
    """
    n = head_dim // 2
    inv_freq = BASE ** (-torch.arange(0, n, 2, dtype=torch.float32, device=positions.device) / n)
    angles = positions[..., None].float() * inv_freq  # (..., 2, n/2)
    if bf16_angles:
        angles = angles.bfloat16()
    cos, sin = angles.cos().float(), angles.sin().float()
    return Rotary(torch.cat([cos, cos], -1).flatten(-2), torch.cat([-sin, sin], -1).flatten(-2))


def rotate(x: Tensor, rope: Rotary) -> Tensor:
    """Turn queries or keys (..., head_dim)."""
    swapped = x.unflatten(-1, (2, 2, -1)).flip(-2).flatten(-3)
    return torch.addcmul(x * rope.cos, swapped, rope.sin)


def grid_positions(rows: int, columns: int, device: torch.device) -> Tensor:
    """Patch coordinates (rows * columns, 2), row-major (y, x)."""
    return torch.cartesian_prod(torch.arange(rows, device=device), torch.arange(columns, device=device))


def frame_positions(frames: int, device: torch.device) -> Tensor:
    """Frame numbers as coordinates (frames, 2): (frame, 0)."""
    index = torch.arange(frames, device=device)
    return torch.stack([index, torch.zeros_like(index)], -1)
