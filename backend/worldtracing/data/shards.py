"""Training samples on disk: rendered by several processes, resumable, read at random.

A data set is a folder of `dataset.json` (the settings that made it) and `shard-00000.safetensors`, ... with `SHARD`
samples each, in order. One shard holds, for N samples of H x W pixels:

    rgba    (N, H, W, 4) uint8
    valid   (N, ceil(6 H W / 8)) uint8     packed bits of (6, H, W)
    depth   (M,) uint16                    depths of the valid pixels, sample after sample, by (layer, row, column)
    start   (N + 1,) int64                 sample i has depth[start[i] : start[i + 1]]
    range   (N, 2) float32                 depth z = near + depth / 65535 * (far - near)
    K       (N, 4) float32                 fx, fy, cx, cy in pixels, pixel centres at +0.5

and its kinds as a JSON list in the header. Steps of depth are below 2e-5 of a sample's range.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..camera import Camera
from ..errors import WorldTracingError
from ..files import write_atomically
from ..progress import OnProgress, silent
from ..world import MAX_LAYERS
from .pool import mesh_files
from .scenes import KINDS, POOL_SHARE, Sample, make_sample, object_source

SHARD = 256
FORMAT = "worldtracing.samples"


@dataclass(frozen=True)
class DatasetConfig:
    """What determines every sample of a data set.

    Attributes:
        seed: sample i of a seed is always the same.
        size: the pictures' side in pixels.
        split: which part of the pool is used (see `pool.SPLITS`).
        pool_share: share of objects from the pool.
        kinds: kinds of samples and their probabilities.
        pool: digest of the pool's file names, "" without a pool.
    """

    seed: int
    size: int = 112
    split: str = "train"
    pool_share: float = POOL_SHARE
    kinds: tuple[tuple[str, float], ...] = tuple(KINDS.items())
    pool: str = ""


def render_dataset(
    out: str | Path,
    count: int,
    config: DatasetConfig,
    pool: str | Path | None = None,
    workers: int = 1,
    on_progress: OnProgress = silent,
) -> Path:
    """Render the first `count` samples; shards that are complete already stay.

    Args:
        out: the data set's folder, created if needed.
        pool: folder of .npz meshes, or None for procedural objects alone.
        workers: processes.
        on_progress: called when a shard is done.

    Raises:
        WorldTracingError: WT-IO-DATASET (the folder holds samples of other settings), WT-IO-POOL (the meshes give no
            usable sample), WT-WORKER-DIED (a process was ended), WT-IO-READ, WT-IO-WRITE, WT-IO-FULL.
    """
    out = Path(out)
    files = mesh_files(pool, config.split) if pool is not None else []
    config = _described(config, files)
    _claim(out, config)
    wanted = [min(SHARD, count - first) for first in range(0, count, SHARD)]
    missing = [k for k, n in enumerate(wanted) if not _complete(shard_path(out, k), n)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(workers, 1), mp_context=context, initializer=_end_with_parent) as executor:
        try:
            jobs = [executor.submit(_render_shard, out, k, wanted[k], config, files) for k in missing]
            for done, job in enumerate(as_completed(jobs)):
                job.result()
                on_progress("render", done, len(jobs))
        except BrokenProcessPool as error:
            raise WorldTracingError(
                "WT-WORKER-DIED",
                "A rendering process was ended from outside, perhaps for lack of memory.",
                "Start the command again, with fewer workers; complete shards are kept.",
            ) from error
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    return out


def _end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends: an executor's processes wait for
    work for ever if nobody tells them that there is none."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def shard_path(folder: Path, index: int) -> Path:
    """The file of one shard."""
    return folder / f"shard-{index:05d}.safetensors"


class ShardReader:
    """Samples of a data set by number; files are memory-mapped."""

    def __init__(self, folder: str | Path) -> None:
        """
        Raises:
            WorldTracingError: WT-IO-READ when the folder holds no data set, WT-IO-INVALID for a damaged shard.
        """
        self.folder = Path(folder)
        paths = sorted(self.folder.glob("shard-*.safetensors"))
        try:
            settings = json.loads((self.folder / "dataset.json").read_text())
        except (OSError, ValueError) as error:
            raise _no_dataset(self.folder) from error
        if not paths:
            raise _no_dataset(self.folder)
        self.config = settings
        self._shards = [_Shard(path) for path in paths]
        self._ends = np.cumsum([len(shard) for shard in self._shards])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = int(np.searchsorted(self._ends, index, "right"))
        return self._shards[shard].sample(index - int(self._ends[shard]) + len(self._shards[shard]))

    def batch(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Arrays of several samples.

        Returns:
            rgba (B, H, W, 4) uint8; depth (B, 6, H, W) float32, 0 where absent; K (B, 4) float32: fx, fy, cx, cy.
        """
        samples = [self[index] for index in indices]
        K = [(s.camera.fx, s.camera.fy, s.camera.cx, s.camera.cy) for s in samples]
        return np.stack([s.rgba for s in samples]), np.stack([s.depth for s in samples]), np.array(K, np.float32)


