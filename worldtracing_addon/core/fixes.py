"""Which errors the panel can fix with one click."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fix:
    """label: the button's text; action: what `wt.fix_error` does."""

    label: str
    action: str


_SCENE_MODE = Fix("Trace as Scene", "scene_mode")
_CLEAR_MASK = Fix("Clear Mask", "clear_mask")
_TRACE_AGAIN = Fix("Trace Again", "trace_again")

_FIXES = {
    "WT-IMG-FULL-MASK": _SCENE_MODE,
    "WT-IMG-EMPTY-MASK": _SCENE_MODE,
    "WT-IO-WRITE": Fix("Choose Results Folder", "open_preferences"),
    "WT-IO-FULL": Fix("Choose Results Folder", "open_preferences"),
    "WT-ENV-TORCH": Fix("Set Up Backend", "open_preferences"),
    "WT-ENV-PACKAGE": Fix("Set Up Backend", "open_preferences"),
    "WT-MODEL-MISSING": Fix("Download Model", "open_preferences"),
    "WT-WORKER-NO-PYTHON": Fix("Use Blender's Python", "blender_python"),
    "WT-WORKER-STALLED": Fix("Choose Python", "open_preferences"),
    "WT-WORKER-DIED": _TRACE_AGAIN,
    "WT-WORKER-FAILED": _TRACE_AGAIN,
}


def fix_for(code: str, mask_given: bool = False) -> Fix | None:
    """The one-click fix of an error code, or None where only the user can fix it."""
    if code == "WT-IMG-EMPTY-MASK" and mask_given:
        return _CLEAR_MASK
    return _FIXES.get(code)
