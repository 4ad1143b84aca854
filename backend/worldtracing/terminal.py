"""What the commands read from their arguments, and show while they work."""

from __future__ import annotations

import argparse
import shutil
import sys


def positive(text: str) -> int:
    """An argument that counts something."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


class ProgressBar:
    """A line on the terminal that is drawn over itself."""

    WIDTH = 30

    def __init__(self, title: str) -> None:
        self.title = title

    def __call__(self, stage: str, k: int, n: int) -> None:
        filled = self.WIDTH * k // max(n, 1)
        bar = "#" * filled + "." * (self.WIDTH - filled)
        self._draw(f"[{bar}] {stage} {k}/{n}  {self.title}")

    def clear(self) -> None:
        self._draw("")
        print(end="\r", file=sys.stderr, flush=True)

    def _draw(self, line: str) -> None:
        columns = shutil.get_terminal_size().columns - 1  # the last column would break the line
        print("\r" + line[:columns].ljust(columns), end="", file=sys.stderr, flush=True)
