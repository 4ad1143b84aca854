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
_REMOTE = Fix("Remote Worker", "open_preferences")
_AGAIN = {
    "wt.trace_world": Fix("Trace Again", "again"),
    "wt.make_mesh": Fix("Make Mesh Again", "again"),
    "wt.make_all_meshes": Fix("Make Meshes Again", "again"),
    "wt.check_generators": Fix("Check Again", "again"),
}
"""By the button that began the work which failed."""

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
    "WT-WORKER-REMOTE-ADDRESS": _REMOTE,
    "WT-WORKER-REMOTE-UNREACHABLE": _REMOTE,
    "WT-WORKER-REMOTE-STRANGER": _REMOTE,
    "WT-WORKER-REMOTE-TOKEN": _REMOTE,
    "WT-MESH-SETUP": Fix("Set Up Generator", "open_preferences"),
    "WT-MESH-SERVER": Fix("Change Address", "open_preferences"),
}


def fix_for(code: str, mask_given: bool = False, work: str = "wt.trace_world") -> Fix | None:
    """The one-click fix of an error code, or None where only the user can fix it.

    Args:
        work: the operator that has failed.
    """
    if code in ("WT-WORKER-DIED", "WT-WORKER-FAILED", "WT-WORKER-REMOTE-LOST"):
        return _AGAIN.get(work)
    if code == "WT-IMG-EMPTY-MASK" and mask_given:
        return _CLEAR_MASK
    return _FIXES.get(code)
