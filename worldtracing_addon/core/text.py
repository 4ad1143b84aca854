"""What the panel says of a trace."""

from __future__ import annotations

from collections.abc import Sequence

from .jobs import JobState

SILENT_SECONDS = 15
"""Three of the worker's heartbeats: from here on its silence is worth telling."""

_FOREGROUND = {"given": "foreground from the mask", "alpha": "foreground from alpha", "everything": ""}


def progress_text(state: JobState) -> str:
    """Stage, step and time left, e.g. "Inflating 3/12, 4 s left"."""
    if state.status == "cancelling":
        return "Cancelling"
    text = state.stage or "Starting the worker"
    if state.n > 1:
        text += f" {min(state.k + 1, state.n)}/{state.n}"
    if state.seconds_left is not None:
        text += f", {duration(state.seconds_left)} left"
    if state.silent_seconds > SILENT_SECONDS:
        text += f", silent for {duration(state.silent_seconds)}"
    return text


def done_text(name: str, mask_method: str, notes: Sequence[str]) -> str:
    """What was done, e.g. "Traced cup.jpg; foreground found by color model. The best of 4 seeds is 43."."""
    method = mask_method.replace("-", " ").replace("colour", "color")
    foreground = _FOREGROUND.get(mask_method, f"foreground found by {method}")
    said = f"Traced {name}; {foreground}" if mask_method and foreground else f"Traced {name}"
    return " ".join([f"{said}.", *notes]) if notes else said


def duration(seconds: float) -> str:
    """Seconds up to a minute and a half, minutes up to an hour and a half, hours beyond."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
