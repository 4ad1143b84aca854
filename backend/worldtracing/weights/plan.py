"""Whether a trace fits into memory, before it starts; and if not, which setting does.

All figures follow from the configuration. Weights are counted tensor by tensor. Activations are those of one block,
which dominate: per token (one patch of one layer, frame and seed) of width D, in the MLP's widest moment,

    residual stream before and in the block and before the head 3 · 4 D + normalized input 4 D
    + the attention's output D b + hidden layer before and after GELU 2 · 4 D b     bytes,

b = 2 for bf16 and 4 for float32: 34 D or 52 D, which is what a run allocates at its peak (a test counts it). The fused
attention kernels never hold a score matrix. The sampler keeps three states of three float32 per pixel and layer beside
that, and the picture's own tokens are 2 D bytes per token. `RESERVE` is for what is not counted: kernel workspaces and
the allocator's fragments.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import WorldTracingError
from ..model.config import ModelConfig
from .network import build_on_meta

RESERVE = 1.15
STATES = 3
ROOM = 2  # blocks on the device when offloaded: the one that computes and the one that is on its way
BLOCK = re.compile(r"(net\.(encoder\.blocks|decoder_blocks|latents_projection\.geo_blocks)|temporal_blocks)\.\d+\.")


@lru_cache(maxsize=64)
def weight_bytes(config: ModelConfig, precision: str, offload: bool = False) -> int:
    """Bytes of the network's tensors on the device.

    With offload (model/offload.py) the blocks of encoder, decoder and head stay in main memory, and the device has
    room for two of the encoder's and two of the others.
    """
    from ..model.precision import PRECISIONS, parameter_dtype

    blocks: dict[str, int] = defaultdict(int)
    total = 0
    for key, tensor in build_on_meta(config).state_dict().items():
        size = tensor.numel() * parameter_dtype(key, PRECISIONS[precision]).itemsize
        total += size
        if block := BLOCK.match(key):
            blocks[block[0]] += size
    if offload:
        for of_encoder in (False, True):
            group = [size for name, size in blocks.items() if ("encoder" in name) is of_encoder]
            total -= sum(group) - ROOM * max(group, default=0)
    return total


def activation_bytes(config: ModelConfig, precision: str, seeds: int = 1, frames: int = 1, size: int = 0) -> int:
    """Bytes of activations for seeds that are sampled together.

    Args:
        config: the network.
        precision: "fast" or "fp32".
        seeds: in one batch.
        frames: of the clip; 1 for pictures.
        size: side of the picture in pixels; that of the configuration if 0.
    """
    patches = (math.ceil((size or config.image_size) / config.patch)) ** 2
    tokens = seeds * frames * config.layers * patches
    block = config.width * (16 + 9 * (2 if precision == "fast" else 4))
    sampler = STATES * 3 * 4 * config.patch**2
    picture = 2 * config.width * tokens // seeds
    return tokens * (block + sampler) + picture


@dataclass(frozen=True)
class MemoryPlan:
    """A setting that fits.

    Attributes:
        precision: "fast" or "fp32".
        seeds: to sample together; the others follow in further batches.
        offload: whether blocks wait in main memory.
        needed: bytes on the device.
        sentence: what differs from the wish and why; "" if nothing does.
    """

    precision: str
    seeds: int
    offload: bool
    needed: int
    sentence: str = ""


def needed_bytes(
    config: ModelConfig, precision: str, seeds: int = 1, frames: int = 1, size: int = 0, offload: bool = False
) -> int:
    """Weights and activations with the reserve."""
    total = weight_bytes(config, precision, offload) + activation_bytes(config, precision, seeds, frames, size)
    return int(total * RESERVE)


def plan_memory(
    config: ModelConfig,
    free: int | None,
    precision: str = "fast",
    seeds: int = 1,
    frames: int = 1,
    size: int = 0,
    offload: bool = False,
) -> MemoryPlan:
    """The wished setting if it fits, else the nearest one that does.

    In this order: fewer seeds at a time, which gives the same worlds; then blocks offloaded, the same and slower;
    then the fast precision, whose worlds differ less than seeds do.

    Args:
        config: the network.
        free: bytes free on the device, from `free_memory`; None if that is not known, and then all fits.
        precision, seeds, frames, size, offload: the wish.

    Raises:
        WorldTracingError: WT-MEM-TOO-SMALL when nothing fits.
    """
    wish = MemoryPlan(precision, seeds, offload, needed_bytes(config, precision, seeds, frames, size, offload))
    if free is None or wish.needed <= free:
        return wish
    for p in dict.fromkeys((precision, "fast")):
        for out in (False, True)[offload:]:
            for batch in _halves(seeds):
                needed = needed_bytes(config, p, batch, frames, size, out)
                if needed <= free:
                    return MemoryPlan(p, batch, out, needed, _sentence(config, wish, free, p, batch, out))
    raise WorldTracingError(
        "WT-MEM-TOO-SMALL",
        f"{config.name} needs at least {_gb(needed)} with its blocks offloaded, and {_gb(free)} are free.",
        "Close other programs that use the memory, choose a smaller model or fewer frames, or trace on the CPU.",
    )


def _halves(seeds: int) -> list[int]:
    """seeds, half of them (rounded up), … 1."""
    batches = [seeds]
    while batches[-1] > 1:
        batches.append(-(-batches[-1] // 2))
    return batches


def _sentence(config: ModelConfig, wish: MemoryPlan, free: int, precision: str, seeds: int, offload: bool) -> str:
    changes = []
    if seeds != wish.seeds:
        changes.append("one seed at a time" if seeds == 1 else f"{seeds} seeds at a time")
    if offload and not wish.offload:
        changes.append("blocks offloaded to main memory")
    if precision != wish.precision:
        changes.append("bf16 instead of float32")
    return f"{config.name} would need {_gb(wish.needed)} and {_gb(free)} are free: tracing with {', '.join(changes)}."


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def free_memory(device: str) -> int | None:
    """Bytes that can be allocated now on "cpu", "cuda", "cuda:1" or "mps"; None where the system does not tell.

    The environment variable WORLDTRACING_MEMORY_GB sets a limit to that.
    """
    free = _free_memory(device)
    try:
        limit = int(float(os.environ["WORLDTRACING_MEMORY_GB"]) * 1e9)
    except (KeyError, ValueError):
        return free
    return limit if free is None else min(free, limit)


def _free_memory(device: str) -> int | None:
    if device.startswith("cuda"):
        import torch

        index = torch.device(device).index  # None is the current one
        cached = torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
        return torch.cuda.mem_get_info(index)[0] + cached
    if device == "mps":
        import torch

        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()  # what is cached is free
    if sys.platform == "win32":
        return _free_windows()
    return _free_linux()


def _free_linux() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # macOS
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _free_windows() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_uint32), ("load", ctypes.c_uint32)] + [
            (name, ctypes.c_uint64)
            for name in ("total", "free", "total_page", "free_page", "total_virtual", "free_virtual", "extended")
        ]

    status = Status(length=ctypes.sizeof(Status))
    return status.free if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on whatever device."""
    names = {cls.__name__ for cls in type(error).__mro__}  # torch.OutOfMemoryError without importing torch
    text = str(error)
    # cuBLAS and cuDNN allocate their own workspaces.
    allocators = ("DefaultCPUAllocator", "MPS backend out of memory", "out of memory", "_STATUS_ALLOC_FAILED")
    system = ("Cannot allocate memory", "paging file is too small", "error code: <1455>")  # mapping a file; Windows
    return bool(names & {"OutOfMemoryError", "MemoryError"}) or any(words in text for words in allocators + system)
