"""What the panel says of a running trace."""

from __future__ import annotations

from .jobs import JobState


def progress_text(state: JobState) -> str:
    """Stage, step and time left, e.g. "Inflating 3/12, 4 s left"."""
    if state.status == "cancelling":
        return "Cancelling"
    text = state.stage or "Starting the worker"
    if state.n > 1:
        text += f" {min(state.k + 1, state.n)}/{state.n}"
    if state.seconds_left is not None:
        text += f", {duration(state.seconds_left)} left"
    return text


def duration(seconds: float) -> str:
    """Seconds up to a minute and a half, minutes up to an hour and a half, hours beyond."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
