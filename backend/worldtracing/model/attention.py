"""Attention along one axis of the layered token grid: within a frame, along a ray, over all layers, or over time."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .precision import has_native_bf16
from .rope import Rotary, rotate

# Queries (frames n·t, layers l, patches p, heads h, channels d) as (batch, heads, sequence, channels). Only queries,
# keys and values are rearranged; tokens stay where they are, so that modulations broadcast and are never repeated.
SEQUENCES = {
    "image": "n p h d -> n h p d",
    "frame": "n t l p h d -> (n t l) h p d",
    "ray": "n t l p h d -> (n t p) h l d",
    "global": "n t l p h d -> (n t) h (l p) d",
    "temporal": "n t l p h d -> (n l p) h t d",
}

# Up to so many tokens two plain products replace the fused kernel. CUDA's has tiles of 64 to 128 tokens, which would
# stay nearly empty, and a grid of at most 65,535 sequences, which several seeds of a scene exceed. On the CPU the plain
# products take half the time in bf16, and twice the time in float32.
SHORT = 8

MPS_SCORES = 1 << 26
"""Scores that exist at once on MPS, which has no fused kernel for long sequences and no arrays above 4 GiB."""


class Linear(nn.Linear):
    """A linear layer that takes its input in any type and computes in its weight's, or in autocast's."""

    def forward(self, x: Tensor) -> Tensor:
        if x.is_meta or not torch.is_autocast_enabled(x.device.type):
            x = x.to(self.weight.dtype)
        return F.linear(x, self.weight, self.bias)


class Attention(nn.Module):
    """Multi-head self-attention over the sequences of one kind, a key of SEQUENCES."""

    def __init__(self, width: int, heads: int, kind: str, *, qkv_bias: bool = False, qk_norm: bool = True) -> None:
        super().__init__()
        self.kind, self.heads = kind, heads
        self.qkv = Linear(width, 3 * width, bias=qkv_bias)
        self.proj = Linear(width, width)
        self.q_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()

    def forward(self, x: Tensor, rope: Rotary | None = None) -> Tensor:
        """Tokens (n, t, l, p, width), for "image" (n, p, width), to the same shape."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = rotate(q, rope), rotate(k, rope)
        return self.proj(attend(q, k, v, self.kind).flatten(-2))


def attend(q: Tensor, k: Tensor, v: Tensor, kind: str) -> Tensor:
    """softmax(q kᵀ / √d) v along the sequences of `kind`; shapes as on the left of SEQUENCES."""
    pattern = SEQUENCES[kind]
    axes = dict(zip(pattern.split(" -> ")[0].split(), q.shape, strict=True))
    q, k, v = (rearrange(x, pattern) for x in (q, k, v))
    plain = q.shape[-2] <= SHORT and (q.is_cuda or q.dtype == torch.bfloat16)
    # The gradient of the CPU's fused kernel takes two to four times as long as that of plain products.
    plain |= q.requires_grad and not q.is_cuda
    out = short_attention(q, k, v) if plain else long_attention(q, k, v)
    return rearrange(out, " -> ".join(reversed(pattern.split(" -> "))), **{a: axes[a] for a in axes if a not in "hd"})


def long_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention (batch, heads, sequence, channels) that never holds the scores of all queries."""
    if q.device.type == "mps":
        return attention_by_parts(q, k, v, MPS_SCORES)
    # Compiled code is for GPUs that have the kernels, and cannot ask.
    if q.is_cuda and q.dtype == torch.bfloat16 and not torch.compiler.is_compiling() and not has_native_bf16(q.device):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float()).to(q.dtype)
    return F.scaled_dot_product_attention(q, k, v)


def attention_by_parts(q: Tensor, k: Tensor, v: Tensor, scores: int) -> Tensor:
    """The same for so many queries at a time that at most `scores` products of a query and a key are held."""
    at_once = max(1, scores // (q.shape[0] * q.shape[1] * k.shape[2]))
    return torch.cat([F.scaled_dot_product_attention(part, k, v) for part in q.split(at_once, 2)], 2)


def short_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention (batch, heads, sequence, channels) as two plain batched products, for short sequences."""
    weights = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1)
    return weights @ v
