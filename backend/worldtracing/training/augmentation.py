"""Variants of rendered samples that are as true as the renders: rendering takes longer than a training step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .source import Renders

WARPED = 0.7  # share of the samples
ROLL = 0.15  # radians, standard deviation
STRETCH = 0.1  # of log width over height, standard deviation
ZOOM = -0.3, 0.2  # of log size, for objects that lie within the picture
CLOSER = 0.3  # of log size at most, beyond what keeps a scene that fills the picture filling it
SHIFT = 0.07  # of the width at most, of objects that lie within the picture
SAME_SURFACE = 0.015  # of the depth: depths around a pixel that differ by less are mixed


def augmented(renders: Renders, numbers: range, seed: int) -> Renders:
    """Mirrored (half of them), recolored and warped, by the sample's number."""
    draws = [np.random.default_rng([seed, number]) for number in numbers]
    device = renders.rgba.device
    uniform = torch.tensor(np.float32([rng.random(6) for rng in draws]), device=device)
    normal = torch.tensor(np.float32([rng.standard_normal(6) for rng in draws]), device=device)
    pairs = zip(renders, mirrored(renders), strict=True)
    flip = uniform[:, 0] < 0.5
    renders = Renders(*(torch.where(flip.view(-1, *[1] * (x.ndim - 1)), y, x) for x, y in pairs))
    renders = _recolored(renders, uniform[:, 1], normal[:, :4])
    return warp(renders, _random_warp(renders, uniform[:, 2:], normal[:, 4:]))


def mirrored(renders: Renders) -> Renders:
    """The mirror images."""
    intrinsics = renders.intrinsics.clone()
    intrinsics[:, 2] = renders.rgba.shape[2] - intrinsics[:, 2]
    return Renders(renders.rgba.flip(2), renders.depth.flip(3), intrinsics)


def _recolored(renders: Renders, uniform: Tensor, normal: Tensor) -> Renders:
    """30 % get their color channels turned round; all vary in gamma and color balance, because the pool's flat colors
    tell which mesh it is."""
    turn = uniform[:, None, None, None] < 0.3
    rgba = torch.where(turn, renders.rgba[..., [2, 0, 1, 3]], renders.rgba)
    gamma, gain = (0.2 * normal[:, 0]).exp(), (0.1 * normal[:, 1:]).exp()
    # A table of 256 entries per sample and channel: powers of whole pictures take longer than the convolutions.
    levels = torch.arange(256, device=rgba.device) / 255
    table = (255 * levels ** gamma[:, None, None] * gain[..., None]).round().clamp(0, 255).byte()
    for c in range(3):
        rgba[..., c] = table[:, c].gather(1, rgba[..., c].flatten(1).long()).view_as(rgba[..., c])
    return renders._replace(rgba=rgba)


class Warp(NamedTuple):
    """Moves the pixel at offset p from the picture's middle to zoom · matrix · p + shift.

    The zoom and the shift are a crop of the photo. The matrix turns and stretches the world across the line of sight,
    X' = matrix X and z' = z in the camera frame, so that depths stay as they are.

    Attributes:
        matrix: (n, 2, 2) float32.
        zoom: (n,) float32.
        shift: (n, 2) float32, in pixels.
    """

    matrix: Tensor
    zoom: Tensor
    shift: Tensor


def _random_warp(renders: Renders, uniform: Tensor, normal: Tensor) -> Warp:
    """What changes `WARPED` of the samples, from (n, 4) and (n, 2) draws.

    Scenes that reach the picture's edges go on filling it.
    """
    size, alpha = renders.rgba.shape[2], renders.rgba[..., 3]
    edges = torch.cat([alpha[:, 0], alpha[:, -1], alpha[:, :, 0], alpha[:, :, -1]], 1)
    fills, warped = (edges > 0).any(1), uniform[:, 0] < WARPED
    normal = torch.where(warped[:, None], normal, 0)
    roll, wider = ROLL * normal[:, 0], (STRETCH / 2 * normal[:, 1]).exp()
    c, s = roll.cos(), roll.sin()
    matrix = torch.stack([c * wider, -s / wider, s * wider, c / wider], 1).view(-1, 2, 2)
    covering = _inverse(matrix).abs().sum(2).amax(1)  # the zoom at which the new picture fits into the old one
    closer = (CLOSER * uniform[:, 1]).exp()
    free = (ZOOM[0] + (ZOOM[1] - ZOOM[0]) * uniform[:, 1]).exp()
    zoom = torch.where(fills, covering * closer, free)
    reach = torch.where(fills, (closer - 1) / 2, SHIFT)
    shift = (2 * uniform[:, 2:] - 1) * (size * reach)[:, None]
    return Warp(matrix, torch.where(warped, zoom, 1), torch.where(warped[:, None], shift, 0))


def warp(renders: Renders, by: Warp) -> Renders:
    """The samples after warps; the matte and the layers end where the old picture does."""
    rgba, depth, intrinsics = renders
    height, width = rgba.shape[1:3]
    middle = torch.tensor([width / 2, height / 2], device=rgba.device)
    forward = by.zoom[:, None, None] * by.matrix
    principal = middle + (forward @ (intrinsics[:, 2:] - middle)[..., None])[..., 0] + by.shift
    grid = _grid(forward, by.shift, height, width)
    picture = rgba.permute(0, 3, 1, 2).float()
    picture = F.grid_sample(picture, grid, padding_mode="border", align_corners=False)
    picture[:, 3] *= (grid.abs() <= 1).all(-1)
    return Renders(
        picture.round().byte().permute(0, 2, 3, 1).contiguous(),
        _resampled(depth, grid),
        torch.cat([intrinsics[:, :2] * by.zoom[:, None], principal], 1),
    )


def _grid(forward: Tensor, shift: Tensor, height: int, width: int) -> Tensor:
    """(n, H, W, 2) where in the old picture each new pixel lies, from -1 to 1 as `grid_sample` has it."""
    size = torch.tensor([width, height], device=shift.device)
    x = torch.arange(width, device=shift.device) + 0.5 - width / 2
    y = torch.arange(height, device=shift.device) + 0.5 - height / 2
    offsets = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1) - shift[:, None, None]
    return (offsets.flatten(1, 2) @ _inverse(forward).transpose(1, 2)).view_as(offsets) / (size / 2)


def _inverse(matrix: Tensor) -> Tensor:
    """Unlike `Tensor.inverse` it does not wait for the GPU, to see whether there is one."""
    return torch.linalg.inv_ex(matrix).inverse


def _resampled(depth: Tensor, grid: Tensor) -> Tensor:
    """Depths between pixels of one surface are mixed; at edges, the nearest is taken."""
    valid = (depth > 0).float()
    nearest = F.grid_sample(depth, grid, mode="nearest", align_corners=False)
    mixed = F.grid_sample(depth, grid, align_corners=False)
    inside = F.grid_sample(valid, grid, align_corners=False) > 0.999
    same = inside & ((mixed - nearest).abs() < SAME_SURFACE * nearest)
    return torch.where(same, mixed, nearest)
