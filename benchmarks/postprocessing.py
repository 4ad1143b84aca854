"""How long everything after the network takes, on made-up layers of 504 x 504 pixels: time that one core works.

    python benchmarks/postprocessing.py [--json]

The surfaces are wavy, noisy and mixed at their edges as a network's are; a tenth of the rays has layers swapped, and
half of them end in layers that repeat the one before. The goals are for an object, whose crop it fills to two thirds.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from worldtracing.camera import Camera
from worldtracing.engines.wt_dit_network import Traced
from worldtracing.engines.wt_dit_options import WTDiTOptions
from worldtracing.engines.wt_dit_world import WorldMaker, repair_layers
from worldtracing.model.config import R75B
from worldtracing.preprocess import NetworkInput, Window
from worldtracing.sampling import choose_seed
from worldtracing.weights.tensorfile import WeightsHeader

SIZE, LAYERS, SEEDS = 504, 6, 4


def surfaces(rng: np.random.Generator) -> np.ndarray:
    """One seed's layers, (L, H, W, 3) float32."""
    rays = Camera.from_fov(SIZE, SIZE, 49.1).rays()
    u, v, _ = np.moveaxis(rays, -1, 0)
    z = np.stack([1.5 + 0.2 * k + 0.1 * np.sin(9 * u + k) * np.cos(7 * v) for k in range(LAYERS)])
    z[:, :, SIZE // 2 :] += 0.5  # an edge in the picture's middle, and points strung across it
    z[:, :, SIZE // 2 - 1] += 0.25
    ends, swapped = (rng.random((SIZE // 14, SIZE // 14)) < share for share in (0.5, 0.1))  # patch by patch
    ends, swapped = (np.kron(patches, np.ones((14, 14), bool)) for patches in (ends, swapped))
    z[3:, ends] = z[2, ends]
    z[:2, swapped] = z[1::-1, swapped]
    z *= 1 + 1e-3 * rng.standard_normal(z.shape)
    slopes = rays[..., :2] + rng.normal(0, 0.2 / SIZE, (LAYERS, SIZE, SIZE, 2))
    return np.concatenate([slopes * z[..., None], z[..., None]], -1).astype(np.float32)


def finish(xyz: np.ndarray, mask: np.ndarray, flyers: bool) -> None:
    """What the engine does after the last step: suggest a seed, repair the layers, make every seed's world."""
    trusted = np.broadcast_to(mask, (LAYERS, SIZE, SIZE))
    choice = choose_seed(torch.from_numpy(xyz)[:, None, None], torch.from_numpy(trusted.copy())[None, None])
    traced = Traced(xyz, trusted, choice.best, choice.disagreement, "fast", 20, "cpu", [])
    layers = repair_layers(xyz, trusted)
    wish = WTDiTOptions(seeds=tuple(range(len(xyz))), flyers=flyers)
    maker = WorldMaker(WeightsHeader(R75B, "bf16", "0" * 64), wish, "object" if flyers else "scene")
    picture = NetworkInput(np.zeros((SIZE, SIZE, 3), np.uint8), mask, Window(0, 0, SIZE, SIZE, SIZE, SIZE))
    maker.world(traced, layers, choice.best, picture, Camera.from_fov(SIZE, SIZE, 49.1), [])


def seconds(work: Callable[[], object]) -> float:
    """The least of three times that this process had a core, after one that does not count."""
    times = []
    for _ in range(4):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    as_json = parser.parse_args().json
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    xyz = np.stack([surfaces(rng) for _ in range(SEEDS)])
    crop = np.zeros((SIZE, SIZE), bool)
    crop[SIZE // 6 : -SIZE // 6, SIZE // 6 : -SIZE // 6] = True
    failed = False
    for name, seeds, mask, flyers, goal in (
        ("object, one seed", 1, crop, True, 0.6),
        ("object, four seeds", SEEDS, crop, True, 1.5),
        ("whole picture, one seed, with the flyer filter", 1, np.ones_like(crop), True, None),
        ("whole picture, one seed", 1, np.ones_like(crop), False, 0.6),
        ("whole picture, four seeds", SEEDS, np.ones_like(crop), False, 1.5),
    ):
        value = seconds(lambda s=seeds, m=mask, f=flyers: finish(xyz[:s], m, f))
        ok = goal is None or value <= goal
        failed |= not ok
        wanted = None if goal is None else f"<= {goal:g}"
        line = {"name": name, "value": round(value, 4), "unit": "s", "goal": wanted, "ok": ok}
        print(json.dumps(line) if as_json else f"{'ok  ' if ok else 'MISS'} {name:50} {value:6.3f} s  {wanted or ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
