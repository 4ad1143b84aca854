"""How long work reports itself: `on_progress(stage, k, n)` before step k (0-based) of n.

A callback that raises `Cancelled` stops the work within one step.
"""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]


def silent(stage: str, k: int, n: int) -> None:
    """The callback of callers that do not listen."""
