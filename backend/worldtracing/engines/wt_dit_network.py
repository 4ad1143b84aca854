"""A network that is kept between traces, and sampling it within the memory that there is. Needs torch and einops."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import WorldTracingError
from ..model.offload import BlockStream, offload_blocks
from ..model.precision import PRECISIONS, default_precision
from ..model.wt_dit import WTDiT
from ..progress import OnProgress
from ..sampling import Samples, choose_seed, sample
from ..weights.load import load_model
from ..weights.plan import MemoryPlan, free_memory, is_out_of_memory, plan_memory, weight_bytes
from ..weights.tensorfile import WeightsHeader
from .wt_dit_options import WTDiTOptions

FILE_PRECISION = {"bf16": "fast", "fp32": "fp32"}

OnPreview = Callable[[np.ndarray], None]


@dataclass(frozen=True)
class Setting:
    """What makes two loaded networks different: the file (path, time, size), and how it is computed with."""

    file: tuple[str, int, int]
    device: str
    precision: str
    offload: bool


@dataclass(frozen=True)
class Loaded:
    """A network on its device."""

    setting: Setting
    model: WTDiT
    streams: list[BlockStream]
    held: int  # bytes that it takes of the device's memory

    def stop(self) -> None:
        for stream in self.streams:
            stream.stop()


@dataclass(frozen=True)
class Traced:
    """What came out for all seeds.

    Attributes:
        xyz: (k, t, l, H, W, 3) float32, 0 where the mask is off.
        mask: (t, l, H, W) bool.
        best: index of the suggested seed.
        disagreement: per seed, from `choose_seed`.
        precision, steps, device: how it was computed.
        notes: what went differently than wished.
    """

    xyz: np.ndarray
    mask: np.ndarray
    best: int
    disagreement: list[float]
    precision: str
    steps: int
    device: str
    notes: list[str]


class NetworkKeeper:
    """Loads networks when they are needed and keeps the last one."""

    def __init__(self) -> None:
        self._loaded: Loaded | None = None

    def free_memory(self) -> None:
        """Drop the network."""
        if self._loaded is not None:
            self._loaded.stop()
        self._loaded = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()

    def trace(
        self,
        path: Path,
        header: WeightsHeader,
        rgb: np.ndarray,
        mask: np.ndarray,
        wish: WTDiTOptions,
        on_progress: OnProgress,
        on_preview: OnPreview | None = None,
    ) -> Traced:
        """Sample all seeds; if memory runs out, once more with the smallest setting.

        Args:
            path: converted weights.
            header: of that file.
            rgb: (t, H, W, 3) uint8, the frames that the network sees.
            mask: (t, H, W) bool, the same for all layers.
            wish: seeds, steps, precision, device, offload, official_noise and preview_every are used.
            on_progress: called before each step; whatever it raises passes through.
            on_preview: takes the first seed's current estimate, (t, l, H, W, 3) float32.

        Raises:
            WorldTracingError: WT-MODEL-NAN, WT-ENV-DEVICE, WT-MEM-TOO-SMALL, WT-MEM-TRACE, and those of
                `load_model` but WT-MEM-LOAD.
        """
        steps = header.config.steps if wish.steps is None else wish.steps
        device = choose_device(wish.device)
        plan = self._plan(path, header, device, wish, len(rgb), rgb.shape[1])
        notes = [plan.sentence] if plan.sentence else []
        run = _Run(rgb, mask, wish, steps, device, on_progress, on_preview)
        try:
            return self._attempt(path, header, run, plan, notes)
        except (RuntimeError, MemoryError, WorldTracingError) as error:
            if not _ran_out(error):
                raise
            failure = getattr(error, "message", str(error))
        smaller = _smallest(plan, header, device)
        if smaller == replace(plan, sentence=""):
            raise _out_of_memory(header, device, failure)
        self.free_memory()  # outside the handler, whose exception holds on to tensors
        note = f"Memory ran out; traced again with {_describe(smaller)}."
        on_progress(note, 0, 1)
        try:
            return self._attempt(path, header, run, smaller, [*notes, note])
        except (RuntimeError, MemoryError, WorldTracingError) as error:
            if not _ran_out(error):
                raise
            failure = getattr(error, "message", str(error))
        self.free_memory()
        raise _out_of_memory(header, device, failure)

    def _plan(
        self, path: Path, header: WeightsHeader, device: str, wish: WTDiTOptions, frames: int, size: int
    ) -> MemoryPlan:
        kept = self._loaded
        if kept is not None and (kept.setting.file, kept.setting.device) != (_identity(path), device):
            self.free_memory()
            kept = None
        precision = wish.precision or default_precision(torch.device(device)).name
        free = free_memory(device)
        if free is not None and kept is not None:
            free += kept.held  # of the same file: it stays or makes room
        offload = wish.offload and device != "cpu"  # where there is no other memory
        plan = plan_memory(header.config, free, precision, len(wish.seeds), frames, size, offload)
        return _on_cpu(plan, header) if device == "cpu" and plan.offload else plan

    def _attempt(self, path: Path, header: WeightsHeader, run: _Run, plan: MemoryPlan, notes: list[str]) -> Traced:
        model = self._get(path, header, run.device, plan, run.on_progress)
        xyz, trusted = run.sample(model, plan.seeds)
        choice = choose_seed(xyz, trusted)
        return Traced(
            xyz=xyz[:, 0].numpy(),
            mask=trusted[0].numpy(),
            best=choice.best,
            disagreement=choice.disagreement,
            precision=plan.precision,
            steps=run.steps,
            device=run.device,
            notes=notes,
        )

    def _get(self, path: Path, header: WeightsHeader, device: str, plan: MemoryPlan, on_progress: OnProgress) -> WTDiT:
        offload = plan.offload and device != "cpu"
        setting = Setting(_identity(path), device, plan.precision, offload)
        if self._loaded is None or self._loaded.setting != setting:
            self.free_memory()
            on_progress("Loading weights", 0, 1)
            model, _ = load_model(
                path, "cpu" if offload else device, PRECISIONS[plan.precision], on_progress=on_progress
            )
            streams = offload_blocks(model, device) if offload else []
            mapped = device == "cpu" and FILE_PRECISION[header.precision] == plan.precision
            held = 0 if mapped else weight_bytes(header.config, plan.precision, offload)
            self._loaded = Loaded(setting, model, streams, held)
        return self._loaded.model


@dataclass(frozen=True)
class _Run:
    """One trace, apart from the memory that it may use."""

    rgb: np.ndarray
    mask: np.ndarray
    wish: WTDiTOptions
    steps: int
    device: str
    on_progress: OnProgress
    on_preview: OnPreview | None

    @torch.inference_mode()
    def sample(self, model: WTDiT, batch: int) -> tuple[Tensor, Tensor]:
        """All seeds, `batch` of them at a time: `Samples.xyz` and `Samples.mask`, on the CPU."""
        self.on_progress("Encoding the picture", 0, 1)
        frames = torch.from_numpy(self.rgb).to(self.device).movedim(-1, 1)[None].float() / 255  # (1, t, 3, H, W)
        conditioning = model.condition(frames)
        layers = model.config.layers
        mask = torch.from_numpy(self.mask)[None, :, None].expand(-1, -1, layers, -1, -1)
        seeds = self.wish.seeds
        parts = []
        for start in range(0, len(seeds), batch):
            part = sample(
                model,
                conditioning,
                mask,
                seeds[start : start + batch],
                self.steps,
                self._progress_from(start, batch),
                official_noise=self.wish.official_noise,
                preview_every=self.wish.preview_every,
                on_preview=self._preview if self.on_preview and start == 0 else None,
            )
            _check_finite(part)
            parts.append(part.xyz.cpu())
        return torch.cat(parts), part.mask.cpu()

    def _progress_from(self, start: int, batch: int) -> OnProgress:
        """Progress of one batch as steps of all batches."""
        done, batches = start // batch, -(-len(self.wish.seeds) // batch)
        return lambda stage, k, n: self.on_progress(stage, done * n + k, batches * n)

    def _preview(self, _step: int, xyz: Tensor) -> None:
        self.on_preview(xyz[0, 0].cpu().numpy())


def choose_device(wanted: str) -> str:
    """The device to compute on; "auto" is the first of CUDA, MPS and the CPU that is there.

    Raises:
        WorldTracingError: WT-ENV-DEVICE.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = ["cuda"] * (count > 0) + [f"cuda:{k}" for k in range(count)]
    there += ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    if wanted == "auto":
        return there[0]
    if wanted not in there:
        raise WorldTracingError(
            "WT-ENV-DEVICE",
            f"PyTorch {torch.__version__} has no device {wanted!r} on this machine.",
            f"Choose one of: auto, {', '.join(there)}; or install a PyTorch build for your GPU.",
        )
    return wanted


