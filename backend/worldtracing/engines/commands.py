"""`worldtracing clip`, and the arguments of engines with a model, which `worldtracing trace` has too."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from ..progress import silent
from ..terminal import ProgressBar
from ..weights.catalogue import RELEASED
from .base import EngineInfo
from .wt_dit_options import PRECISIONS


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments for `model_extra`."""
    group = parser.add_argument_group(
        "engines with a model", "seeds and steps also for wt-bundled, the others for wt-dit"
    )
    group.add_argument(
        "--model", help=f"{', '.join(RELEASED)}, or a converted file (default: the first one that is there)"
    )
    group.add_argument("--seeds", type=_seeds, metavar="N", help="how many seeds, or a list: 42,43 (default: 1)")
    group.add_argument("--steps", type=int, metavar="1..20", help="sampler steps (default: the model's)")
    group.add_argument(
        "--precision", choices=PRECISIONS, help="default: fast (bf16) on GPUs that have it, fp32 elsewhere"
    )
    group.add_argument("--device", help="cuda, cuda:1, mps or cpu (default: the first that is there)")


def _seeds(text: str) -> int | list[int]:
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of seeds nor a list such as 42,43") from None
    return numbers if "," in text else numbers[0]


def model_extra(options: argparse.Namespace, target: Path | None = None) -> dict[str, Any]:
    """The options of the engine that were given; of several seeds all worlds are kept beside `target`."""
    names = ("model", "seeds", "steps", "precision", "device")
    extra = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if target is not None and "seeds" in extra:
        extra["keep_seeds"] = str(target)
    return extra


def ignored_options(options: argparse.Namespace, info: EngineInfo) -> list[str]:
    """The model's arguments that were given although the engine does not use them, as `--name`."""
    used = {
        *info.options,
        *(["device"] if "precision" in info.options else []),
        *(["seeds"] if info.draws_noise else []),
    }
    return [f"--{name}" for name in model_extra(options) if name not in used]


def add_clip_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `worldtracing clip`."""
    parser.add_argument("frames", type=Path, metavar="FOLDER", help="pictures, in the order of their names")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for one .safetensors file per frame")
    parser.add_argument("--masks", type=Path, metavar="FOLDER", help="a mask per frame, bright on the foreground")
    parser.add_argument("--seed", type=int, default=42, help="default: %(default)s")
    parser.add_argument("--ply", action="store_true", help="also write the points as PLY")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model_arguments(parser)


def run_clip(options: argparse.Namespace) -> int:
    """Trace a clip and write its worlds; errors pass as WorldTracingError."""
    from ..cli import output_names
    from ..clip import clip_frames, trace_clip
    from ..files import check_writable

    start = time.perf_counter()
    frames = clip_frames(options.frames)
    targets = [options.out / f"{name}.safetensors" for name in output_names(frames)]
    check_writable(targets[0])
    bar = ProgressBar(options.frames.name) if sys.stderr.isatty() else None
    try:
        worlds = trace_clip(
            frames, options.masks, seed=options.seed, extra=model_extra(options), on_progress=bar or silent
        )
    finally:
        if bar:
            bar.clear()
    files = []
    for world, target in zip(worlds, targets, strict=True):
        files.append(world.save(target))
        if options.ply:
            from ..export import export_ply

            files.append(export_ply(world, target.with_suffix(".ply")))
    seconds = round(time.perf_counter() - start, 2)
    if options.json:
        print(json.dumps({"frames": len(worlds), "files": [str(file) for file in files], "seconds": seconds}))
    else:
        print(f"{options.frames}: {len(worlds)} frames, {seconds} s", *files, sep="\n  ")
    for note in worlds[0].metadata["notes"]:
        print(note, file=sys.stderr)
    return 0
