"""Blender properties for the options that mesh generators declare: a group for each generator, made of its data."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bpy

from ..backend.worldtracing.meshing.options import GeneratorOption

MOST = (1 << 31) - 1
"""Largest number of an integer property."""

_groups: dict[tuple[str, str], tuple[type, tuple[GeneratorOption, ...], type]] = {}
"""Owner, options and class of each group, by the names of owner and generator."""


def declare(owner: type, generator: str, options: Sequence[GeneratorOption], on_change: Callable[[str], None]) -> None:
    """Give `owner`, a registered class, a group for a generator's options; values that were chosen before stay.

    `on_change` is called with the generator's name when somebody changes one.
    """
    key, options = (owner.__name__, generator), tuple(options)
    _, known, _ = _groups.get(key, (owner, (), None))
    if known == options:
        return
    _forget(key)
    if not options:
        return

    def update(_group, _context) -> None:
        on_change(generator)

    properties = {option.name: _property(option, update) for option in options}
    name = f"{owner.__name__}_{_attribute(generator)}"
    words = f"Options of {generator}"
    group = type(name, (bpy.types.PropertyGroup,), {"__annotations__": properties, "__doc__": words})
    bpy.utils.register_class(group)
    pointer = bpy.props.PointerProperty(type=group, name=generator, description=words)
    setattr(owner, _attribute(generator), pointer)
    _groups[key] = owner, options, group


def options_of(values: bpy.types.bpy_struct, generator: str) -> tuple[Any, tuple[GeneratorOption, ...]]:
    """The group of a generator's options in `values`, an instance of an owner, and what it holds, to be drawn."""
    _, options, _ = _groups.get((type(values).__name__, generator), (None, (), None))
    return (getattr(values, _attribute(generator)), options) if options else (None, ())


def chosen(values: bpy.types.bpy_struct, generator: str) -> dict[str, Any]:
    """The values that somebody has set, by name. A text that is empty counts as not set."""
    group, options = options_of(values, generator)
    found = {}
    for option in options:
        if group.is_property_set(option.name) and (value := _value(option, getattr(group, option.name))) != "":
            found[option.name] = value
    return found


def forget_all() -> None:
    """Unregister all groups; what was chosen is kept in the file and in the preferences."""
    for key in list(_groups):
        _forget(key)


def _forget(key: tuple[str, str]) -> None:
    if key in _groups:
        owner, _, group = _groups.pop(key)
        delattr(owner, _attribute(key[1]))
        bpy.utils.unregister_class(group)


def _attribute(generator: str) -> str:
    return f"options_{re.sub(r'[^0-9a-zA-Z]', '_', generator)}"


def _property(option: GeneratorOption, update: Callable[..., None]) -> Any:
    words = {"name": option.label, "description": option.description.removesuffix("."), "update": update}
    if option.kind == "choice":
        items = [(str(value), label, "") for value, label in option.choices]
        return bpy.props.EnumProperty(**words, items=items, default=str(option.default))
    words["default"] = option.default
    if option.kind == "flag":
        return bpy.props.BoolProperty(**words)
    if option.kind in ("whole", "number"):
        limits = {name: value for name, value in (("min", option.low), ("max", option.high)) if value is not None}
        if option.kind == "number":
            return bpy.props.FloatProperty(**words, **limits)
        return bpy.props.IntProperty(**words, **{name: max(-MOST, min(int(limits[name]), MOST)) for name in limits})
    subtype = {"file": "FILE_PATH", "folder": "DIR_PATH"}.get(option.kind, "NONE")
    return bpy.props.StringProperty(**words, subtype=subtype)


def _value(option: GeneratorOption, value: Any) -> Any:
    """A property's value as the option wants it."""
    if option.kind == "choice":
        return next(one for one in option.values if str(one) == value)
    if option.kind == "number":
        return round(value, 6)  # Blender's are of single precision
    value = value.strip() if isinstance(value, str) else value
    if option.kind in ("file", "folder") and value:
        return str(Path(os.path.expandvars(bpy.path.abspath(value))).expanduser())
    return value