class _Shard:
    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            file = safe_open(path, framework="numpy")
            self._slices = {name: file.get_slice(name) for name in ("rgba", "valid", "depth")}
            self._start, self._range, self._K = (file.get_tensor(name) for name in ("start", "range", "K"))
            self._kinds = json.loads(file.metadata()["kinds"])
        except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
            raise WorldTracingError(
                "WT-IO-INVALID", f"{path} holds no samples ({error}).", "Remove it: rendering makes it again."
            ) from error

    def __len__(self) -> int:
        return len(self._kinds)

    def sample(self, i: int) -> Sample:
        rgba = self._slices["rgba"][i : i + 1][0]
        height, width = rgba.shape[:2]
        shape = (MAX_LAYERS, height, width)
        bits = np.unpackbits(self._slices["valid"][i : i + 1][0], count=MAX_LAYERS * height * width)
        depth = np.zeros(shape, np.float32)
        near, far = self._range[i]
        values = self._slices["depth"][int(self._start[i]) : int(self._start[i + 1])]
        depth[bits.reshape(shape).astype(bool)] = near + values.astype(np.float32) / 65535 * (far - near)
        return Sample(rgba, depth, Camera(width, height, *map(float, self._K[i])), self._kinds[i])


def shard_bytes(samples: Sequence[Sample]) -> bytes:
    """The file content of one shard."""
    from safetensors.numpy import save

    valid = [sample.depth > 0 for sample in samples]
    depths = [sample.depth[v].astype(np.float64) for sample, v in zip(samples, valid, strict=True)]
    ranges = np.array([(z.min(), z.max()) for z in depths], np.float32)
    coded = [
        np.rint((z - near) / max(far - near, 1e-9) * 65535).clip(0, 65535).astype(np.uint16)
        for z, (near, far) in zip(depths, ranges.astype(np.float64), strict=True)
    ]
    cameras = [sample.camera for sample in samples]
    tensors = {
        "rgba": np.stack([sample.rgba for sample in samples]),
        "valid": np.stack([np.packbits(v) for v in valid]),
        "depth": np.concatenate(coded),
        "start": np.cumsum([0, *map(len, coded)], dtype=np.int64),
        "range": ranges,
        "K": np.array([(c.fx, c.fy, c.cx, c.cy) for c in cameras], np.float32),
    }
    return save(tensors, {"format": FORMAT, "version": "1", "kinds": json.dumps([s.kind for s in samples])})


def _render_shard(out: Path, index: int, count: int, config: DatasetConfig, files: list[Path]) -> None:
    source = _source(tuple(files), config.pool_share)
    first = index * SHARD
    samples = [
        make_sample(config.seed, i, source, config.size, dict(config.kinds)) for i in range(first, first + count)
    ]
    write_atomically(shard_path(out, index), shard_bytes(samples))


_source = lru_cache(maxsize=1)(lambda files, share: object_source(list(files), share))


def _described(config: DatasetConfig, files: list[Path]) -> DatasetConfig:
    names = "\n".join(path.name for path in files)
    return DatasetConfig(**{**asdict(config), "pool": hashlib.sha256(names.encode()).hexdigest() if files else ""})


def _claim(out: Path, config: DatasetConfig) -> None:
    """Write the folder's settings, or check that they are the same."""
    path = out / "dataset.json"
    text = json.dumps({"format": FORMAT, "version": 1, **asdict(config)}, indent=1) + "\n"
    if path.exists() and path.read_text() != text:
        raise WorldTracingError(
            "WT-IO-DATASET",
            f"{out} holds samples that were made with other settings.",
            "Choose an empty folder, or the settings in its dataset.json.",
        )
    write_atomically(path, text.encode())


def _complete(path: Path, count: int) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.get_slice("K").get_shape()[0] == count
    except (OSError, SafetensorError):
        return False


def _no_dataset(folder: Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-IO-READ",
        f"There is no data set in {folder}.",
        "Render one with: python -m worldtracing.data render --out FOLDER --count N",
    )
