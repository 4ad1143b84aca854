"""The image encoder: a DINOv2 vision transformer whose last four blocks' outputs become one token per patch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .attention import Attention, Linear
from .blocks import LayerScale, Mlp
from .config import EncoderConfig
from .rope import Rotary

EPS = 1e-6  # of the encoder's LayerNorms; the decoder's have torch's default, 1e-5


class PatchEmbed(nn.Module):
    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, image: Tensor) -> Tensor:
        """(n, 3, H, W) to patches (n, H/patch · W/patch, width), row-major.

        As a matrix product, because CUDA rounds the inputs of convolutions to TF32, also of float32 ones.
        """
        size = self.proj.weight.shape[-1]
        patches = rearrange(image, "n c (h py) (w px) -> n (h w) (c py px)", py=size, px=size)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


class EncoderBlock(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, EPS)
        self.attn = Attention(config.width, config.heads, "image", qkv_bias=True, qk_norm=False)
        self.ls1 = LayerScale(config.width)
        self.norm2 = nn.LayerNorm(config.width, EPS)
        self.mlp = Mlp(config.width, config.mlp_ratio)
        self.ls2 = LayerScale(config.width)

    def forward(self, x: Tensor, rope: Rotary | None = None) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x), rope))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Encoder(nn.Module):
    """Pictures (n, 3, H, W) in [0, 1] to tokens (n, patches, decoder width) float32."""

    def __init__(self, config: EncoderConfig, decoder_width: int) -> None:
        super().__init__()
        self.config = config
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + config.pos_grid**2, config.width) * 0.02)
        self.mask_token = nn.Parameter(torch.zeros(1, config.width))  # unused, but part of the released weights
        self.register_buffer("image_mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("image_std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.patch_embed = PatchEmbed(config.width, config.patch)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, EPS)
        self.final_project = Linear(config.taps * config.width, decoder_width)

    def forward(self, rgb: Tensor) -> Tensor:
        grid = rgb.shape[-2] // self.config.patch, rgb.shape[-1] // self.config.patch
        rgb = 0.5 * (2 * rgb - 1) + 0.5  # changes rounding only; the weights' reference outputs include it
        x = self.patch_embed((rgb - self.image_mean) / self.image_std)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + resample_positions(self.pos_embed, grid)
        taps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i >= len(self.blocks) - self.config.taps:
                taps.append(self.norm(x)[:, 1:])
        return self.final_project(torch.cat(taps, -1)).float()


def resample_positions(pos_embed: Tensor, grid: tuple[int, int]) -> Tensor:
    """A position embedding (1, 1 + g², width), class token first, for another grid of patches (rows, columns).

    Bicubic with DINOv2's offset: the scale passed on is (rows + 0.1) / g, and the kernel samples with that scale.
    """
    g = round((pos_embed.shape[1] - 1) ** 0.5)
    if grid == (g, g):
        return pos_embed
    patches = pos_embed[:, 1:].float().unflatten(1, (g, g)).permute(0, 3, 1, 2)
    scale = tuple((n + 0.1) / g for n in grid)
    patches = F.interpolate(patches, scale_factor=scale, mode="bicubic", align_corners=False, antialias=False)
    return torch.cat([pos_embed[:, :1].float(), patches.flatten(2).transpose(1, 2)], 1)
