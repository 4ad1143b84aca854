"""The small WT-DiT in numpy alone: `model.conv_wt_dit` for one picture, so that it runs in Blender's own Python.

Arrays have their channels last. Convolutions are matrix products over gathered neighborhoods.

Shapes: l layers, p patches, d width, H and W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import WorldTracingError
from ..progress import OnProgress, silent
from .numpy_layers import (
    gelu,
    normalized,
    relu,
    rotary_table,
    rotate,
    silu,
    softmax,
    space_to_depth,
    time_sinusoid,
)

Weights = Mapping[str, np.ndarray]

STEM_STRIDE = 4
GROUP = 16
FEATURE_SCALE = 0.3
MIN_TIME = 0.05
DEPTH_UNIT = 0.6


@dataclass(frozen=True)
class View:
    """Arrays of `model.viewing.Viewing` for one picture: (H, W, 2), a number, and (H, W)."""

    slopes: np.ndarray
    spread: np.float32
    axial: np.ndarray

    def mirrored(self) -> View:
        """Of the mirror image."""
        return View(self.slopes[:, ::-1] * np.float32([-1, 1]), self.spread, self.axial[:, ::-1])

    def depth(self, normalized: np.ndarray) -> np.ndarray:
        """(l, H, W) depths from the network's units, relative to the median of layer 0."""
        return np.exp(normalized * (DEPTH_UNIT * self.spread)) / self.axial


def view_of(rays: np.ndarray) -> View:
    """From the rays (H, W, 3) of a camera, of any length."""
    slopes = (rays[..., :2] / rays[..., 2:]).astype(np.float32)
    width = slopes.shape[1]
    middle = slopes.mean((0, 1))
    spread = (slopes[:, -1, 0] - slopes[:, 0, 0]).mean() / 2 * (width / (width - 1))
    axial = (1 + slopes @ middle) / (1 + middle @ middle)
    return View((slopes - middle) / spread, np.float32(spread), axial)


@dataclass(frozen=True)
class Condition:
    """What does not change over the steps."""

    features: np.ndarray  # (l, p, d / 2)
    film: tuple[np.ndarray, np.ndarray]  # gain and shift, (l, 1, d)
    skips: list[np.ndarray]  # (H / stride, W / stride, c), the finest first
    rope: tuple[np.ndarray, np.ndarray]  # cosines and signed sines, (p, head_dim)


