"""Time and layer conditioning: the sinusoid of the noise level, and FiLM of the layers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .attention import Linear

TIME_CHANNELS = 256
TIME_SCALE = 1000.0  # the networks were trained on t · 1000


def time_sinusoid(t: Tensor) -> Tensor:
    """Noise levels t (...,) float32 in [0, 1] as (..., 256) float32: cosines, then sines; worked out in float64."""
    device = t.device
    if device.type == "mps":  # has no float64
        t = t.cpu()
    half = TIME_CHANNELS // 2
    frequencies = 10000.0 ** (-torch.arange(half, dtype=torch.float64, device=t.device) / half)
    angles = (TIME_SCALE * t).double()[..., None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], -1).float().to(device)


def time_mlp(width: int) -> nn.Sequential:
    return nn.Sequential(Linear(TIME_CHANNELS, width), nn.SiLU(), Linear(width, width))


def modulation_projection(width: int) -> nn.Sequential:
    """From an embedding to the six rows of an AdaLN modulation."""
    return nn.Sequential(nn.SiLU(), Linear(width, 6 * width))


def film_projection(width: int) -> nn.Sequential:
    """From a layer's embedding to its scale and shift."""
    return nn.Sequential(Linear(width, width), nn.GELU(), Linear(width, 2 * width))


class Film(NamedTuple):
    """x · gain + shift per layer, both (layers, 1, width): they broadcast to tokens (…, layers, patches, width)."""

    gain: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, x, self.gain)


def layer_film(embedding: nn.Embedding, projection: nn.Sequential) -> Film:
    """FiLM parameters of every layer."""
    scale, shift = projection(embedding.weight)[:, None].chunk(2, -1)
    return Film(1 + scale, shift)
