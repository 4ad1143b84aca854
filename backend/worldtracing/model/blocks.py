"""The transformer block: attention and MLP, modulated by time and layer through AdaLN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attention, Linear
from .rope import Rotary

KINDS = ("frame", "ray", "global")  # the cycle of the decoder's and the head's blocks


class LayerScale(nn.Module):
    """A learned gain per channel."""

    def __init__(self, width: int, init: float = 1e-4) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Mlp(nn.Module):
    """Linear, exact GELU, Linear."""

    def __init__(self, width: int, ratio: int = 4) -> None:
        super().__init__()
        self.fc1 = Linear(width, ratio * width)
        self.fc2 = Linear(ratio * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm block over tokens (n, t, l, p, width) whose attention runs along the sequences of `kind`."""

    def __init__(self, width: int, heads: int, kind: str, ls_init: float = 1e-4) -> None:
        super().__init__()
        self.modulation = nn.Parameter(torch.randn(6 * width) / width**0.5)
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, kind)
        self.ls1 = LayerScale(width, ls_init)
        self.norm3 = nn.LayerNorm(width)
        self.mlp = Mlp(width)
        self.ls2 = LayerScale(width, ls_init)

    @property
    def kind(self) -> str:
        return self.attn.kind

    def forward(self, x: Tensor, modulation: Tensor, rope: Rotary | None = None) -> Tensor:
        """Tokens to tokens.

        Args:
            x: (n, t, l, p, width).
            modulation: (..., 6, width) float32 that broadcasts to the tokens: shift, scale and gate of the
                attention, then of the MLP.
            rope: rotations that broadcast to (n, t, l, p, heads, width / heads).
        """
        rows = self.modulation.unflatten(0, (6, -1)) + modulation
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = rows.unbind(-2)
        attended = self.attn(modulate(self.norm1, x, shift_attn, scale_attn), rope)
        x = torch.addcmul(x, attended, self.ls1.gamma * gate_attn)
        return torch.addcmul(x, self.mlp(modulate(self.norm3, x, shift_mlp, scale_mlp)), self.ls2.gamma * gate_mlp)


def modulate(norm: nn.LayerNorm, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """LN(x) · (1 + scale) + shift; one kernel where all tokens share the modulation."""
    if scale.ndim == 1:
        gain = 1 + scale
        return F.layer_norm(
            x, norm.normalized_shape, norm.weight * gain, torch.addcmul(shift, norm.bias, gain), norm.eps
        )
    return torch.addcmul(shift, norm(x), 1 + scale)


def block_cycle(count: int, width: int, heads: int) -> nn.ModuleList:
    """`count` blocks of the kinds frame, ray, global, frame, …"""
    return nn.ModuleList(Block(width, heads, KINDS[i % 3]) for i in range(count))
