"""What a WT-DiT is made of: the released models, the bundled one, and any size in between. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import WorldTracingError

XYZ_NORMS = ("zscore", "median_log", "median_log_global", "log_zscore", "disp_zscore", "depth_contraction", "log_depth")

MAX_STEPS = 20  # beyond it t falls below 0.05, where the velocity is clamped and the last steps no longer reach x0


@dataclass(frozen=True)
class EncoderConfig:
    """The image encoder, a DINOv2 ViT. The defaults are ViT-L/14.

    Attributes:
        width: channels of a token.
        depth: transformer blocks; the last `taps` of them feed the decoder.
        heads: attention heads.
        patch: patch side in pixels, that of the decoder too.
        pos_grid: side of the stored position embedding in patches.
        mlp_ratio: hidden width of the MLP over `width`.
    """

    width: int = 1024
    depth: int = 24
    heads: int = 16
    patch: int = 14
    pos_grid: int = 37
    mlp_ratio: int = 4

    @property
    def taps(self) -> int:
        return 4


@dataclass(frozen=True)
class ConvConfig:
    """The convolutional encoder and head of a small model.

    Attributes:
        channels: of the features at strides 4, 8, ..., patch; multiples of 16.
        depths: residual blocks at each stride.
        folded: channels to which the head reduces each layer's token before it lays the layers side by side.
    """

    channels: tuple[int, ...] = (64, 96, 160)
    depths: tuple[int, ...] = (1, 2, 2)
    folded: int = 24


@dataclass(frozen=True)
class ModelConfig:
    """One WT-DiT network and what its sampler must know.

    Attributes:
        name: the checkpoint's name.
        mode: "object", "scene" or "dynamic".
        image_size: side of the square picture the weights were trained at, in pixels.
        frames: frames of a clip the weights were trained at; 1 for pictures.
        layers: surfaces along a ray, L.
        width: channels of a decoder token, D.
        blocks: decoder blocks, in the cycle frame, ray, global.
        heads: attention heads of decoder and head.
        head_blocks: blocks of the head, in the same cycle.
        layer_adaln: whether frame blocks add a modulation of their layer to that of the time.
        temporal: whether an attention over frames follows each global block.
        encoder: the image encoder.
        xyz_norm: how coordinates were normalized, one of XYZ_NORMS.
        noise_correlation: correlation of the initial noise between frames.
        steps: sampler steps the weights are meant for.
        ray_map: whether a map of viewing directions conditions the network (no released model; the bundled ones).
        validity: whether the head also predicts a logit that the layer exists (no released model; the bundled ones).
        conv: convolutional encoder and head (no released model; the bundled ones). Such a network has `ray_map` and
            `validity`, also takes the foreground's matte, and a layer's state is one channel of log depth (`viewing`)
            instead of XYZ.
    """

    name: str = "r75b"
    mode: str = "object"
    image_size: int = 504
    frames: int = 1
    layers: int = 6
    width: int = 1536
    blocks: int = 42
    heads: int = 24
    head_blocks: int = 6
    layer_adaln: bool = False
    temporal: bool = False
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    xyz_norm: str = "zscore"
    noise_correlation: float = 0.0
    steps: int = 20
    ray_map: bool = False
    validity: bool = False
    conv: ConvConfig | None = None

    def __post_init__(self) -> None:
        if self.xyz_norm not in XYZ_NORMS:
            raise _unknown(f"the coordinate normalization '{self.xyz_norm}'")
        if (
            self.width % (4 * self.heads)
            or self.blocks % 3
            or self.head_blocks % 3
            or min(self.layers, self.blocks) < 1
        ):
            raise _unknown(f"a width of {self.width} with {self.heads} heads and {self.blocks} blocks")
        if self.conv and not (self.ray_map and self.validity):
            raise _unknown("a convolutional network without ray map or validity")

    @property
    def patch(self) -> int:
        return self.encoder.patch

    @property
    def state_channels(self) -> int:
        """Channels of a layer that are noised and denoised: XYZ, or log depth alone."""
        return 1 if self.conv else 3

    @property
    def out_channels(self) -> int:
        """Channels of the head: the state's and, where the model has it, the validity logit."""
        return self.state_channels + self.validity

    @property
    def in_channels(self) -> int:
        """Channels per pixel of the noise tokens' projection: RGB, the ray map where there is one, and XYZ.

        A convolutional encoder has seen picture and rays already.
        """
        return 1 if self.conv else 9 if self.ray_map else 6

    @classmethod
    def from_official(
        cls,
        model_kwargs: Mapping[str, Any],
        encoder: Mapping[str, Any] | None = None,
        *,
        name: str = "custom",
        mode: str = "object",
        image_size: int = 504,
        frames: int = 1,
        xyz_norm: str = "zscore",
        noise_correlation: float = 0.0,
    ) -> ModelConfig:
        """The configuration that the released code's keyword arguments describe.

        Raises:
            WorldTracingError: WT-MODEL-CONFIG where they ask for a part that no released model has.
        """
        for key, wanted in _RELEASED_CHOICES.items():
            if model_kwargs.get(key, wanted) != wanted:
                raise _unknown(f"{key} = {model_kwargs[key]!r}")
        embed_mode = model_kwargs.get("layer_embed_mode", "film")
        if embed_mode not in ("film", "film_adaln"):
            raise _unknown(f"layer_embed_mode = {embed_mode!r}")
        encoder_config = EncoderConfig()
        if encoder is not None:
            encoder_config = EncoderConfig(
                width=encoder["embed_dim"],
                depth=encoder["depth"],
                heads=encoder["num_heads"],
                patch=encoder.get("patch_size", 14),
                pos_grid=encoder.get("pos_grid", 37),
                mlp_ratio=encoder.get("mlp_ratio", 4),
            )
        return cls(
            name=name,
            mode=mode,
            image_size=image_size,
            frames=frames,
            layers=model_kwargs["num_layers"],
            width=model_kwargs["decoder_embed_dim"],
            blocks=model_kwargs["num_decoder_blocks"],
            heads=model_kwargs["num_decoder_heads"],
            head_blocks=model_kwargs["num_head_blocks"],
            layer_adaln=embed_mode == "film_adaln",
            temporal=model_kwargs.get("use_temporal_blocks", False),
            encoder=encoder_config,
            xyz_norm=xyz_norm,
            noise_correlation=noise_correlation,
        )


