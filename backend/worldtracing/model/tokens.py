"""Tokens: pictures and noise cut into patches, and what stays the same over all denoising steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from .embeddings import Film
from .rope import Rotary

IMAGE_TOKEN_SCALE = 0.3


@dataclass(frozen=True)
class Conditioning:
    """Everything the network needs besides the noise and its level, worked out once per picture or clip.

    Attributes:
        grid: (rows, columns) of patches.
        features: (b, t, l, p, width / 2) image tokens, standardized and projected.
        picture: (b, t, 1, p, width / 2) the share of the noise tokens that comes from the picture itself.
        film: FiLM of the decoder's frame blocks.
        head_film: FiLM of the head's frame blocks.
        layer_modulation: (l, 1, 6, width) added to the time's in frame blocks, or None.
        rope: rotations by patch for the decoder, (p, 1, head_dim).
        head_rope: the same for the head.
        frame_rope: rotations by frame, (t, 1, 1, 1, head_dim), or None.
    """

    grid: tuple[int, int]
    features: Tensor
    picture: Tensor
    film: Film
    head_film: Film
    layer_modulation: Tensor | None
    rope: Rotary
    head_rope: Rotary
    frame_rope: Rotary | None


def patchify(x: Tensor, patch: int) -> Tensor:
    """(..., c, H, W) to (..., H/patch · W/patch, patch · patch · c): rows, columns, then channels within a patch."""
    return rearrange(x, "... c (gh py) (gw px) -> ... (gh gw) (py px c)", py=patch, px=patch)


def unpatchify(x: Tensor, patch: int, grid: tuple[int, int]) -> Tensor:
    """The inverse of `patchify`: (..., p, patch · patch · c) to (..., c, H, W)."""
    return rearrange(x, "... (gh gw) (py px c) -> ... c (gh py) (gw px)", gh=grid[0], py=patch, px=patch)


def standardize(tokens: Tensor) -> Tensor:
    """Image tokens (b, t, l, p, width) with mean 0 and deviation 0.3 over each sample as a whole, all frames of it."""
    var, mean = torch.var_mean(tokens, dim=(1, 2, 3, 4), correction=0, keepdim=True)
    return (tokens - mean) * torch.rsqrt(var + 1e-6) * IMAGE_TOKEN_SCALE


def repeat_samples(x: Tensor, n: int) -> Tensor:
    """(b, ...) for n samples, n a multiple of b: sample i is conditioned on picture i mod b. A view where b is 1."""
    if len(x) == 1:
        return x.expand(n, *x.shape[1:])
    return x.repeat(n // len(x), *[1] * (x.ndim - 1))
