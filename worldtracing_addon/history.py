"""The list of saved traces that the panel shows, read in the background."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime
from pathlib import Path

import bpy

from . import preferences
from .core.traces import SavedTrace, find_traces
from .handoff import in_background
from .scene.origin import world_result
from .scene.worlds import worlds

POLL_SECONDS = 0.1

_reading: Future | None = None
_is_read = False


def folders() -> list[Path]:
    """The results folder, and those of the worlds in this file."""
    roots = [world.root for scene in bpy.data.scenes for world in worlds(scene)]
    results = [world_result(root) for root in roots if root is not None and root.get("wt_file")]
    return list(dict.fromkeys([preferences.results_folder(), *(result.parent for result in results)]))


def ensure() -> None:
    """Have the list read once; panels call this while they draw, and it opens nothing itself."""
    if not _is_read and not bpy.app.timers.is_registered(_read):
        bpy.app.timers.register(_read, first_interval=0)


def refresh() -> None:
    """Have the list read anew."""
    global _reading, _is_read
    _reading, _is_read = None, False  # what is being read may be out of date already
    ensure()


def show(traces: list[SavedTrace]) -> None:
    """Fill the panel's list."""
    for manager in bpy.data.window_managers:
        history = manager.world_tracing_history
        history.traces.clear()
        for trace in traces:
            item = history.traces.add()
            item.name, item.path, item.label = trace.name, str(trace.path), trace.label
            item.when = f"{datetime.fromtimestamp(trace.written):%Y-%m-%d %H:%M}"
            item.size = f"{trace.size / 1e6:.1f} MB"
        history.index = min(history.index, max(0, len(traces) - 1))


def _read() -> float | None:
    """A timer's callback: start a thread that reads, and take over what it has found."""
    global _reading, _is_read
    if _reading is None:
        _reading = in_background(find_traces, folders())
        return POLL_SECONDS
    if not _reading.done():
        return POLL_SECONDS
    found, _reading, _is_read = _reading, None, True
    show([] if found.exception() is not None else found.result())
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
    return None


@bpy.app.handlers.persistent
def _on_file_opened(*_) -> None:
    global _reading, _is_read
    _reading, _is_read = None, False  # another file, another results folder


def register() -> None:
    bpy.app.handlers.load_post.append(_on_file_opened)


def unregister() -> None:
    global _reading, _is_read
    bpy.app.handlers.load_post.remove(_on_file_opened)
    if bpy.app.timers.is_registered(_read):
        bpy.app.timers.unregister(_read)
    _reading, _is_read = None, False
