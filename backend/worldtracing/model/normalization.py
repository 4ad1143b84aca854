"""From the network's normalized coordinates to XYZ in the camera frame (x right, y down, z forward)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Mean and deviation of XYZ in metres over the training worlds of the zscore models.
ZSCORE_MEAN = (-0.002366, -0.004008, 1.904278)
ZSCORE_STD = (0.280865, 0.315927, 0.706423)
CONTRACTION_DEPTH = 1.87


def denormalize(points: Tensor, mode: str) -> Tensor:
    """Normalized points (..., 3) float32 to XYZ: metres for "zscore", up to a factor per picture for "median_log".

    `mode` is one of `config.XYZ_NORMS`.
    """
    return _DECODERS[mode](points)


def _zscore(n: Tensor) -> Tensor:
    return torch.addcmul(n.new_tensor(ZSCORE_MEAN), n, n.new_tensor(ZSCORE_STD))


def _median_log(n: Tensor) -> Tensor:
    """Lengths relative to the picture's median depth: symmetric logarithms for x and y, a logarithm for z."""
    return torch.cat([n[..., :2].sign() * n[..., :2].abs().expm1(), n[..., 2:].exp()], -1)


def _log_zscore(n: Tensor) -> Tensor:
    return _with_depth(n, (n[..., 2:] * 0.189539 + 0.625089).exp())


def _disp_zscore(n: Tensor) -> Tensor:
    return _with_depth(n, 1 / (n[..., 2:] * 0.167720 + 0.546635).clamp(min=1e-6))


def _depth_contraction(n: Tensor) -> Tensor:
    z = n[..., 2:].clamp(-1 + 1e-6, 1 - 1e-6)
    return torch.cat([n[..., :2] * 2, 1 + z], -1) * CONTRACTION_DEPTH / (1 - z)


def _with_depth(n: Tensor, z: Tensor) -> Tensor:
    return torch.cat([_zscore(n)[..., :2], z], -1)


_DECODERS: dict[str, Callable[[Tensor], Tensor]] = {
    "zscore": _zscore,
    "median_log": _median_log,
    "median_log_global": _median_log,
    "log_zscore": _log_zscore,
    "disp_zscore": _disp_zscore,
    "depth_contraction": _depth_contraction,
}
