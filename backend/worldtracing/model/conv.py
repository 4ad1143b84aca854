"""The convolutional image encoder and pixel head of the small models: linear patch layers learn no depth at this size.

Both work at strides 4, 8, ..., the patch size last. Linear layers cut a picture into patches whose borders show in the
depth; here the encoder's features skip to the head, which decodes all layers of a pixel together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Linear
from .config import ModelConfig
from .encoder import EncoderBlock
from .rope import Rotary
from .viewing import Viewing

STEM_STRIDE = 4
PLANES = 7  # what the stem sees: premultiplied RGB, matte, slopes in x and y, logarithm of the spread
GROUP = 16  # channels that share a GroupNorm's statistics


class ResidualBlock(nn.Module):
    """x + two normalized 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = group_norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = group_norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(F.relu(x)))
        return x + self.norm2(self.conv2(F.relu(y)))


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(channels // GROUP, channels)


class ConvEncoder(nn.Module):
    """Pictures to tokens of the decoder's width and features at strides 4, 8, ..., patch."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = config.conv.channels
        self.down = nn.ModuleList()
        for i, c in enumerate(channels):
            conv = nn.Conv2d(channels[i - 1], c, 3, 2, 1) if i else nn.Conv2d(PLANES, c, 6, STEM_STRIDE, 1)
            self.down.append(nn.Sequential(conv, group_norm(c)))
        self.stages = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(c) for _ in range(n)))
            for c, n in zip(channels, config.conv.depths, strict=True)
        )
        self.to_tokens = Linear(channels[-1], config.encoder.width)
        self.blocks = nn.ModuleList(EncoderBlock(config.encoder) for _ in range(config.encoder.depth))
        self.norm = nn.LayerNorm(config.encoder.width)
        self.final_project = Linear(config.encoder.width, config.width)

    def forward(self, picture: Tensor, viewing: Viewing, rope: Rotary) -> tuple[Tensor, list[Tensor]]:
        """RGBA (n, 4, H, W) in [0, 1] to tokens (n, patches, width) float32 and features, the finest first."""
        x = input_planes(picture, viewing).contiguous(memory_format=torch.channels_last)
        features = []
        for i, (down, stage) in enumerate(zip(self.down, self.stages, strict=True)):
            x = stage(down(F.relu(x) if i else x))
            features.append(x)
        tokens = self.to_tokens(x.flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens = block(tokens, rope)
        return self.final_project(self.norm(tokens)).float(), features


def input_planes(picture: Tensor, viewing: Viewing) -> Tensor:
    """(n, 7, H, W), each channel roughly within [-1, 1]; what the matte hides is grey."""
    rgb, alpha = picture[:, :3], picture[:, 3:]
    spread = viewing.spread.log().expand_as(alpha) + 1.2
    return torch.cat([(2 * rgb - 1) * alpha, 2 * alpha - 1, viewing.slopes, spread], 1)


class SkipHead(nn.Module):
    """Tokens, the encoder's features and the noisy layers to the pixels of all layers.

    The layers' tokens are reduced and laid side by side as channels, so that the convolutions cost the same for any
    number of layers and see all of them at once.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels, layers = config.conv.channels, config.layers
        coarse_to_fine = channels[::-1]
        self.channels = config.state_channels
        pixels = layers * STEM_STRIDE**2
        self.reduce = Linear(config.width, config.conv.folded)
        self.enter = nn.Conv2d(layers * config.conv.folded + channels[-1], channels[-1], 3, padding=1)
        self.up = nn.ModuleList(nn.Conv2d(a + b, b, 3, padding=1) for a, b in pairwise(coarse_to_fine))
        self.refine = nn.ModuleList(ResidualBlock(c) for c in coarse_to_fine)
        self.noise_projection = nn.Conv2d(pixels * config.state_channels, channels[0], 1)
        self.time_film = nn.Sequential(nn.SiLU(), Linear(config.width, 2 * channels[0]))
        self.leave = nn.Conv2d(channels[0], pixels * config.out_channels, 3, padding=1)

    def forward(self, tokens: Tensor, x: Tensor, time: Tensor, features: Sequence[Tensor]) -> Tensor:
        """To (n, channels, layers, H, W) float32.

        Args:
            tokens: (n, 1, layers, patches, width).
            x: (n, state channels, layers, H, W), the noisy layers.
            time: (width,) or (n, width), the embedded noise level.
            features: (n, c, H / stride, W / stride) from the encoder, the finest first.
        """
        *finer, coarsest = features
        folded = self.reduce(tokens[:, 0]).permute(0, 1, 3, 2).flatten(1, 2)  # (n, layers · folded, patches)
        folded = folded.unflatten(2, coarsest.shape[2:]).to(coarsest.dtype)
        y = self.enter(channels_last(torch.cat([folded, coarsest], 1)))
        for i, skip in enumerate(reversed(finer)):
            y = F.interpolate(self.refine[i](y), scale_factor=2, mode="nearest")
            y = self.up[i](channels_last(F.relu(torch.cat([y, skip], 1))))
        noise = F.pixel_unshuffle(x.flatten(1, 2), STEM_STRIDE)
        scale, shift = self.time_film(time).unflatten(-1, (2, -1))[..., None, None].unbind(-4)
        y = (y + self.noise_projection(channels_last(noise))) * (1 + scale) + shift
        y = self.leave(F.relu(self.refine[-1](y))).float()
        return F.pixel_shuffle(y, STEM_STRIDE).unflatten(1, (-1, x.shape[2]))


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
