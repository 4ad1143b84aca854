"""From rendered samples to what the network takes and should give."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..model.viewing import camera_rays, viewing
from .source import Renders

LIMITS = -4.0, 6.0  # of normalized depth: a far wall seen past a near object must not outweigh everything else


class Targets(NamedTuple):
    """One batch for the network.

    Attributes:
        picture: (n, 4, H, W) float32 in [0, 1].
        rays: (n, 3, H, W) viewing directions.
        x0: (n, 1, layers, H, W) normalized depth; absent layers repeat the one before, and outside all it is 0.
        valid: (n, layers, H, W) bool.
    """

    picture: Tensor
    rays: Tensor
    x0: Tensor
    valid: Tensor

    @property
    def traced(self) -> Tensor:
        """(n, 1, 1, H, W) bool: where there is anything to trace."""
        return self.valid[:, None, :1]


def make_targets(renders: Renders) -> Targets:
    """Depth relative to the median of layer 0."""
    picture = renders.rgba.permute(0, 3, 1, 2).float() / 255
    rays = camera_rays(renders.intrinsics, *picture.shape[2:])
    view = viewing(rays)
    valid = renders.depth > 0
    z = torch.where(valid, renders.depth, 1)
    log_depth = (z * view.axial).log()
    center = torch.where(valid[:, 0], log_depth[:, 0], torch.nan).flatten(1).nanmedian(1).values.nan_to_num(0)
    normalized = view.encode(z, center[:, None, None, None])
    layers = [torch.where(valid[:, 0], normalized[:, 0], 0)]
    for k in range(1, z.shape[1]):
        layers.append(torch.where(valid[:, k], normalized[:, k], layers[-1]))
    return Targets(picture, rays, torch.stack(layers, 1).clamp(*LIMITS)[:, None], valid)
