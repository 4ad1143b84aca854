"""Scene settings that a button changes and that another click sets back; the old values are kept in the file."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import bpy

Group = tuple[str, Any, dict[str, Any]]
"""(name, owner, values): what to set of one Blender structure."""


def known(groups: Sequence[Group]) -> list[Group]:
    """The groups, without values that this Blender does not have."""
    return [
        (group, owner, {name: value for name, value in values.items() if hasattr(owner, name)})
        for group, owner, values in groups
    ]


def current(groups: Sequence[Group]) -> dict[str, dict[str, Any]]:
    """The present values of what the groups set."""
    return {group: {name: getattr(owner, name) for name in values} for group, owner, values in groups}


def assign(owner: Any, values: dict[str, Any]) -> None:
    """Set values that differ; one that is the same may be unknown to this Blender."""
    for name, value in values.items():
        if getattr(owner, name) != value:
            setattr(owner, name, value)


def restore(scene: bpy.types.Scene, key: str, groups: Sequence[Group]) -> None:
    """Set back what the custom property `key` of the scene holds, as `current` has read it, and remove it.

    What this Blender does not know stays: the file may come from another version, or the engine be switched off.
    """
    if key not in scene:
        return
    saved = scene[key].to_dict()
    for group, owner, values in groups:
        kept = saved.get(group, {})  # by another version, or with Cycles off, less was kept
        before = {name: kept[name] for name in values if name in kept}
        for name, old in before.items():
            with contextlib.suppress(TypeError):
                assign(owner, {name: bool(old) if isinstance(values[name], bool) else old})
    del scene[key]
