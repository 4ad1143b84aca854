"""WT-DiT: from a picture and noise to the XYZ of every surface along every pixel's ray.

Shapes: n samples (seeds x pictures), b pictures, t frames, l layers, p patches, H and W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import WorldTracingError
from .attention import Linear
from .blocks import Block, block_cycle
from .config import ModelConfig
from .conv import ConvEncoder, SkipHead
from .embeddings import film_projection, layer_film, modulation_projection, time_mlp, time_sinusoid
from .encoder import Encoder
from .head import Head
from .normalization import denormalize
from .precision import FP32, Precision
from .rope import Rotary, frame_positions, grid_positions, rotary_table
from .tokens import Conditioning, patchify, repeat_samples, standardize, unpatchify

MIN_TIME = 0.05  # the velocity divides by t; below this the released models divide by this


class Estimate(NamedTuple):
    """What the network makes of a noisy world, float32.

    Attributes:
        x0: (n, 3, t · l, H, W) the world without noise, in normalized coordinates.
        validity: (n, t · l, H, W) logits that the layer exists, or None where the model has no such output.
    """

    x0: Tensor
    validity: Tensor | None


class Net(nn.Module):
    """The parts that the released state dict keeps under `net.`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.encoder = ConvEncoder(config) if config.conv else Encoder(config.encoder, width)
        self.time_embedding = time_mlp(width)
        self.time_projection = modulation_projection(width)
        self.feature_projection = nn.Sequential(Linear(width, width // 2))
        self.geo_noise_projection = nn.Sequential(Linear(config.patch**2 * config.in_channels, width // 2))
        self.decoder_blocks = block_cycle(config.blocks, width, config.heads)
        self.latents_projection = SkipHead(config) if config.conv else Head(config)


class TemporalBlock(nn.Module):
    """An attention over the frames that share layer and patch."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.block = Block(width, heads, "temporal", ls_init=1e-5)

    def forward(self, x: Tensor, modulation: Tensor, rope: Rotary) -> Tensor:
        return self.block(x, modulation, rope)


class WTDiT(nn.Module):
    """The network. `condition` once per picture, then `predict` or `velocity` at every step (paper, section 3)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.precision: Precision = FP32
        width = config.width
        self.layer_embed = nn.Embedding(config.layers, width)
        self.layer_film_proj = film_projection(width)
        self.layer_adaln_proj = modulation_projection(width) if config.layer_adaln else None
        self.net = Net(config)
        temporal = config.blocks // 3 if config.temporal else 0
        self.temporal_blocks = nn.ModuleList(TemporalBlock(width, config.heads) for _ in range(temporal))

    def condition(self, rgb: Tensor, rays: Tensor | None = None) -> Conditioning:
        """Everything that does not change over the steps.

        Args:
            rgb: (b, 3, H, W) or (b, t, 3, H, W) float32 in [0, 1]; H and W multiples of the patch size.
            rays: viewing directions (unit vectors, camera frame) of the same shape, where the model takes them.

        Raises:
            WorldTracingError: WT-MODEL-SIZE for a picture whose sides are no multiples of the patch size.
        """
        pictures = [x if x.ndim == 5 else x[:, None] for x in (rgb, rays) if x is not None]
        (b, t, _, height, width), patch = pictures[0].shape, self.config.patch
        if min(height, width) < 2 * patch or height % patch or width % patch:
            raise wrong_size(width, height, patch)
        grid = height // patch, width // patch

        tokens = self.net.encoder(pictures[0].flatten(0, 1)).unflatten(0, (b, t))[:, :, None]
        features = standardize(tokens + self.layer_embed.weight[:, None])
        to_tokens = self.net.geo_noise_projection[0]
        patches = torch.cat([patchify(x, patch) for x in pictures], -1)[:, :, None]

        head_dim, device = self.config.width // self.config.heads, rgb.device
        bf16, dtype = self.precision.rope_bf16_angles, self.precision.compute
        positions = grid_positions(*grid, device)[:, None]
        frames = frame_positions(t, device)[:, None, None, None]
        adaln = self.layer_adaln_proj
        return Conditioning(
            grid=grid,
            features=self.net.feature_projection(features).float(),
            picture=F.linear(patches, to_tokens.weight[:, : patches.shape[-1]], to_tokens.bias),
            film=layer_film(self.layer_embed, self.layer_film_proj),
            head_film=self.net.latents_projection.film(),
            layer_modulation=None if adaln is None else adaln(self.layer_embed.weight).unflatten(-1, (6, -1))[:, None],
            rope=rotary_table(positions, head_dim, bf16_angles=bf16).to(dtype),
            head_rope=rotary_table(positions, head_dim).to(dtype),
            frame_rope=rotary_table(frames, head_dim, bf16_angles=bf16).to(dtype) if t > 1 else None,
        )

    def predict(self, x: Tensor, t: Tensor, conditioning: Conditioning) -> Estimate:
        """The world without noise that the network sees in `x`.

        Args:
            x: (n, 3, t · l, H, W) float32, the noisy world with fresh noise at invalid pixels; n is a multiple of the
                number of pictures, and sample i belongs to picture i mod b.
            t: noise level in [0, 1], 1 is pure noise: () float32 for all samples, or (n,).
            conditioning: from `condition`, of the same size and frames.
        """
        modulation = self.time_modulation(t)
        tokens = self.decode(self.noise_tokens(x, conditioning), modulation, conditioning)
        head = self.net.latents_projection
        patches = head(tokens, modulation, conditioning.head_film, conditioning.head_rope)
        out = unpatchify(patches.flatten(1, 2), self.config.patch, conditioning.grid).transpose(1, 2)
        # The head's XYZ is −x0: the models were trained on the velocity (XYZ + x_t) / t.
        return Estimate(-out[:, :3], out[:, 3] if self.config.validity else None)

    def velocity(self, x_t: Tensor, t: Tensor, conditioning: Conditioning, filled: Tensor | None = None) -> Tensor:
        """dx/dt of the flow x_t = (1 − t) x0 + t ε, (n, 3, t · l, H, W) float32.

        `filled` is what the network sees, x_t itself by default.
        """
        x0 = self.predict(x_t if filled is None else filled, t, conditioning).x0
        return flow_velocity(x_t, x0, t)

    def points(self, normalized: Tensor, conditioning: Conditioning) -> Tensor:
        """XYZ (k, b, t, l, H, W, 3) in the camera frame from the network's coordinates (k, b, t, l, H, W, c)."""
        return denormalize(normalized, self.config.xyz_norm)

    def time_modulation(self, t: Tensor) -> Tensor:
        """The six rows of AdaLN, (6, width) float32 for t (), or (n, 1, 1, 1, 6, width) for t (n,)."""
        modulation = self.net.time_projection(self.net.time_embedding(time_sinusoid(t))).unflatten(-1, (6, -1))
        return modulation if t.ndim == 0 else modulation[:, None, None, None]

    def noise_tokens(self, x: Tensor, conditioning: Conditioning) -> Tensor:
        """The decoder's input (n, t, l, p, width): image features beside the projected picture and noise."""
        to_tokens = self.net.geo_noise_projection[0]
        patches = patchify(x.transpose(1, 2), self.config.patch).unflatten(1, (-1, self.config.layers))
        noise = F.linear(patches, to_tokens.weight[:, -patches.shape[-1] :]) + repeat_samples(
            conditioning.picture, len(x)
        )
        tokens = torch.cat([repeat_samples(conditioning.features, len(x)), noise], -1)
        return tokens.to(self.precision.residual)

    def decode(self, x: Tensor, modulation: Tensor, conditioning: Conditioning) -> Tensor:
        """The decoder's blocks over tokens (n, t, l, p, width): frame, ray, global, and over time after each global."""
        layer_modulation = conditioning.layer_modulation
        frame_modulation = modulation if layer_modulation is None else modulation + layer_modulation
        for i, block in enumerate(self.net.decoder_blocks):
            if block.kind == "frame":
                x = block(conditioning.film(x), frame_modulation, conditioning.rope)
            elif block.kind == "ray":
                x = block(x, modulation)
            else:
                x = block(x, modulation, conditioning.rope)
                if conditioning.frame_rope is not None and len(self.temporal_blocks):
                    x = self.temporal_blocks[i // 3](x, modulation, conditioning.frame_rope)
        return x


def flow_velocity(x_t: Tensor, x0: Tensor, t: Tensor) -> Tensor:
    """(x_t − x0) / max(t, 0.05)."""
    t = t.clamp(min=MIN_TIME)
    return (x_t - x0) / (t if t.ndim == 0 else t.view(-1, 1, 1, 1, 1))


def wrong_size(width: int, height: int, patch: int) -> WorldTracingError:
    return WorldTracingError(
        "WT-MODEL-SIZE",
        f"The network cannot take a picture of {width} x {height} pixels.",
        f"Resize it so that both sides are multiples of {patch} and at least {2 * patch} pixels.",
    )
