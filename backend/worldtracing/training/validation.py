"""Scores on held-out samples: how much of the relief is learned, and which layers are found."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..model.conv_wt_dit import ConvWTDiT
from ..model.wt_dit import Estimate
from ..sampling import sample
from .source import Renders
from .targets import make_targets

MIN_PIXELS = 60  # of a layer in a picture that is scored
MIN_VARIANCE = 1e-4  # of a layer's normalized depth: a plane seen head-on has no relief to learn
NOISE_SEED = 0


@torch.no_grad()
def predict(model: ConvWTDiT, picture: Tensor, rays: Tensor, traced: Tensor, steps: int) -> Estimate:
    """One world per picture: by regression with 0 steps, otherwise along the flow.

    Args:
        picture, rays: as `Targets`.
        traced: (n, 1, 1, H, W) bool.
        steps: Euler steps.
    """
    conditioning = model.condition(picture, rays)
    shape = (len(picture), 1, model.config.layers, *picture.shape[2:])
    if steps == 0:
        return model.predict(picture.new_zeros(shape), torch.ones((), device=picture.device), conditioning)
    mask = traced[:, 0].expand(-1, model.config.layers, -1, -1)
    samples = sample(model, conditioning, mask, [NOISE_SEED], steps)
    return Estimate(samples.normalized[0].movedim(-1, 1)[:, :, 0], samples.validity[0, :, 0])


def validate(model: ConvWTDiT, batches: Iterator[Renders], steps: int, autocast: torch.autocast) -> dict[str, float]:
    """Scores over all batches.

    Returns:
        r0, r1: RMSE of layers 0 and 1 relative to a constant per picture, after the best scale and shift, 1 for
            nothing learned; s0, s1: after a shift alone, so that the amount of relief counts; iou1, iou2, iou3: mask
            IoU of the layers behind the first; order: share of neighboring layers in the wrong order.
    """
    relative: dict[str, list[Tensor]] = {"r0": [], "s0": [], "r1": [], "s1": []}
    both, either = torch.zeros(3), torch.zeros(3)
    swapped = pairs = 0.0
    for renders in batches:
        targets = make_targets(renders)
        with autocast:
            estimate = predict(model, targets.picture, targets.rays, targets.traced, steps)
        pred, true, valid = estimate.x0[:, 0].float(), targets.x0[:, 0], targets.valid
        for layer in (0, 1):
            scaled, shifted = relative_errors(pred[:, layer], true[:, layer], valid[:, layer])
            relative[f"r{layer}"].append(scaled)
            relative[f"s{layer}"].append(shifted)
        found = (estimate.validity > 0) & valid[:, :1]
        both += (found & valid)[:, 1:4].sum((0, 2, 3)).cpu()
        either += (found | valid)[:, 1:4].sum((0, 2, 3)).cpu()
        pair = found[:, 1:] & found[:, :-1]
        swapped += float(((pred[:, 1:] < pred[:, :-1]) & pair).sum())
        pairs += float(pair.sum())
    scores = {name: float(torch.cat(values).mean()) for name, values in relative.items()}
    scores |= {f"iou{k + 1}": float(x) for k, x in enumerate(both / either.clamp(min=1))}
    return scores | {"order": swapped / max(pairs, 1.0)}


def relative_errors(pred: Tensor, true: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Errors of one layer (n, H, W) relative to a constant per picture: after scale and shift, and after shift alone.

    Pictures with too little of the layer, or a flat one, are left out.
    """
    mask = valid.double()
    count = mask.sum((1, 2))

    def centered(x: Tensor) -> Tensor:
        mean = (x * mask).sum((1, 2)) / count.clamp(min=1)
        return (x - mean[:, None, None]) * mask

    pred, true = centered(pred.double()), centered(true.double())
    relief = true.square().sum((1, 2))
    scale = ((pred * true).sum((1, 2)) / pred.square().sum((1, 2)).clamp(min=1e-9)).clamp(min=0)
    scored = (count >= MIN_PIXELS) & (relief / count.clamp(min=1) >= MIN_VARIANCE)
    scaled = (scale[:, None, None] * pred - true).square().sum((1, 2)) / relief.clamp(min=1e-12)
    shifted = (pred - true).square().sum((1, 2)) / relief.clamp(min=1e-12)
    return scaled[scored].sqrt().cpu(), shifted[scored].sqrt().cpu()
