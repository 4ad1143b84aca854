"""Checkpoints of a run: complete or absent, and read without running code from them.

`RUN/step-00001234/` holds `weights.safetensors` (the averaged weights, what is used) and `training.pt` (weights as
trained, optimizers, position in the data), which `torch.load` reads with `weights_only`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor

from ..errors import WorldTracingError
from ..model.config import ModelConfig
from ..weights.tensorfile import TensorSpec, WeightsHeader, write_weights

KEPT = 2


def save_checkpoint(run: Path, step: int, weights: dict[str, Tensor], training: dict, config: ModelConfig) -> Path:
    """Write a checkpoint and remove all but the newest two."""
    folder = run / f"step-{step:08d}"
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_weights(partial / "weights.safetensors", weights, config)
    torch.save(training, partial / "training.pt")
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    for old in checkpoints(run)[:-KEPT]:
        shutil.rmtree(old)
    return folder


def save_weights(path: Path, weights: dict[str, Tensor], config: ModelConfig, dtype: torch.dtype | None = None) -> None:
    """A file of weights like those of converted checkpoints, all float32 or, with `dtype`, all float16."""
    precision, kind = ("fp16", "F16") if dtype == torch.float16 else ("fp32", "F32")
    tensors = {name: x.detach().to("cpu", dtype or torch.float32).contiguous() for name, x in weights.items()}
    specs = [TensorSpec(name, kind, tuple(x.shape)) for name, x in tensors.items()]
    write_weights(path, WeightsHeader(config, precision, ""), specs, (x.numpy().tobytes() for x in tensors.values()))


def checkpoints(run: Path) -> list[Path]:
    """The run's complete checkpoints, the newest last."""
    return sorted(path for path in run.glob("step-*") if path.suffix != ".partial")


def load_training(folder: Path) -> dict:
    """What `save_checkpoint` was given as `training`.

    Raises:
        WorldTracingError: WT-TRAIN-CHECKPOINT.
    """
    try:
        return torch.load(folder / "training.pt", map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises errors of many kinds for broken files
        raise WorldTracingError(
            "WT-TRAIN-CHECKPOINT",
            f"The checkpoint {folder} cannot be continued ({type(error).__name__}: {error}).",
            "Remove its folder to continue from the one before, or start a new run.",
        ) from error
