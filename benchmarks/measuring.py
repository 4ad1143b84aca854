"""What the benchmarks of the network share: random networks, their operations, and times."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from worldtracing.model.config import ModelConfig
from worldtracing.model.precision import Precision, parameter_dtype
from worldtracing.model.wt_dit import WTDiT


def seconds(work: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """The median time of `work` after one run that does not count; on the CPU, time that this process had a core."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    times = []
    for _ in range(repeats + 1):
        synchronize(device)
        start = clock()
        work()
        synchronize(device)
        times.append(clock() - start)
    return sorted(times[1:])[repeats // 2]


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def random_model(config: ModelConfig, precision: Precision, device: torch.device) -> WTDiT:
    """A network with random weights of ordinary size, made on the device."""
    with torch.device("meta"):
        model = WTDiT(config).eval().requires_grad_(False)
    tensors = {}
    for name, tensor in model.state_dict().items():
        dtype = parameter_dtype(name, precision)
        spread = 0.5 * (tensor[0].numel() if tensor.ndim > 1 else 400) ** -0.5
        tensors[name] = torch.empty(tensor.shape, dtype=dtype, device=device).normal_(0, spread)
    tensors["net.encoder.image_std"].fill_(0.226)
    model.load_state_dict(tensors, assign=True)
    model.precision = precision
    return model


def inputs(config: ModelConfig, device: torch.device) -> tuple[Tensor, Tensor]:
    """A picture, and a mask that is on in a centred square, as after the released crop of an object."""
    size = config.image_size
    rgb = torch.rand(1, 3, size, size, device=device)
    mask = torch.zeros(1, config.layers, size, size, dtype=torch.bool, device=device)
    mask[..., size // 6 : -size // 6, size // 6 : -size // 6] = True
    return rgb, mask


def step_flops(config: ModelConfig) -> float:
    """Floating-point operations of one denoising step of one seed, two per multiply-add."""
    with torch.device("meta"):
        model = WTDiT(config).requires_grad_(False)
        conditioning = model.condition(torch.empty(1, 3, config.image_size, config.image_size))
        x = torch.empty(1, 3, config.layers, config.image_size, config.image_size)
        with FlopCounterMode(display=False) as counter:
            model.predict(x, torch.empty(()), conditioning)
    return counter.get_total_flops()


def matmul_rate(device: torch.device, dtype: torch.dtype, m: int, k: int, n: int) -> float:
    """Operations per second of (m, k) @ (k, n)."""
    a, b = (torch.randn(shape, device=device).to(dtype) for shape in ((m, k), (k, n)))
    repeats = 20 if device.type == "cuda" else 3
    return 2 * m * k * n * repeats / seconds(lambda: [a @ b for _ in range(repeats)], device)
