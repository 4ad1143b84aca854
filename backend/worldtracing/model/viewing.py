"""Depth in the units of the small models: logarithmic, relative to the picture's middle and to how wide its view is.

A small object seen from afar and a large one seen from near by have the same relief in these units, and a crop of a
photo has that of a photo taken with the camera turned towards the crop's centre.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

UNIT = 0.6  # of log depth, times the spread: about the relief of an object that fills the picture


class Viewing(NamedTuple):
    """What the rays of a picture say about its camera.

    Attributes:
        slopes: (n, 2, H, W) x/z and y/z of the rays, from -1 to 1 across the picture.
        spread: (n, 1, 1, 1) half the width of the slopes, tan(fov / 2) of an uncropped picture.
        axial: (n, 1, H, W) depth along the ray through the picture's centre over depth z.
    """

    slopes: Tensor
    spread: Tensor
    axial: Tensor

    def encode(self, z: Tensor, center: Tensor) -> Tensor:
        """Depth z > 0 (n, L, H, W) in the units of the network, where `center` (n, 1, 1, 1) is log depth 0."""
        return ((z * self.axial).log() - center) / (UNIT * self.spread)

    def decode(self, normalized: Tensor) -> Tensor:
        """Depths z (n, L, H, W), relative to what the centre of `encode` was."""
        return (normalized * (UNIT * self.spread)).exp() / self.axial


def viewing(rays: Tensor) -> Viewing:
    """From viewing directions (n, 3, H, W) in the camera frame, of any length."""
    slopes = rays[:, :2] / rays[:, 2:]
    width = slopes.shape[-1]
    middle = slopes.mean((2, 3), keepdim=True)
    across = (slopes[:, :1, :, -1] - slopes[:, :1, :, 0]).mean(2)[..., None, None]
    spread = across / 2 * (width / (width - 1))
    axial = (1 + (slopes * middle).sum(1, keepdim=True)) / (1 + (middle * middle).sum(1, keepdim=True))
    return Viewing((slopes - middle) / spread, spread, axial)


def camera_rays(intrinsics: Tensor, height: int, width: int) -> Tensor:
    """Unit viewing directions (n, 3, H, W) of cameras (n, 4): fx, fy, cx, cy in pixels."""
    fx, fy, cx, cy = intrinsics[:, :, None, None].unbind(1)
    u = torch.arange(width, device=intrinsics.device) + 0.5
    v = torch.arange(height, device=intrinsics.device)[:, None] + 0.5
    x, y = ((u - cx) / fx).expand(-1, height, -1), ((v - cy) / fy).expand(-1, -1, width)
    return torch.nn.functional.normalize(torch.stack([x, y, torch.ones_like(x)], 1), dim=1)
