"""The small WT-DiT that is bundled: the released network's decoder between a convolutional encoder and head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .config import ModelConfig
from .embeddings import layer_film, time_sinusoid
from .rope import grid_positions, rotary_table
from .tokens import Conditioning, repeat_samples, standardize
from .viewing import Viewing, viewing
from .wt_dit import Estimate, WTDiT, wrong_size


@dataclass(frozen=True)
class ConvConditioning(Conditioning):
    """`Conditioning`, and what the head and the way back to depth need of the picture.

    Attributes:
        skips: (b, c, H / stride, W / stride) features of the encoder, the finest first.
        viewing: the units of depth.
        rays: (b, 1, 1, H, W, 3) viewing directions with z = 1.
    """

    skips: list[Tensor]
    viewing: Viewing
    rays: Tensor


class ConvWTDiT(WTDiT):
    """A WT-DiT whose configuration has `conv`. Layers are log depth in the units of `viewing`."""

    def condition(self, rgb: Tensor, rays: Tensor | None = None) -> ConvConditioning:
        """Everything that does not change over the steps.

        Args:
            rgb: (b, 4, H, W) float32 in [0, 1], sRGB and the foreground's matte; H and W multiples of the patch size.
            rays: (b, 3, H, W) viewing directions in the camera frame.

        Raises:
            WorldTracingError: WT-MODEL-SIZE for a picture whose sides are no multiples of the patch size.
        """
        (height, width), patch = rgb.shape[2:], self.config.patch
        if min(height, width) < 2 * patch or height % patch or width % patch:
            raise wrong_size(width, height, patch)
        grid = height // patch, width // patch
        view = viewing(rays)
        positions = grid_positions(*grid, rgb.device)[:, None]
        encoder = self.config.encoder
        kind = rgb.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self.precision.compute
        encoder_rope = rotary_table(positions, encoder.width // encoder.heads).to(dtype)
        tokens, skips = self.net.encoder(rgb, view, encoder_rope)
        features = standardize(tokens[:, None, None] + self.layer_embed.weight[:, None])
        rope = rotary_table(positions, self.config.width // self.config.heads).to(dtype)
        return ConvConditioning(
            grid=grid,
            features=self.net.feature_projection(features),
            picture=self.net.geo_noise_projection[0].bias.expand(1, 1, 1, 1, -1),
            film=layer_film(self.layer_embed, self.layer_film_proj),
            head_film=None,
            layer_modulation=None,
            rope=rope,
            head_rope=rope,
            frame_rope=None,
            skips=skips,
            viewing=view,
            rays=(rays / rays[:, 2:]).movedim(1, -1)[:, None, None],
        )

    def predict(self, x: Tensor, t: Tensor, conditioning: ConvConditioning) -> Estimate:
        """As `WTDiT.predict`, with (n, 1, layers, H, W) log depth as the state."""
        tokens = self.decode(self.noise_tokens(x, conditioning), self.time_modulation(t), conditioning)
        time = self.net.time_embedding(time_sinusoid(t))
        skips = [repeat_samples(s, len(x)) for s in conditioning.skips]
        out = self.net.latents_projection(tokens, x, time, skips)
        return Estimate(out[:, :1], out[:, 1])

    def points(self, normalized: Tensor, conditioning: ConvConditioning) -> Tensor:
        """XYZ (k, b, 1, l, H, W, 3), relative to the median depth of layer 0, from log depth (k, b, 1, l, H, W, 1)."""
        return conditioning.viewing.decode(normalized[:, :, 0, ..., 0])[:, :, None, ..., None] * conditioning.rays


def build_model(config: ModelConfig) -> WTDiT:
    """The network of a configuration, with random weights."""
    return ConvWTDiT(config) if config.conv else WTDiT(config)
