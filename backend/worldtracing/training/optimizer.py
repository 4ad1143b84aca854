"""Muon for matrices and kernels, AdamW for the rest, averaged weights, and the schedule."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5
ADAM_RMS = 0.2  # typical root mean square of AdamW's update: what Muon's is scaled to, so that learning rates compare

# Embeddings, and the first and last layers, whose rows mean something by themselves.
NOT_MUON = ("layer_embed", "time_embedding", "time_projection", "film", "leave", "down.0.0", "noise_projection")


class Muon(torch.optim.Optimizer):
    """Momentum, then an update with all singular values near 1 (Jordan et al., 2024).

    Kernels (out, in, kh, kw) are taken as matrices (out, in · kh · kw).
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float = 2e-3, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
                scale = ADAM_RMS * max(update.shape) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(orthogonalized(update).view_as(p), alpha=-group["lr"] * scale)


def orthogonalized(matrix: Tensor) -> Tensor:
    """The nearest matrix with all singular values 1, roughly (0.7 to 1.2), by Newton-Schulz steps in bf16."""
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).to(matrix.dtype)


def make_optimizers(model: nn.Module, weight_decay: float) -> list[torch.optim.Optimizer]:
    """AdamW and Muon over all parameters of the model."""
    muon, adam, plain = [], [], []
    for name, p in model.named_parameters():
        if p.ndim < 2:
            plain.append(p)
        else:
            (adam if any(part in name for part in NOT_MUON) else muon).append(p)
    groups = [{"params": adam, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return [torch.optim.AdamW(groups, betas=(0.9, 0.98)), Muon(muon, weight_decay=weight_decay)]


def learning_rate(peak: float, progress: float, step: int, warmup: int) -> float:
    """Linear warm-up over the phase's first steps, times a cosine over its progress (0 to 1) down to 2 %."""
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))
    return peak * cosine * min(1.0, (step + 1) / max(warmup, 1))


class Ema:
    """Exponentially averaged weights; the decay is shorter in the beginning."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: p.detach().clone() for name, p in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        pairs = [(self.weights[name], p) for name, p in model.state_dict().items()]
        torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], 1 - decay)
