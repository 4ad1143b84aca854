"""The record of a run: lines on the terminal, a CSV file, and TensorBoard's where it is installed."""

from __future__ import annotations

import csv
from pathlib import Path


class RunLog:
    """Appends to `scores.csv` and `loss.csv` in the run's folder."""

    def __init__(self, run: Path) -> None:
        self.run = run
        run.mkdir(parents=True, exist_ok=True)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.board = None
        else:
            self.board = SummaryWriter(str(run / "tensorboard"))

    def close(self) -> None:
        """Write what TensorBoard's thread still holds, which is up to two minutes behind, and end it."""
        if self.board:
            self.board.close()

    def write(self, name: str, step: int, values: dict[str, float]) -> None:
        """One row of `name`.csv, on the terminal too."""
        print(f"{name} {step}: " + ", ".join(f"{key} {value:.4g}" for key, value in values.items()), flush=True)
        path = self.run / f"{name}.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", *values])
            writer.writerow([step, *(f"{value:.6g}" for value in values.values())])
        if self.board:
            for key, value in values.items():
                self.board.add_scalar(f"{name}/{key}", value, step)