# What every released model has in common. Anything else would be another network.
_RELEASED_CHOICES = {
    "use_rope": True,
    "head_film": True,
    "head_timestep": True,
    "depth_only": True,
    "cfm_mask": False,
    "predict_color": False,
    "use_ar": False,
    "use_cross_attn": False,
    "use_split_head": True,
    "split_head_mode": "transformer",
    "model_task": "split_token",
    "output_mode": "xyz",
    "patch_size": 14,
    "head_attn_mode": "frame_ray_global",
    "attention_pattern": "frame_ray_global",
    "temporal_mlp_ratio": 4.0,
    "temporal_use_qk_norm": True,
}


def _unknown(what: str) -> WorldTracingError:
    return WorldTracingError(
        "WT-MODEL-CONFIG",
        f"This model's configuration has {what}, which WT-DiT does not know.",
        "Use weights of a released World Tracing model or of this extension.",
    )


R75B = ModelConfig()
R69L = ModelConfig(name="r69l", mode="scene", image_size=840, blocks=36, layer_adaln=True, xyz_norm="median_log_global")
R76 = ModelConfig(
    name="r76", mode="dynamic", image_size=336, frames=16, temporal=True, noise_correlation=0.5
)  # 0.5 since the September 2026 weights; the June weights were trained with 0
R69E = ModelConfig(name="r69e", mode="scene", blocks=36, layer_adaln=True, xyz_norm="median_log")
R69G = ModelConfig(name="r69g", mode="scene", blocks=36, layer_adaln=True, xyz_norm="median_log_global")
R69G_MIX = ModelConfig(name="r69g_mix", mode="scene", blocks=36, layer_adaln=True, xyz_norm="median_log_global")
BUNDLED = ModelConfig(
    name="bundled",
    image_size=112,
    width=192,
    blocks=3,
    heads=3,
    head_blocks=0,
    encoder=EncoderConfig(width=192, depth=2, heads=3, patch=16),
    xyz_norm="log_depth",
    steps=1,
    ray_map=True,
    validity=True,
    conv=ConvConfig(),
)
BUNDLED_LARGE = replace(
    BUNDLED,
    name="bundled-large",
    width=320,
    blocks=6,
    heads=5,
    encoder=EncoderConfig(width=320, depth=2, heads=5, patch=16),
    conv=ConvConfig(channels=(96, 192, 304), depths=(2, 2, 2), folded=32),
)

MODELS: dict[str, ModelConfig] = {c.name: c for c in (R75B, R69L, R76, R69E, R69G, R69G_MIX, BUNDLED, BUNDLED_LARGE)}


def model_config(name: str) -> ModelConfig:
    """The configuration called `name`, one of MODELS.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN.
    """
    if name not in MODELS:
        raise WorldTracingError(
            "WT-MODEL-UNKNOWN", f"There is no model called '{name}'.", f"Choose one of: {', '.join(MODELS)}."
        )
    return MODELS[name]


def check_steps(steps: int) -> None:
    """Raises WT-MODEL-STEPS unless 1 <= steps <= 20."""
    if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= MAX_STEPS:
        raise WorldTracingError(
            "WT-MODEL-STEPS",
            f"{steps!r} sampler steps are not possible.",
            f"Choose 1 to {MAX_STEPS} steps.",
        )
