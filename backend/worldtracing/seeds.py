"""Several guesses of what a photo hides: which seeds, one world for each, and the one to show first.

Engines that sample all seeds in one batch (`EngineInfo.options` has "seeds") do that themselves; for the others that
draw noise, `trace_seeds` traces one seed after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .errors import WorldTracingError
from .layers import confidence_from_seeds
from .progress import OnProgress
from .world import LayeredWorld

MAX_SEEDS = 16
SEED_RANGE = 2**32


def read_seeds(value: Any, first: int) -> tuple[int, ...]:
    """The seeds that `value` stands for: a count n, for `first` and the n - 1 after it, or a list.

    Raises:
        WorldTracingError: WT-MODEL-SEEDS.
    """
    listed = isinstance(value, list | tuple)
    count = value if _is_seed(value) else 0
    seeds = tuple(value) if listed else tuple((first + k) % SEED_RANGE for k in range(min(count, MAX_SEEDS + 1)))
    if not 1 <= len(seeds) <= MAX_SEEDS or len(set(seeds)) < len(seeds) or not all(map(_is_seed, seeds)):
        raise WorldTracingError(
            "WT-MODEL-SEEDS",
            f"{value!r} seeds are not possible.",
            f"Give a count from 1 to {MAX_SEEDS}, or so many different numbers from 0 to {SEED_RANGE - 1}.",
        )
    return seeds


def seed_file(stem: str | Path, seed: int) -> Path:
    """Where the world of one seed is kept; `stem` is the path of the result without its ending."""
    return Path(f"{stem}_seed{seed}.safetensors")


def trace_seeds(
    trace: Callable[[int, OnProgress], LayeredWorld],
    seeds: Sequence[int],
    keep_seeds: str | Path | None,
    on_progress: OnProgress,
) -> LayeredWorld:
    """Trace each seed and return the suggested world; its confidence is the seeds' agreement, if it has none.

    Args:
        trace: makes the world of one seed.
        keep_seeds: path without an ending; with several seeds every world is written to its `seed_file`, once all are
            traced, so that a cancel leaves no file.

    Raises:
        WorldTracingError: what `trace` raises, WT-IO-WRITE, WT-IO-FULL.
    """
    worlds = [trace(seed, _part_of(on_progress, k, len(seeds))) for k, seed in enumerate(seeds)]
    if len(worlds) == 1:
        return worlds[0]
    best, disagreement = choose_world(worlds)
    confidence = _agreement(worlds)
    worlds = [
        replace(
            world,
            confidence=confidence if world.confidence is None else world.confidence,
            metadata={**world.metadata, "seeds": list(seeds), "seed_disagreement": disagreement},
        )
        for world in worlds
    ]
    if keep_seeds is None:
        return worlds[best]
    files = [seed_file(keep_seeds, seed) for seed in seeds]
    for k, (world, file) in enumerate(zip(worlds, files, strict=True)):
        on_progress("Writing the seeds", k, len(files))
        world.save(file)
    return replace(worlds[best], metadata={**worlds[best].metadata, "seed_files": [file.name for file in files]})


def choose_world(worlds: Sequence[LayeredWorld]) -> tuple[int, list[float]]:
    """The index of the world nearest to what all agree on, and how far each is from it (lower is better).

    That is the median distance of its depths from the worlds' median depth at the same layer and pixel, relative to
    the median depth. Only points that all worlds have count; without any, the first world is chosen.
    """
    layers = min(world.layers for world in worlds)
    common = np.logical_and.reduce([world.valid[:layers] for world in worlds])
    if not common.any():
        return 0, [0.0] * len(worlds)
    depth = np.stack([world.points[:layers, ..., 2][common] for world in worlds])
    consensus = np.median(depth, axis=0)
    scale = max(float(np.median(consensus)), 1e-6)
    disagreement = [float(np.median(np.abs(values - consensus))) / scale for values in depth]
    return int(np.argmin(disagreement)), disagreement


def _agreement(worlds: Sequence[LayeredWorld]) -> np.ndarray | None:
    """(L, H, W) float32; None where the worlds differ in size."""
    if len({world.points.shape for world in worlds}) > 1:
        return None
    return confidence_from_seeds(np.stack([w.points for w in worlds]), np.stack([w.valid for w in worlds]))


def _part_of(on_progress: OnProgress, index: int, count: int) -> OnProgress:
    if count == 1:
        return on_progress
    return lambda stage, k, n: on_progress(f"Seed {index + 1} of {count}: {stage}", k, n)


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < SEED_RANGE
