"""How fast a training step is, and its share of the bf16 matrix-product peak measured in the same run.

    python benchmarks/training.py [--model bundled-large] [--batch 256] [--json]

Samples are noise and weights random; speed does not depend on them. On the CPU times are those that the process had a
core; limit the threads with OMP_NUM_THREADS.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from worldtracing.training.config import Phase, TrainingConfig
from worldtracing.training.processes import Processes
from worldtracing.training.source import Renders
from worldtracing.training.trainer import Trainer


class Noise:
    """A source of noise: two layers everywhere."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def draw(self, first: int, count: int, size: int) -> Renders:
        rgba = torch.randint(0, 256, (count, size, size, 4), dtype=torch.uint8, device=self.device)
        rgba[..., 3] = 255
        depth = 1 + torch.rand(count, 6, size, size, device=self.device)
        depth[:, 2:] = 0
        return Renders(
            rgba, depth, torch.tensor([[size, size, size / 2, size / 2]], device=self.device).repeat(count, 1)
        )

    def state(self) -> list:
        return []

    def restore(self, state: list) -> None:
        pass


def seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median time of `work` after two runs that do not count."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    times = []
    for _ in range(repeats + 2):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(clock() - start)
    return sorted(times[2:])[repeats // 2]


def matmul_rate(device: torch.device) -> float:
    """Operations per second of a large bf16 product."""
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 / seconds(lambda: a @ b, device, 9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object per line: name, value, unit")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    peak = matmul_rate(device)
    results = [("bf16 matrix product", peak / 1e12, "TFLOP/s")]
    for objective in ("regression", "flow"):
        phase = Phase(objective, batch=options.batch, size=options.size)
        config = TrainingConfig(model=options.model, steps=1000, phases=(phase,), compile=options.compile)
        with tempfile.TemporaryDirectory() as run:
            trainer = Trainer(config, Path(run), Noise(device), [], Processes(), device)
            trainer._enter_phase(0)
            with FlopCounterMode(display=False) as counter:
                trainer._train_step(phase, 0.5)
            duration = seconds(lambda: trainer._train_step(phase, 0.5), device, options.repeats)  # noqa: B023
        results += [
            (f"{objective} step", 1e3 * duration, "ms"),
            (f"{objective} samples", options.batch / duration, "1/s"),
            (f"{objective} share of the peak", counter.get_total_flops() / duration / peak, ""),
        ]
    for name, value, unit in results:
        line = {"name": name, "value": round(value, 4), "unit": unit}
        print(json.dumps(line) if options.json else f"{name:32} {value:10.4g} {unit}", flush=True)


if __name__ == "__main__":
    main()
