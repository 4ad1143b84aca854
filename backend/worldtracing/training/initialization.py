"""Random weights from which a small network learns within minutes, and the graft of flow matching."""

from __future__ import annotations

import torch
from torch import nn

from ..model.attention import Attention
from ..model.blocks import Block, LayerScale
from ..model.conv import ResidualBlock
from ..model.conv_wt_dit import ConvWTDiT

GATE = 0.3


@torch.no_grad()
def initialize(model: ConvWTDiT) -> None:
    """Make every block contribute from the start, and noise and its level not at all.

    Blocks as released begin with gains of 1e-4, made for many thousands of steps.
    """
    for module in model.modules():
        if isinstance(module, LayerScale):
            module.gamma.fill_(GATE)
        elif isinstance(module, Block):
            rows = module.modulation.view(6, -1)
            rows.normal_(std=0.02)
            rows[2] += 1
            rows[5] += 1
        elif isinstance(module, ResidualBlock):
            module.norm2.weight.fill_(GATE)
        elif isinstance(module, Attention):
            nn.init.xavier_uniform_(module.qkv.weight)
    model.layer_embed.weight.normal_(std=0.3)
    head = model.net.latents_projection
    for layer in (model.net.time_projection[1], head.time_film[1], head.noise_projection, head.leave):
        layer.weight.zero_()
        layer.bias.zero_()
    model.net.geo_noise_projection[0].weight.zero_()


def flow_parameters(model: ConvWTDiT) -> list[nn.Parameter]:
    """The weights through which noise and its level enter. They stay 0 in regression, so that the grafted network
    begins as the regressed one."""
    head = model.net.latents_projection
    return [
        model.net.geo_noise_projection[0].weight,
        head.noise_projection.weight,
        model.net.time_projection[1].weight,
        head.time_film[1].weight,
        *model.net.time_embedding.parameters(),
    ]
