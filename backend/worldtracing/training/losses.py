"""Training losses, all on normalized depth and validity logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.wt_dit import Estimate
from .targets import Targets

FILLED = 0.25  # weight of a layer that is absent, where the last depth is repeated
VALIDITY = 1.0
AFFINE = 0.5
GRADIENT = 1.0
GRADIENT_STEPS = (1, 2, 4)
GRADIENT_LAYERS = 2
JUMP = 0.15  # a difference above this per pixel is a step from one surface to another, whose size is no relief
OVERLAP = 2.0
ORDER = 0.1
MIN_NOISE = 0.25  # below this noise level the weight 1 / t of a sample grows no further


def training_loss(estimate: Estimate, targets: Targets, t: Tensor) -> Tensor:
    """The sum of all terms, a scalar.

    Args:
        estimate: of the network, float32.
        targets: what it should be.
        t: () or (n,) noise levels; samples count 1 / t, because there the velocity is (x_t − x0) / t.
    """
    pred, true, valid = estimate.x0[:, 0], targets.x0[:, 0], targets.valid
    weight = 1 / t.clamp(min=MIN_NOISE).reshape(-1, 1, 1, 1)
    return (
        depth_loss(pred, true, valid, weight)
        + AFFINE * affine_loss(pred[:, 0], true[:, 0], valid[:, 0])
        + GRADIENT * gradient_loss(pred, true, valid, weight)
        + VALIDITY * validity_loss(estimate.validity, valid, weight)
        + OVERLAP * overlap_loss(estimate.validity[:, 2:], valid[:, 2:])
        + ORDER * order_loss(pred, valid)
    )


def depth_loss(pred: Tensor, true: Tensor, valid: Tensor, weight: Tensor) -> Tensor:
    """L1 over all layers of the traced pixels."""
    counted = torch.where(valid, 1.0, FILLED) * valid[:, :1]
    return ((pred - true).abs() * counted * weight).sum() / counted.sum().clamp(min=1)


def affine_loss(pred: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """L1 of one layer (n, H, W) after the best scale and shift of each picture, relative to the picture's relief."""
    mask = valid.float()
    count = mask.sum((1, 2), keepdim=True).clamp(min=1)

    def centered(x: Tensor) -> Tensor:
        return (x - (x * mask).sum((1, 2), keepdim=True) / count) * mask

    pred, true = centered(pred), centered(true)
    scale = (pred * true).sum((1, 2), keepdim=True) / pred.square().sum((1, 2), keepdim=True).clamp(min=1e-3)
    relief = (true.square().sum((1, 2), keepdim=True) / count).sqrt().clamp(min=0.05)
    return ((scale.clamp(0.1, 10).detach() * pred - true).abs() / (count * relief)).sum((1, 2)).mean()


def gradient_loss(pred: Tensor, true: Tensor, valid: Tensor, weight: Tensor) -> Tensor:
    """L1 of the differences between pixels 1, 2 and 4 apart on the same surface: how much relief there is."""
    pred, true, valid = (x[:, :GRADIENT_LAYERS] for x in (pred, true, valid))
    error = pred - true
    total = pred.new_zeros(())
    for step in GRADIENT_STEPS:
        for dim in (2, 3):
            length = pred.shape[dim] - step
            ahead, here = ([x.narrow(dim, s, length) for x in (error, true, valid)] for s in (step, 0))
            same = ahead[2] & here[2] & ((ahead[1] - here[1]).abs() < JUMP * step)
            difference = (ahead[0] - here[0]).abs() * same * weight
            total = total + difference.sum() / same.sum().clamp(min=1) / step**0.5
    return total


def validity_loss(logits: Tensor, valid: Tensor, weight: Tensor) -> Tensor:
    """Binary cross-entropy; pixels with nothing to trace count a tenth."""
    counted = torch.where(valid[:, :1], 1.0, 0.1)
    return (F.binary_cross_entropy_with_logits(logits, valid.float(), reduction="none") * counted * weight).mean()


def overlap_loss(logits: Tensor, valid: Tensor) -> Tensor:
    """1 − IoU of the masks of layers that occur, each over all pictures, with probabilities for the predicted mask.

    Third and later surfaces cover few pixels: cross-entropy alone finds them improbable everywhere.
    """
    found, true = logits.sigmoid(), valid.float()
    both, area = (found * true).sum((0, 2, 3)), true.sum((0, 2, 3))
    occurs = area > 0
    iou = both / (found.sum((0, 2, 3)) + area - both).clamp(min=1e-6)
    return ((1 - iou) * occurs).sum() / occurs.sum().clamp(min=1)


def order_loss(pred: Tensor, valid: Tensor) -> Tensor:
    """How far layers lie in front of the one before, where both exist."""
    both = valid[:, 1:]
    return (F.relu(pred[:, :-1] - pred[:, 1:]) * both).sum() / both.sum().clamp(min=1)
