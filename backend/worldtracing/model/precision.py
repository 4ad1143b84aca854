"""Which numbers are kept in which type: the float32 reference, and a fast bf16 mode."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Precision:
    """Types of a model's parts.

    Attributes:
        name: "fp32" or "fast".
        compute: type of the matrix products' weights and inputs in encoder, decoder and head.
        residual: type of the stream of tokens between blocks.
        rope_bf16_angles: whether the decoder's rotation angles are rounded to bf16.
    """

    name: str
    compute: torch.dtype
    residual: torch.dtype
    rope_bf16_angles: bool


FP32 = Precision("fp32", torch.float32, torch.float32, rope_bf16_angles=False)

# The stream between blocks stays float32: a bf16 stream was measured to be 10 to 40 % farther from the reference.
# The released models were trained and run with angles rounded to bf16 (by up to 0.1 rad at patch 59), so bf16 keeps
# what the weights have seen; the reference has exact angles, as the float32 fixtures do.
FAST = Precision("fast", torch.bfloat16, torch.float32, rope_bf16_angles=True)

PRECISIONS = {p.name: p for p in (FP32, FAST)}

# Small, and everything after them depends on them: time and layer conditioning, and the projections from pixels and
# from and to coordinates. A bf16 `geo_proj` alone was measured to double or triple the distance to the reference.
_ALWAYS_FP32 = (
    "time_embedding",
    "time_projection",
    "film_proj",
    "adaln_proj",
    "patch_embed",
    "geo_noise_projection",
    "geo_proj",
)


def has_native_bf16(device: torch.device) -> bool:
    """Whether a CUDA device computes in bf16 itself: those before Ampere imitate it slowly, and torch has no fused
    attention for it there."""
    return torch.version.hip is not None or torch.cuda.get_device_capability(device)[0] >= 8


def default_precision(device: torch.device) -> Precision:
    """The fast one on GPUs that compute in bf16 themselves, float32 elsewhere."""
    return FAST if device.type == "cuda" and has_native_bf16(device) else FP32


def parameter_dtype(key: str, precision: Precision) -> torch.dtype:
    """The type in which the tensor called `key` in the state dict is kept.

    Matrices and their biases are in the compute type, and so are the q/k norms, whose input is (the kernels take one
    type and keep their statistics in float32). Everything else is float32.
    """
    if any(part in key for part in _ALWAYS_FP32):
        return torch.float32
    owner = key.rsplit(".", 2)[-2] if "." in key else ""
    is_product = owner in ("qkv", "proj", "fc1", "fc2", "q_norm", "k_norm", "final_project")
    return precision.compute if is_product or "feature_projection" in key else torch.float32


def set_precision(model: nn.Module, precision: Precision) -> nn.Module:
    """Convert a WT-DiT in place, tensor by tensor, and return it."""
    for key, tensor in (*model.named_parameters(), *model.named_buffers()):
        tensor.data = tensor.data.to(parameter_dtype(key, precision))
    model.precision = precision
    return model
