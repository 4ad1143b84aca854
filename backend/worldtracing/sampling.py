"""The sampler: from noise to layered worlds along the network's flow, several seeds in one batch (paper, section 3).

Shapes: k seeds, b pictures, t frames, l layers, v = t · l views, H and W pixels. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .errors import WorldTracingError
from .model.config import MAX_STEPS, check_steps
from .model.wt_dit import flow_velocity
from .progress import OnProgress, silent

if TYPE_CHECKING:
    from .model.tokens import Conditioning
    from .model.wt_dit import WTDiT

BROKEN = 1e9  # stands for the distance of a point that is not finite

ORDER_SLACK = 0.01  # of the depth: layers nearer than this are one surface twice, in either order

OnPreview = Callable[[int, Tensor], None]


class Samples(NamedTuple):
    """What the sampler returns for every seed.

    Attributes:
        normalized: (k, b, t, l, H, W, c) float32 in the network's coordinates, everywhere; c = 3, for a small model 1.
        xyz: (k, b, t, l, H, W, 3) float32, camera frame, 0 where the mask is off; metres or, for scenes, up to scale.
        mask: (b, t, l, H, W) bool; a layer is on only where all layers before it are.
        validity: (k, b, t, l, H, W) logits of the last step, or None where the model has none.
    """

    normalized: Tensor
    xyz: Tensor
    mask: Tensor
    validity: Tensor | None


@torch.inference_mode()
def sample(
    model: WTDiT,
    conditioning: Conditioning,
    mask: Tensor,
    seeds: Sequence[int],
    steps: int = MAX_STEPS,
    on_progress: OnProgress = silent,
    *,
    official_noise: bool = False,
    preview_every: int | None = None,
    on_preview: OnPreview | None = None,
) -> Samples:
    """Trace the conditioned pictures once per seed, all seeds in one batch.

    Args:
        model: the network, whose configuration says layers, normalization and noise correlation.
        conditioning: from `model.condition`.
        mask: (b, l, H, W) or (b, t, l, H, W) bool, where there is something to trace; may differ between layers.
        seeds: each picture gets one world per seed.
        steps: Euler steps, 1 to 20.
        on_progress: called before each step; what it raises stops the sampling.
        official_noise: draw on the model's device in the released sampler's order, so that a seed gives the released
            code's world there; otherwise noise is drawn on the CPU, and a seed gives the same world on every device.
        preview_every: call `on_preview` after every so many steps but the last.
        on_preview: takes the number of finished steps and the current estimate, (k, b, t, l, H, W, 3) as `Samples.xyz`.

    Raises:
        WorldTracingError: WT-MODEL-STEPS, WT-MODEL-SEEDS, WT-MODEL-MASK-SIZE.
    """
    check_steps(steps)
    if not seeds:
        raise WorldTracingError("WT-MODEL-SEEDS", "There is no seed to trace with.", "Give at least one seed.")
    mask = _check_mask(mask, model, conditioning).to(conditioning.features.device)
    shape, device = mask.shape, mask.device
    valid = mask.flatten(1, 2)[:, None]  # (b, 1, v, H, W)
    all_valid = bool(valid.all())
    generators = [torch.Generator(device if official_noise else "cpu").manual_seed(seed) for seed in seeds]

    def per_seed(draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        # Elsewhere than on CUDA a copy that is not waited for may come after its source is gone.
        on_cuda = device.type == "cuda"
        return torch.cat([draw(generator).to(device, non_blocking=on_cuda) for generator in generators])

    channels, correlation = model.config.state_channels, model.config.noise_correlation
    x = per_seed(lambda g: initial_noise(g, shape, correlation, channels))  # (k b, c, v, H, W)
    times = time_grid(steps).to(device)
    visible = trusted_layers(mask)
    for i in range(steps):
        on_progress("Denoising", i, steps)
        filled = x
        if not all_valid:
            fill = per_seed(lambda g: fill_noise(g, shape, official_noise, channels)).unflatten(0, (len(seeds), -1))
            filled = torch.where(valid, x.unflatten(0, (len(seeds), -1)), fill).flatten(0, 1)
        estimate = model.predict(filled, times[i], conditioning)
        x = x - (times[i] - times[i + 1]) * flow_velocity(x, estimate.x0, times[i])
        if preview_every and on_preview and (i + 1) % preview_every == 0 and i + 1 < steps:
            on_preview(i + 1, _decode(estimate.x0, visible, model, conditioning)[1])
    normalized, xyz = _decode(x, visible, model, conditioning)
    validity = estimate.validity
    if validity is not None:
        validity = validity.unflatten(0, (len(seeds), -1)).unflatten(2, shape[1:3])
    return Samples(normalized, xyz, visible, validity)


def time_grid(steps: int) -> Tensor:
    """Noise levels (steps + 1,) float32 from 1 (noise) to 0."""
    check_steps(steps)
    return torch.linspace(1, 0, steps + 1)


def initial_noise(
    generator: torch.Generator, shape: Sequence[int], correlation: float = 0.0, channels: int = 3
) -> Tensor:
    """x_T ~ N(0, 1) for `shape` (b, t, l, H, W) as (b, channels, v, H, W) float32 on the generator's device.

    Frames share noise to the degree `correlation`: √ρ · shared + √(1 − ρ) · own, drawn in this order and with the
    channel last, as the released sampler does.
    """
    b, t, layers, height, width = shape
    device = generator.device
    if correlation == 0 or t == 1:
        return torch.randn(b, channels, t * layers, height, width, generator=generator, device=device)
    pixels = layers * height * width
    shared = torch.randn(b, 1, pixels, channels, generator=generator, device=device)
    own = torch.randn(b, t, pixels, channels, generator=generator, device=device)
    noise = correlation**0.5 * shared + (1 - correlation) ** 0.5 * own
    return noise.view(b, t, layers, height, width, channels).movedim(-1, 1).flatten(2, 3).contiguous()


def fill_noise(generator: torch.Generator, shape: Sequence[int], official: bool = False, channels: int = 3) -> Tensor:
    """Noise for the invalid pixels of one step, (b, channels, v, H, W) float32 on the generator's device.

    The official draw is of (b, v · H · W, 3) with the channels outermost in memory. On the CPU that order takes four
    times as long as a contiguous draw and gives other numbers.
    """
    b, t, layers, height, width = shape
    on_host = generator.device.type == "cpu" and torch.cuda.is_available()  # pinned: copied while the GPU works
    noise = torch.empty(b, channels, t * layers * height * width, device=generator.device, pin_memory=on_host)
    (noise.transpose(1, 2) if official else noise).normal_(generator=generator)
    return noise.view(b, channels, t * layers, height, width)


def trusted_layers(mask: Tensor) -> Tensor:
    """(b, t, l, H, W) bool: a layer counts only where all layers in front of it do."""
    return mask.int().cumprod(2).bool()


def _decode(x: Tensor, mask: Tensor, model: WTDiT, conditioning: Conditioning) -> tuple[Tensor, Tensor]:
    """A state (k b, c, v, H, W) as normalized (…, c) and as masked XYZ maps (k, b, t, l, H, W, 3)."""
    normalized = x.unflatten(0, (-1, len(mask))).unflatten(3, mask.shape[1:3]).movedim(2, -1)
    xyz = torch.where(mask[..., None], model.points(normalized, conditioning), 0)
    return normalized, xyz


def _check_mask(mask: Tensor, model: WTDiT, conditioning: Conditioning) -> Tensor:
    """The mask as (b, t, l, H, W) bool; raises WT-MODEL-MASK-SIZE where it does not fit the pictures."""
    mask = mask.bool() if mask.ndim == 5 else mask.bool()[:, None]
    b, t = conditioning.features.shape[:2]
    height, width = (model.config.patch * n for n in conditioning.grid)
    wanted = (b, t, model.config.layers, height, width)
    if tuple(mask.shape) != wanted:
        raise WorldTracingError(
            "WT-MODEL-MASK-SIZE",
            f"The mask has the shape {tuple(mask.shape)}, but the pictures need {wanted}.",
            "Use a mask of the picture's size, with one channel per layer.",
        )
    return mask


class SeedChoice(NamedTuple):
    """Which seed to show first, and why. Lower is better everywhere.

    Attributes:
        best: index of the suggested seed.
        disagreement: per seed, median distance from the seeds' median point, relative to the median depth.
        order_violations: per seed, the share of neighbouring layers that are swapped in depth.
    """

    best: int
    disagreement: list[float]
    order_violations: list[float]


def choose_seed(xyz: Tensor, mask: Tensor) -> SeedChoice:
    """Suggest one of several traced worlds: near to what the seeds agree on, with its layers in order.

    Args:
        xyz: (k, b, t, l, H, W, 3) from `Samples`.
        mask: (b, t, l, H, W) bool from `Samples`.
    """
    seeds = len(xyz)
    if not mask.any():
        return SeedChoice(0, [0.0] * seeds, [0.0] * seeds)
    disagreement = _disagreement(xyz.flatten(1, -2), mask.flatten().nonzero()[:, 0])
    z, swapped = xyz[..., 2], torch.zeros(seeds, device=xyz.device)
    for layer in range(1, mask.shape[2]):
        behind = z[:, :, :, layer] < z[:, :, :, layer - 1] * (1 - ORDER_SLACK)
        swapped += (behind & mask[:, :, layer]).flatten(1).sum(1)
    violations = swapped / mask[:, :, 1:].sum().clamp(min=1)
    return SeedChoice(int((disagreement + violations).argmin()), disagreement.tolist(), violations.tolist())


def _disagreement(points: Tensor, index: Tensor) -> Tensor:
    """`SeedChoice.disagreement` (k,) of the points (k, n, 3) that `index` lists."""
    if len(points) == 1:
        return points.new_zeros(1)
    distances, depths = [], []
    for part in index.split(1 << 16):  # as many as stay in the processor's cache
        axes = points[:, part].movedim(-1, 0).contiguous()
        medians = [_median_of_few(axis) for axis in axes]
        distance = sum((axis - median).square() for axis, median in zip(axes, medians, strict=True)).sqrt()
        distances.append(distance.nan_to_num(nan=BROKEN, posinf=BROKEN))
        depths.append(medians[2])
    scale = torch.cat(depths).nanmedian().clamp(1e-6, BROKEN)
    return torch.cat(distances, -1).median(-1).values / scale


def _median_of_few(values: Tensor) -> Tensor:
    """The median (n,) over the first axis of (k, n), by a sorting network: a sort per column takes far longer."""
    rows, k = list(values), len(values)
    for last in range(k - 1, 0, -1):
        for j in range(last):
            rows[j], rows[j + 1] = torch.minimum(rows[j], rows[j + 1]), torch.maximum(rows[j], rows[j + 1])
    return (rows[(k - 1) // 2] + rows[k // 2]) / 2
