"""Which errors the panel can fix with one click."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fix:
    """label: the button's text; action: what `wt.fix_error` does."""

    label: str
    action: str


_FIXES = {
    "WT-IMG-FULL-MASK": Fix("Trace as Scene", "scene_mode"),
    "WT-IMG-EMPTY-MASK": Fix("Clear Mask", "clear_mask"),
    "WT-IO-WRITE": Fix("Choose Results Folder", "open_preferences"),
    "WT-IO-FULL": Fix("Choose Results Folder", "open_preferences"),
    "WT-ENV-TORCH": Fix("Choose Python", "open_preferences"),
    "WT-WORKER-NO-PYTHON": Fix("Use Blender's Python", "blender_python"),
}


def fix_for(code: str) -> Fix | None:
    """The one-click fix of an error code, or None where only the user can fix it."""
    if code in _FIXES:
        return _FIXES[code]
    if code.startswith("WT-WORKER-") and code != "WT-WORKER-BUSY":
        return Fix("Restart Worker", "restart_worker")
    return None
