"""What a user tells an adapter: `MeshOptions.extra`, or environment variables for what seldom changes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from ...errors import WorldTracingError


def read_settings(generator: str, defaults: Mapping[str, Any], extra: Mapping) -> dict[str, Any]:
    """The settings of one generator: `extra`, else WORLDTRACING_<GENERATOR>_<NAME>, else the default.

    Args:
        generator: its name in the registry.
        defaults: by name; their types are the settings' types.
        extra: the user's, from `MeshOptions.extra`.

    Raises:
        WorldTracingError: WT-MESH-OPTION for an unknown name or a value of another type.
    """
    unknown = sorted(set(extra) - set(defaults))
    if unknown:
        raise _bad(generator, f"has no option {', '.join(map(repr, unknown))}", f"Its options are {_list(defaults)}.")
    settings = {}
    for name, default in defaults.items():
        variable = environment_name(generator, name)
        value = extra.get(name, os.environ.get(variable) or default)
        settings[name] = _typed(generator, name, value, type(default))
    return settings


def environment_name(generator: str, name: str) -> str:
    """WORLDTRACING_TRELLIS2_PYTHON, for instance."""
    return f"WORLDTRACING_{generator}_{name}".upper().replace("-", "_")


def check_choice(generator: str, name: str, value: Any, choices: tuple) -> None:
    """Refuse a value that is not one of the choices (WT-MESH-OPTION)."""
    if value not in choices:
        raise _bad(generator, f"does not know {name} {value!r}", f"Choose one of {_list(choices)}.")


def _typed(generator: str, name: str, value: Any, kind: type) -> Any:
    if isinstance(value, str) and kind is not str:  # out of the environment
        words = {"1": True, "true": True, "0": False, "false": False}
        with contextlib.suppress(KeyError, ValueError):
            value = words[value.lower()] if kind is bool else kind(value)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise _bad(generator, f"cannot use {name} {value!r}", f"Give {_KINDS[kind]}.")
    return value


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _bad(generator: str, sentence: str, fix: str) -> WorldTracingError:
    return WorldTracingError("WT-MESH-OPTION", f"The mesh generator {generator!r} {sentence}.", fix)


def _list(values) -> str:
    return ", ".join(map(str, values))
