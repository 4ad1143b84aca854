"""Renders the training samples beside the training: other processes fill the folder that it reads."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import WorldTracingError

HELD_OUT_SEED, TRAIN_SEED = 1000, 1
FIRST_SHARDS = 4
"""Training begins when so many shards are there; those that follow take part from the next epoch on."""

PACKAGE = __name__.rpartition(".training.")[0]


def render_held_out(pool: str, folder: str, count: int, workers: int) -> None:
    """Objects of the pool's held-out meshes. What is there already stays."""
    options = ["--split", "held-out", "--pool-share", "1", "--only", "object", "--seed", str(HELD_OUT_SEED)]
    process = _render(pool, folder, count, workers, options)
    if process.wait():
        raise _failed(folder)


@contextmanager
def rendering(pool: str, folder: str, count: int, workers: int) -> Iterator[None]:
    """Render training samples meanwhile; returns when the first shards are there."""
    process = _render(pool, folder, count, workers, ["--split", "train", "--seed", str(TRAIN_SEED)])
    try:
        while process.poll() is None and len(list(Path(folder).glob("shard-*.safetensors"))) < FIRST_SHARDS:
            time.sleep(1)
        if process.poll():
            raise _failed(folder)
        yield
    finally:
        process.terminate()
        process.wait()


def _render(pool: str, folder: str, count: int, workers: int, options: list[str]) -> subprocess.Popen:
    arguments = ["--pool", pool, "--out", folder, "--count", str(count), "--workers", str(workers)]
    return subprocess.Popen(
        [sys.executable, "-m", f"{PACKAGE}.data", "render", *arguments, *options], stdout=subprocess.DEVNULL
    )


def _failed(folder: str) -> WorldTracingError:
    return WorldTracingError(
        "WT-TRAIN-RENDER",
        f"The samples in {folder} could not be rendered; the lines above say why.",
        "Correct that, and start the training again.",
    )