def _identity(path: Path) -> tuple[str, int, int]:
    status = path.stat()
    return str(path.resolve()), status.st_mtime_ns, status.st_size


def _check_finite(samples: Samples) -> None:
    if not samples.normalized[samples.mask.expand(samples.normalized.shape[:-1])].isfinite().all():
        raise WorldTracingError(
            "WT-MODEL-NAN",
            "The network's result contains numbers that are not finite.",
            "Check the weights with `worldtracing weights verify`; with intact weights, trace with precision fp32.",
        )


def _on_cpu(plan: MemoryPlan, header: WeightsHeader) -> MemoryPlan:
    """Offload where there is no other memory: in the file's own precision, the weights are pages of the file, which
    the system reads and drops as it needs."""
    precision = FILE_PRECISION[header.precision]
    sentence = plan.sentence.replace("blocks offloaded to main memory", "the weights read from disk as needed")
    return replace(plan, precision=precision, offload=False, sentence=sentence)


def _smallest(plan: MemoryPlan, header: WeightsHeader, device: str) -> MemoryPlan:
    """The setting that takes the least memory."""
    smallest = replace(plan, precision="fast", seeds=1, offload=True, sentence="")
    return _on_cpu(smallest, header) if device == "cpu" else smallest


def _describe(plan: MemoryPlan) -> str:
    where = ", blocks in main memory" if plan.offload else ""
    return f"one seed at a time, {'bf16' if plan.precision == 'fast' else 'float32'}{where}"


def _ran_out(error: Exception) -> bool:
    return getattr(error, "code", "") == "WT-MEM-LOAD" or is_out_of_memory(error)


def _out_of_memory(header: WeightsHeader, device: str, failure: str) -> WorldTracingError:
    reason = failure.strip().splitlines()[0][:200] if failure.strip() else "MemoryError"
    return WorldTracingError(
        "WT-MEM-TRACE",
        f"Memory ran out on {device} with {header.config.name}, even with the smallest setting ({reason}).",
        "Close other programs that use the memory, choose a smaller model, or trace on the CPU.",
    )
