"""Side views of saved worlds as icons, made in the background and kept until Blender quits.

A panel asks for an icon while it draws. That never opens a file: it gets 0, and the icon once it is there.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np

from ..backend.worldtracing.world import LayeredWorld
from .core.thumbnail import side_view
from .handoff import in_background

SIZE, ICON_SIZE = 128, 32
POLL_SECONDS = 0.1

_previews: bpy.utils.previews.ImagePreviewCollection  # while the add-on is on
_asked: set[str] = set()
_waiting: deque[str] = deque()
_work: tuple[str, Future] | None = None


def icon(path: Path) -> int:
    """The icon of the world saved at `path`; 0 while it is being made, or where the file cannot be read."""
    key = str(path)
    if key in _previews:
        return _previews[key].icon_id
    if key not in _asked:
        _asked.add(key)
        _waiting.append(key)
    if (_waiting or _work) and not bpy.app.timers.is_registered(_collect):  # opening a file ends timers
        bpy.app.timers.register(_collect, first_interval=POLL_SECONDS)
    return 0


def forget(paths: Iterable[Path]) -> None:
    """These files were written anew."""
    for key in map(str, paths):
        _asked.discard(key)
        if key in _previews:
            del _previews[key]


def _collect() -> float | None:
    """A timer's callback: take what is done, begin the next; one at a time, as each fills a processor core."""
    global _work
    if _work is not None and _work[1].done():
        key, future = _work
        _work = None
        if future.exception() is None and key in _asked and key not in _waiting:  # else it was written anew meanwhile
            _add(key, future.result())
    if _work is None and _waiting:
        key = _waiting.popleft()
        _work = (key, in_background(_make, key))
    return POLL_SECONDS if _work is not None else None


def _make(path: str) -> np.ndarray:
    return side_view(LayeredWorld.load(path), SIZE)


def _add(key: str, picture: np.ndarray) -> None:
    preview = _previews.new(key)
    preview.image_size = (SIZE, SIZE)
    preview.image_pixels_float.foreach_set(picture.reshape(-1))
    preview.icon_size = (ICON_SIZE, ICON_SIZE)
    step = SIZE // ICON_SIZE
    preview.icon_pixels_float.foreach_set(np.ascontiguousarray(picture[::step, ::step]).reshape(-1))
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def register() -> None:
    global _previews
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _work
    with contextlib.suppress(ValueError):  # it is not waiting
        bpy.app.timers.unregister(_collect)
    _asked.clear()
    _waiting.clear()
    _work = None
    bpy.utils.previews.remove(_previews)
