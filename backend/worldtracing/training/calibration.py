"""The validity of hidden layers, shifted so that its sign finds most of them.

Deep layers cover few pixels: cross-entropy leaves their logits below 0 almost everywhere, and the mask at 0 misses
them. The level that gives the best masks on held-out meshes becomes the new 0, in the head's own bias, so that whoever
uses the weights needs no table of levels.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..model.config import ModelConfig
from ..model.conv import STEM_STRIDE
from .augmentation import mirrored
from .source import Renders
from .targets import make_targets
from .validation import predict

LEVELS = torch.linspace(-5, 3, 65)
FIRST_LAYER = 2
"""The visible surface and its back exist on the whole silhouette; there is no level to choose."""

BIAS = "net.latents_projection.leave.bias"


@torch.no_grad()
def best_levels(model: torch.nn.Module, batches: Iterator[Renders], steps: int) -> tuple[Tensor, Tensor]:
    """Per layer the logit above which the mask fits the true one best, and that mask's IoU pooled over all samples.

    As the engine does, this averages over each picture and its mirror image.

    Returns:
        (layers,) levels, 0 for the first two, and (layers,) IoUs at them.
    """
    layers = model.config.layers
    both, either = torch.zeros(2, len(LEVELS), layers, dtype=torch.float64)
    for renders in batches:
        valid = renders.depth > 0
        logits = (_logits(model, renders, steps) + _logits(model, mirrored(renders), steps).flip(3)) / 2
        for i, level in enumerate(LEVELS):
            found = (logits > level) & valid[:, :1]
            both[i] += (found & valid).sum((0, 2, 3))
            either[i] += (found | valid).sum((0, 2, 3))
    iou = both / either.clamp(min=1)
    best = iou.argmax(0)
    best[:FIRST_LAYER] = int(LEVELS.abs().argmin())
    return LEVELS[best], iou.gather(0, best[None])[0].float()


def _logits(model: torch.nn.Module, renders: Renders, steps: int) -> Tensor:
    targets = make_targets(renders)
    return predict(model, targets.picture, targets.rays, targets.traced, steps).validity.float()


def shift_levels(weights: dict[str, Tensor], config: ModelConfig, levels: Tensor) -> dict[str, Tensor]:
    """The weights with each layer's validity logit lowered by its level."""
    bias = weights[BIAS].clone()
    of_pixel = bias.view(config.out_channels, config.layers, STEM_STRIDE**2)  # as `SkipHead` shuffles them
    of_pixel[1] -= levels[:, None]
    return weights | {BIAS: bias}
