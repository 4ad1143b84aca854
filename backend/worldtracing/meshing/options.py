"""The options of a mesh generator's own as data: panels draw them, `worldtracing generators` lists them."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import WorldTracingError

TYPES = {
    "text": str,
    "address": str,
    "file": str,
    "folder": str,
    "flag": bool,
    "whole": int,
    "number": float,
    "choice": object,
}
"""Type of the values by kind; a choice's are texts or whole numbers."""

WANTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class GeneratorOption:
    """One option of `MeshOptions.extra`.

    Attributes:
        name: in `extra`; a Python identifier.
        label: for people, in title case.
        kind: a key of `TYPES`.
        default: of the kind; an empty text for what must be given, or is not needed.
        description: one sentence, for a tooltip.
        choices: (value, label) of each, for a choice.
        low, high: limits of a number, both allowed; None for none.
        machine: whether it belongs to the machine, such as a path or an address, and not to the mesh.
    """

    name: str
    label: str
    kind: str
    default: Any
    description: str
    choices: tuple[tuple[str | int, str], ...] = ()
    low: float | None = None
    high: float | None = None
    machine: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(map(tuple, self.choices)))  # JSON has made lists of them
        if not self.name.isidentifier() or self.kind not in TYPES or (self.kind == "choice") != bool(self.choices):
            raise ValueError(f"{self.name!r} is no usable option: kind {self.kind!r}, {len(self.choices)} choices")
        self.check(self.default)

    @property
    def values(self) -> tuple[str | int, ...]:
        """The values of a choice."""
        return tuple(value for value, _ in self.choices)

    @property
    def wanted(self) -> str:
        """What a value must be, to be put behind "Give"."""
        if self.choices:
            return f"one of {', '.join(map(str, self.values))}"
        limits = [f"{word} {limit:g}" for word, limit in (("from", self.low), ("to", self.high)) if limit is not None]
        return " ".join([WANTED[TYPES[self.kind]], *limits])

    def check(self, value: Any) -> Any:
        """The value, a whole number as a number where that is wanted; ValueError for what it cannot be."""
        kind = TYPES[self.kind]
        if kind is float and type(value) is int:
            value = float(value)
        if self.choices:
            fits = any(type(value) is type(one) and value == one for one in self.values)
        elif kind in (int, float):
            low = -math.inf if self.low is None else self.low
            fits = type(value) is kind and low <= value <= (math.inf if self.high is None else self.high)
        else:
            fits = type(value) is kind
        if not fits:
            raise ValueError(f"{self.name} cannot be {value!r}")
        return value

    def parse(self, text: str) -> Any:
        """What an environment variable says; the text itself where it says nothing of this kind."""
        with contextlib.suppress(KeyError, ValueError):
            if self.choices:
                return {str(value): value for value in self.values}[text]
            if self.kind == "flag":
                return {"1": True, "true": True, "0": False, "false": False}[text.lower()]
            return TYPES[self.kind](text)
        return text


def read_settings(
    generator: str, options: Sequence[GeneratorOption], extra: Mapping, owner: str = ""
) -> dict[str, Any]:
    """The options' values: those in `extra`, else WORLDTRACING_<OWNER>_<NAME>, else the defaults.

    Args:
        generator: its name in the registry.
        options: all that it has.
        extra: the user's, from `MeshOptions.extra`.
        owner: whose environment variables are read, where it is not the generator's own.

    Raises:
        WorldTracingError: WT-MESH-OPTION for a name that is none of them, or a value that one cannot have.
    """
    unknown = sorted(set(extra) - {option.name for option in options})
    if unknown:
        names = ", ".join(option.name for option in options)
        fix = f"Its options are {names}." if names else "It has none of its own."
        raise _bad(generator, f"has no option {', '.join(map(repr, unknown))}", fix)
    settings = {}
    for option in options:
        said = os.environ.get(environment_name(owner or generator, option.name))
        value = extra[option.name] if option.name in extra else option.parse(said) if said else option.default
        try:
            settings[option.name] = option.check(value)
        except ValueError:
            raise _bad(generator, f"cannot use {option.name} {value!r}", f"Give {option.wanted}.") from None
    return settings


def environment_name(generator: str, name: str) -> str:
    """WORLDTRACING_TRELLIS2_PYTHON, for instance."""
    return f"WORLDTRACING_{generator}_{name}".upper().replace("-", "_")


def _bad(generator: str, sentence: str, fix: str) -> WorldTracingError:
    return WorldTracingError("WT-MESH-OPTION", f"The mesh generator {generator!r} {sentence}.", fix)