class NumpyWTDiT:
    """The network, from the tensors of its safetensors file."""

    def __init__(self, weights: Weights, config: Mapping) -> None:
        """
        Args:
            weights: by their names in the torch model's state dict.
            config: the fields of `model.config.ModelConfig`.
        """
        self.config = config
        self.layers: int = config["layers"]
        self.patch: int = config["encoder"]["patch"]
        self.heads: int = config["heads"]
        self.w = {name: _for_products(name, np.asarray(x, np.float32)) for name, x in weights.items()}

    @classmethod
    def load(cls, path: str | Path) -> NumpyWTDiT:
        """The network of a file that training wrote.

        Raises:
            WorldTracingError: WT-MODEL-BUNDLED for a file that is missing or holds no such network.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                config = json.loads(file.metadata()["config"])
                return cls({name: file.get_tensor(name) for name in file.keys()}, config)  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise WorldTracingError(
                "WT-MODEL-BUNDLED",
                f"The bundled model cannot be read from {path} ({error}).",
                "Install the extension again.",
            ) from error

    def sample(
        self, picture: np.ndarray, view: View, mask: np.ndarray, steps: int, seed: int, on_progress: OnProgress = silent
    ) -> tuple[np.ndarray, np.ndarray]:
        """Trace one picture by Euler steps along the flow, from noise at t = 1 to t = 0.

        In each step the network sees the picture and its mirror image, and what it says of both is averaged: its
        errors differ.

        Args:
            picture: (H, W, 4) float32 in [0, 1], sRGB and matte; H and W multiples of the patch size.
            view: of the picture's camera.
            mask: (H, W) bool, where there is something to trace.
            steps: number of steps.
            seed: of the noise.
            on_progress: called before each step.

        Returns:
            (l, H, W) float32 normalized log depth, for `View.depth`, and (l, H, W) logits that the layer exists.
        """
        condition, mirrored = self.condition(picture, view), self.condition(picture[:, ::-1], view.mirrored())
        rng = np.random.default_rng(seed)
        x, noise = rng.standard_normal((2, self.layers, *mask.shape), np.float32)
        times = np.linspace(1, 0, steps + 1, dtype=np.float32)
        for i in range(steps):
            on_progress("Denoising", i, steps)
            seen = np.where(mask, x, noise)
            direct = self.predict(seen, times[i], condition)
            turned = self.predict(seen[..., ::-1], times[i], mirrored)
            x0, validity = ((a + b[..., ::-1]) / 2 for a, b in zip(direct, turned, strict=True))
            x = x - (times[i] - times[i + 1]) * (x - x0) / max(times[i], MIN_TIME)
        return x, validity

    def condition(self, picture: np.ndarray, view: View) -> Condition:
        """Encode one picture (H, W, 4) in [0, 1]."""
        alpha = picture[..., 3:]
        spread = np.full_like(alpha, np.log(view.spread) + 1.2)
        x = np.concatenate([(2 * picture[..., :3] - 1) * alpha, 2 * alpha - 1, view.slopes, spread], -1)
        skips = []
        for i, count in enumerate(self.config["conv"]["depths"]):
            name = f"net.encoder.down.{i}"
            kernel, stride = (3, 2) if i else (6, STEM_STRIDE)
            x = self.group_norm(f"{name}.1", self.conv(f"{name}.0", relu(x) if i else x, kernel, stride))
            for k in range(count):
                x = self.residual(f"net.encoder.stages.{i}.{k}", x)
            skips.append(x)
        grid = x.shape[:2]
        rope = rotary_table(grid, self.config["encoder"]["width"] // self.config["encoder"]["heads"])
        tokens = self.encode(x.reshape(grid[0] * grid[1], -1), rope)
        layer = self.w["layer_embed.weight"][:, None]
        tokens = tokens + layer
        tokens = (tokens - tokens.mean()) / np.sqrt(tokens.var() + 1e-6) * FEATURE_SCALE
        features = self.linear("net.feature_projection.0", tokens)
        scale, shift = np.split(self.linear("layer_film_proj.2", gelu(self.linear("layer_film_proj.0", layer))), 2, -1)
        rope = rotary_table(grid, self.config["width"] // self.heads)
        return Condition(features, (1 + scale, shift), skips, rope)

    def encode(self, x: np.ndarray, rope: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """The encoder's transformer over patches (p, c) to tokens (p, d)."""
        heads = self.config["encoder"]["heads"]
        x = self.linear("net.encoder.to_tokens", x)
        for i in range(self.config["encoder"]["depth"]):
            name = f"net.encoder.blocks.{i}"
            attended = self.attention(f"{name}.attn", self.layer_norm(f"{name}.norm1", x, 1e-6)[None], heads, rope)[0]
            x = x + attended * self.w[f"{name}.ls1.gamma"]
            x = x + self.mlp(f"{name}.mlp", self.layer_norm(f"{name}.norm2", x, 1e-6)) * self.w[f"{name}.ls2.gamma"]
        return self.linear("net.encoder.final_project", self.layer_norm("net.encoder.norm", x))

    def predict(self, x: np.ndarray, t: float, condition: Condition) -> tuple[np.ndarray, np.ndarray]:
        """The layers without noise and the logits that they exist, (l, H, W) each, from noisy layers (l, H, W)."""
        time = self.linear("net.time_embedding.0", time_sinusoid(t))
        time = silu(self.linear("net.time_embedding.2", silu(time)))
        modulation = self.linear("net.time_projection.1", time).reshape(6, -1)
        noise = self.linear("net.geo_noise_projection.0", space_to_depth(x, self.patch))
        tokens = np.concatenate([condition.features, noise], -1)
        for i in range(self.config["blocks"]):
            kind = ("frame", "ray", "global")[i % 3]
            if kind == "frame":
                tokens = tokens * condition.film[0] + condition.film[1]
            tokens = self.block(f"net.decoder_blocks.{i}", tokens, modulation, kind, condition.rope)
        return self.head(tokens, x, time, condition.skips)

    def block(
        self, name: str, x: np.ndarray, modulation: np.ndarray, kind: str, rope: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """`model.blocks.Block` over tokens (l, p, d)."""
        rows = self.w[f"{name}.modulation"].reshape(6, -1) + modulation
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = rows
        y = self.layer_norm(f"{name}.norm1", x) * (1 + scale_attn) + shift_attn
        if kind == "ray":
            y = self.attention(f"{name}.attn", y.swapaxes(0, 1), self.heads, None).swapaxes(0, 1)
        elif kind == "global":
            rope = tuple(np.tile(table, (len(x), 1)) for table in rope)
            y = self.attention(f"{name}.attn", y.reshape(1, -1, y.shape[-1]), self.heads, rope).reshape(x.shape)
        else:
            y = self.attention(f"{name}.attn", y, self.heads, rope)
        x = x + y * (self.w[f"{name}.ls1.gamma"] * gate_attn)
        y = self.mlp(f"{name}.mlp", self.layer_norm(f"{name}.norm3", x) * (1 + scale_mlp) + shift_mlp)
        return x + y * (self.w[f"{name}.ls2.gamma"] * gate_mlp)

    def head(
        self, tokens: np.ndarray, x: np.ndarray, time: np.ndarray, skips: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """`model.conv.SkipHead`."""
        name = "net.latents_projection"
        folded = self.linear(f"{name}.reduce", tokens).swapaxes(0, 1)  # (p, l, folded)
        coarsest = skips[-1]
        y = np.concatenate([folded.reshape(*coarsest.shape[:2], -1), coarsest], -1)
        y = self.conv(f"{name}.enter", y)
        for i, skip in enumerate(reversed(skips[:-1])):
            y = self.residual(f"{name}.refine.{i}", y).repeat(2, 0).repeat(2, 1)
            y = self.conv(f"{name}.up.{i}", relu(np.concatenate([y, skip], -1)))
        noise = space_to_depth(x, STEM_STRIDE).swapaxes(0, 1).reshape(*y.shape[:2], -1)
        scale, shift = np.split(self.linear(f"{name}.time_film.1", time), 2)
        y = (y + self.conv(f"{name}.noise_projection", noise, 1)) * (1 + scale) + shift
        y = self.conv(f"{name}.leave", relu(self.residual(f"{name}.refine.{len(skips) - 1}", y)))
        rows, columns = y.shape[:2]
        y = y.reshape(rows, columns, 2, self.layers, STEM_STRIDE, STEM_STRIDE).transpose(2, 3, 0, 4, 1, 5)
        depth, validity = y.reshape(2, self.layers, rows * STEM_STRIDE, columns * STEM_STRIDE)
        return depth, validity

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        y = x @ self.w[f"{name}.weight"]
        bias = self.w.get(f"{name}.bias")
        return y if bias is None else y + bias

    def mlp(self, name: str, x: np.ndarray) -> np.ndarray:
        return self.linear(f"{name}.fc2", gelu(self.linear(f"{name}.fc1", x)))

    def layer_norm(self, name: str, x: np.ndarray, epsilon: float = 1e-5) -> np.ndarray:
        return normalized(x, -1, epsilon) * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def group_norm(self, name: str, x: np.ndarray) -> np.ndarray:
        groups = x.reshape(-1, x.shape[-1] // GROUP, GROUP)
        return normalized(groups, (0, 2), 1e-5).reshape(x.shape) * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def residual(self, name: str, x: np.ndarray) -> np.ndarray:
        y = self.group_norm(f"{name}.norm1", self.conv(f"{name}.conv1", relu(x)))
        return x + self.group_norm(f"{name}.norm2", self.conv(f"{name}.conv2", relu(y)))

    def conv(self, name: str, x: np.ndarray, kernel: int = 3, stride: int = 1) -> np.ndarray:
        """A convolution of (H, W, c), padded by 1 pixel where its kernel is larger than 1."""
        rows, columns = (n // stride for n in x.shape[:2])
        if kernel > 1:
            x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        reach = stride * rows, stride * columns
        neighbors = [
            x[i : i + reach[0] : stride, j : j + reach[1] : stride] for i in range(kernel) for j in range(kernel)
        ]
        return self.linear(name, np.concatenate(neighbors, -1))

    def attention(self, name: str, x: np.ndarray, heads: int, rope: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
        """Self-attention within each of several sequences (n, s, d)."""
        n, s, d = x.shape
        qkv = self.linear(f"{name}.qkv", x).reshape(n, s, 3, heads, d // heads)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)  # (n, heads, s, head_dim)
        if f"{name}.q_norm.weight" in self.w:
            q, k = self.layer_norm(f"{name}.q_norm", q), self.layer_norm(f"{name}.k_norm", k)
        if rope is not None:
            q, k = rotate(q, rope), rotate(k, rope)
        weights = softmax(q @ k.swapaxes(-1, -2) * np.float32((d // heads) ** -0.5))
        return self.linear(f"{name}.proj", (weights @ v).transpose(0, 2, 1, 3).reshape(n, s, d))


def _for_products(name: str, weight: np.ndarray) -> np.ndarray:
    """Matrices transposed, and kernels (out, in, kh, kw) as matrices (kh · kw · in, out)."""
    if weight.ndim == 4:
        weight = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    elif name == "layer_embed.weight":
        return weight
    return np.ascontiguousarray(weight.T) if weight.ndim == 2 else weight
