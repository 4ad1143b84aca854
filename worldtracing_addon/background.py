"""The one task that this Blender has under way beside its windows: a set-up, a download, a look into a folder.

Importing this module starts nothing. All is called on the main thread.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable

import bpy

from ..backend.worldtracing.errors import Cancelled, WorldTracingError
from .core.tasks import Task, TaskState

POLL_SECONDS = 0.2

BRIEF_SECONDS = 1.0
"""How long Blender waits at most for a task that is brief, as in a folder on a network that does not answer."""

_task: Task | None = None
_on_done: Callable[[object], None] | None = None
_error: WorldTracingError | None = None


def task() -> Task | None:
    """What is under way."""
    return _task if _task is not None and not _task.state.finished else None


def error() -> WorldTracingError | None:
    """Why the last task failed."""
    return _error


def clear_error() -> None:
    """Show the last error no longer."""
    global _error
    _error = None


def cancel() -> None:
    """Stop what is under way."""
    if _task is not None:
        _task.cancel()


def require_online() -> None:
    """Raises WT-ENV-OFFLINE unless Blender allows online access."""
    if bpy.app.online_access:
        return
    forced = bpy.app.online_access_override
    raise WorldTracingError(
        "WT-ENV-OFFLINE",
        "Blender is set to stay offline.",
        "Start Blender without --offline-mode, or use a folder of wheels or a local file."
        if forced
        else "Allow Online Access in Blender's preferences, System; or use a folder of wheels or a local file.",
    )


def start(new: Task, on_done: Callable[[object], None] | None = None) -> Task:
    """Start a task; `on_done` gets its result on the main thread.

    Raises:
        WorldTracingError: WT-ENV-BUSY while another is under way.
    """
    global _task, _on_done, _error
    settle()
    if task() is not None:
        raise WorldTracingError("WT-ENV-BUSY", "The backend is busy with something else.", "Wait, or cancel that.")
    _task, _on_done, _error = new, on_done, None
    new.start()
    atexit.register(cancel)
    if not bpy.app.timers.is_registered(_watch):
        bpy.app.timers.register(_watch, persistent=True)
    return new


def settle() -> None:
    """Take in what has ended since the last look, or ends in a moment."""
    if _task is not None and _task.brief:
        _task.wait(BRIEF_SECONDS)
    _poll()


def _watch() -> float | None:
    """Follow the task and have what shows it redrawn; a timer."""
    _poll()
    regions = {"PREFERENCES": "WINDOW", "VIEW_3D": "UI"}  # not the viewport itself, which may be slow to draw
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if region.type == regions.get(area.type):
                    region.tag_redraw()
    return POLL_SECONDS if _task is not None else None


def _poll() -> None:
    """Take in a task that has ended, once."""
    global _task, _error, _on_done
    if _task is None or not _task.state.finished:
        return
    state, on_done = _task.state, _on_done
    _task = _on_done = None
    atexit.unregister(cancel)
    if state.status == "done" and on_done is not None:
        on_done(state.result)
    _error = state.error


def finish(started: Task, on_progress: Callable[[TaskState], None] | None = None) -> TaskState:
    """Wait for a task, which timers do not follow without a window.

    Raises:
        WorldTracingError: whatever stopped it.
    """
    try:
        while not started.state.finished:
            if on_progress is not None:
                on_progress(started.state)
            time.sleep(POLL_SECONDS / 4)
    except BaseException:
        started.cancel()
        raise
    _poll()
    state = started.state
    if state.error is not None:
        raise state.error
    if state.status == "cancelled":
        raise Cancelled
    if task() is not None and _task is not started:  # what follows by itself
        finish(_task)
    return state


def register() -> None:
    """Nothing is under way yet."""


def unregister() -> None:
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    cancel()
    atexit.unregister(cancel)
    clear_error()
