"""`worldtracing train CONFIG`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WorldTracingError
from ..model.config import model_config
from ..terminal import positive
from .config import TrainingConfig, read_config

if TYPE_CHECKING:
    from .source import Renders


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", type=Path, metavar="CONFIG", help="TOML file that describes the run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; a run in it is continued")
    parser.add_argument("--train", metavar="FOLDER", help="training samples, instead of the configuration's")
    parser.add_argument("--held-out", metavar="FOLDER", help="held-out samples, instead of the configuration's")
    parser.add_argument("--minutes", type=float, help="length of the whole run, instead of the configuration's")
    parser.add_argument(
        "--export", type=Path, metavar="FILE", help="do not train, but write the run's averaged weights in 16 bit"
    )
    parser.add_argument("--pool", metavar="FOLDER", help="folder of .npz meshes: render samples of them meanwhile")
    parser.add_argument("--samples", type=positive, default=1_000_000, help="rendered at most (default: %(default)s)")
    parser.add_argument("--workers", type=positive, default=1, help="processes that render (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    names = ("train", "held_out", "minutes")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    config = read_config(options.config, **changes)
    if options.export:
        export(config, options.out, options.export)
        return 0
    if options.pool is None or int(os.environ.get("RANK", 0)):
        train(config, options.out)
        return 0
    from .rendering import render_held_out, rendering

    render_held_out(options.pool, config.held_out, config.validation_samples, options.workers)
    with rendering(options.pool, config.train, options.samples, options.workers):
        train(config, options.out)
    return 0


def export(config: TrainingConfig, run: Path, path: Path) -> None:
    """Write the averaged weights of the run's newest checkpoint as float16, hidden layers calibrated on held-out
    samples where the configuration has them.

    Raises:
        WorldTracingError: WT-TRAIN-CHECKPOINT without a checkpoint.
    """
    import torch
    from safetensors.torch import load_file

    from ..model.conv_wt_dit import build_model
    from .calibration import best_levels, shift_levels
    from .checkpoint import checkpoints, save_weights

    found = checkpoints(run)
    if not found:
        raise WorldTracingError(
            "WT-TRAIN-CHECKPOINT", f"There is no checkpoint in {run}.", "Give the folder of a training run."
        )
    weights, network = load_file(found[-1] / "weights.safetensors"), model_config(config.model)
    if config.held_out:
        model = build_model(network).eval()
        model.load_state_dict(weights)
        levels, iou = best_levels(model, held_out_batches(config), network.steps)
        print("level and mask IoU of each layer:", *(f"{a:+.2f} {b:.3f}" for a, b in zip(levels, iou, strict=True)))
        weights = shift_levels(weights, network, levels)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(path, weights, network, torch.float16)


def held_out_batches(config: TrainingConfig) -> Iterator[Renders]:
    """The held-out samples, in batches for validation."""
    from .source import ShardSource, to_renders
    from .trainer import VALIDATION_BATCH

    reader = ShardSource(config.held_out, 0).reader()
    count = min(len(reader), config.validation_samples)
    for start in range(0, count, VALIDATION_BATCH):
        yield to_renders(reader.batch(range(start, min(start + VALIDATION_BATCH, count))))


def train(config: TrainingConfig, run: Path) -> None:
    """Start or continue a run; under `torchrun` as one of its processes."""
    from .processes import join_processes
    from .source import ShardSource
    from .trainer import Trainer

    processes, device = join_processes()
    processes.wait()  # until the first has samples
    held_out = list(held_out_batches(config)) if config.held_out and processes.first else []
    Trainer(config, run, ShardSource(config.train, config.seed), held_out, processes, device).train()
