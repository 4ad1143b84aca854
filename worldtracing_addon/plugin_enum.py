"""Blender enum properties whose items are plug-ins of a registry, engines or mesh generators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol
from zlib import crc32

import bpy


class _Info(Protocol):
    name: str
    label: str
    description: str


def plugin_enum(known: Callable[[], Iterable[_Info]], stored: str, name: str, description: str) -> Any:
    """An enum of plug-ins by name, for a property group.

    Args:
        known: the plug-ins that there are now.
        stored: string property of the same group that keeps the chosen one's name, so that it outlives a machine that
            does not have it.
        name, description: of the property.
    """
    kept: list[tuple[str, str, str, str, int]] = []  # Blender does not keep the strings of dynamic enums alive

    def items(group: bpy.types.PropertyGroup, _context: Any) -> list[tuple[str, str, str, str, int]]:
        found = [(info.name, info.label, info.description) for info in known()]
        chosen = getattr(group, stored)
        if chosen not in {name for name, *_ in found}:
            found.append((chosen, f"{chosen} (not found)", "Not installed here"))
        kept[:] = [(*item, "NONE", _number(item[0])) for item in found]
        return kept

    def get(group: bpy.types.PropertyGroup) -> int:
        return _number(getattr(group, stored))

    def set_(group: bpy.types.PropertyGroup, number: int) -> None:
        setattr(group, stored, next(item[0] for item in items(group, None) if item[-1] == number))

    return bpy.props.EnumProperty(name=name, description=description, items=items, get=get, set=set_)


def _number(name: str) -> int:
    """The same for a plug-in whatever else is installed."""
    return crc32(name.encode()) & 0x7FFFFFFF
