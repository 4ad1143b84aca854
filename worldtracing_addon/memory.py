"""Gives the GPU back: the worker ends when it has been idle for long, and when Blender renders."""

from __future__ import annotations

import bpy

from . import preferences
from .client import session

LOOK_SECONDS = 5.0


def _end_when_idle() -> float:
    chosen = preferences.get_preferences()
    if chosen is not None and 0 < chosen.idle_minutes * 60 <= session.idle_seconds():
        session.end_idle_worker()
    return LOOK_SECONDS


@bpy.app.handlers.persistent
def _before_render(*_) -> None:
    chosen = preferences.get_preferences()
    if chosen is not None and chosen.free_before_render and not preferences.remote_worker():
        session.end_idle_worker()


def register() -> None:
    bpy.app.timers.register(_end_when_idle, first_interval=LOOK_SECONDS, persistent=True)
    bpy.app.handlers.render_init.append(_before_render)


def unregister() -> None:
    if bpy.app.timers.is_registered(_end_when_idle):
        bpy.app.timers.unregister(_end_when_idle)
    bpy.app.handlers.render_init.remove(_before_render)
