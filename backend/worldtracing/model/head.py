"""The head: a short transformer of its own, then one linear layer from tokens to coordinates."""

from __future__ import annotations

from torch import Tensor, nn

from .attention import Linear
from .blocks import block_cycle
from .config import ModelConfig
from .embeddings import Film, film_projection, layer_film
from .rope import Rotary


class Head(nn.Module):
    """Tokens (n, t, l, p, width) to patches (n, t, l, p, patch² · channels)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.geo_blocks = block_cycle(config.head_blocks, config.width, config.heads)
        self.geo_layer_embed = nn.Embedding(config.layers, config.width)
        self.geo_film_proj = film_projection(config.width)
        self.geo_proj = Linear(config.width, config.patch**2 * config.out_channels)

    def film(self) -> Film:
        return layer_film(self.geo_layer_embed, self.geo_film_proj)

    def forward(self, x: Tensor, modulation: Tensor, film: Film, rope: Rotary) -> Tensor:
        for block in self.geo_blocks:
            if block.kind == "frame":
                x = film(x)
            x = block(x, modulation, None if block.kind == "ray" else rope)
        return self.geo_proj(x)
