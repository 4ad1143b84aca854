"""The text commands: a small grammar over the names of a world's objects. docs/scene_editing.md describes it.

`parse` turns a line into a `Command`, plain data that `scene` carries out; it knows the objects by name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...backend.worldtracing.errors import WorldTracingError

EXAMPLES = {
    "select": "select the mug",
    "hide": "hide the mug",
    "show": "show the mug",
    "remove": "remove the mug",
    "put back": "put back the mug",
    "repaint": "repaint the mug",
    "lift": "lift the mug",
    "move": "move the chair left 0.5 m",
    "rotate": "rotate the chair right 30 degrees",
    "scale": "scale the mug by 1.5",
    "duplicate": "duplicate the mug right 20 cm",
    "replace": "replace the lamp with the vase",
}
"""One command for each verb."""

LIFTED_ONLY = ("show", "put back", "repaint")
"""Verbs that say nothing of an object that is in its place still."""

_VERBS = {
    "select": "select", "pick": "select", "hide": "hide", "show": "show", "unhide": "show", "reveal": "show",
    "remove": "remove", "delete": "remove", "erase": "remove", "restore": "put back", "lift": "lift",
    "repaint": "repaint", "move": "move", "shift": "move", "push": "move", "rotate": "rotate", "turn": "rotate",
    "scale": "scale", "resize": "scale", "duplicate": "duplicate", "copy": "duplicate", "clone": "duplicate",
    "replace": "replace", "swap": "replace", "exchange": "replace",
}  # fmt: skip
_DIRECTIONS = {
    "left": (-1, 0, 0), "right": (1, 0, 0), "up": (0, 0, 1), "down": (0, 0, -1),
    "closer": (0, -1, 0), "nearer": (0, -1, 0), "forward": (0, -1, 0), "forwards": (0, -1, 0),
    "farther": (0, 1, 0), "further": (0, 1, 0), "back": (0, 1, 0), "backward": (0, 1, 0), "backwards": (0, 1, 0),
    "away": (0, 1, 0),
}  # fmt: skip
_TURNS = {"left": 1, "counterclockwise": 1, "anticlockwise": 1, "right": -1, "clockwise": -1}
_METRES = {
    "mm": 1e-3, "millimeter": 1e-3, "cm": 1e-2, "centimeter": 1e-2, "dm": 0.1, "m": 1.0, "meter": 1.0, "km": 1e3,
    "kilometer": 1e3, "in": 0.0254, "inch": 0.0254, "inches": 0.0254, "ft": 0.3048, "foot": 0.3048, "feet": 0.3048,
    "yd": 0.9144, "yard": 0.9144,
}  # fmt: skip
_DEGREES = {"°": 1.0, "deg": 1.0, "degree": 1.0, "rad": 57.29577951308232, "radian": 57.29577951308232}
_ARTICLES = {"the", "a", "an", "my", "this", "that"}
_FILLERS = {"by", "to", "and", "then", "please", "times", "x", "of", "me", "from", "the", "it"}
_ALL = {"all", "everything"}
_SELECTED = {"it", "selected", "selection", "them"}

_PHRASE_ENDS = {"with", "for", "by", "to", "please"}

_TOKEN = re.compile(r""""[^"]*"|'[^']*'|[+-]?\d+(?:[.,]\d+)?|[+-]?[.,]\d+|°|%|/|[^\W\d_]+|[^\s\w]|[\w]""")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)")
LARGEST = 1e6  # metres, or times: beyond it a number is a slip of the hand


@dataclass(frozen=True)
class Command:
    """What a line asks for.

    Attributes:
        verb: a key of `EXAMPLES`.
        names: of the objects, as they are called in the scene.
        offset: (right, away, up) as the viewer sees it, in metres, or in scene units where `metric` is false.
        metric: whether lengths carried a unit.
        degrees: to turn by, counterclockwise seen from above.
        factor: to scale by.
        other: the name of what replaces the object.
    """

    verb: str
    names: tuple[str, ...]
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    metric: bool = True
    degrees: float = 0.0
    factor: float = 1.0
    other: str = ""


Describe = Callable[[str], str]
"""Gives the name of the object that words describe, or raises WT-SCENE-NAME."""


def parse(
    text: str,
    names: Sequence[str],
    selected: Sequence[str] = (),
    others: Sequence[str] = (),
    describe: Describe | None = None,
) -> Command:
    """The command of a line.

    Args:
        names: of the objects that commands can speak of.
        selected: those that "it" means.
        others: names of further objects in the scene, which may take an object's place.
        describe: asked about words that are no name, where the object need not have been lifted yet.

    Raises:
        WorldTracingError: WT-SCENE-COMMAND for a line that is not understood, WT-SCENE-NAME for an object that is not
            there or not the only one that could be meant. Both say what would be understood.
    """
    tokens = [token.strip("\"'") if token[0] in "\"'" else token for token in _TOKEN.findall(text)]
    words = [token.casefold() for token in tokens]
    if words[:1] == ["please"]:
        words = words[1:]
    verb, rest = _verb(words)
    if verb == "replace":
        return _replace(rest, names, selected, others, describe)
    found, rest = _objects(rest, names, selected, verb, describe)
    command = {"move": _move, "duplicate": _move, "rotate": _rotate, "scale": _scale}.get(verb, _plain)
    return command(verb, found, rest)


def usage() -> str:
    """All kinds of commands by example, in one line."""
    return "; ".join(EXAMPLES.values())


def _verb(words: list[str]) -> tuple[str, list[str]]:
    if words[:2] == ["put", "back"]:
        return "put back", words[2:]
    if words and words[0] in _VERBS:
        return _VERBS[words[0]], words[1:]
    raise _not_understood(f"{words[0]!r} is no command" if words else "The command is empty", usage())


def _replace(
    words: list[str],
    names: Sequence[str],
    selected: Sequence[str],
    others: Sequence[str],
    describe: Describe | None,
) -> Command:
    if not {"with", "by", "for"} & set(words):
        raise _not_understood("It does not say what to replace it with", EXAMPLES["replace"])
    at = next(index for index, word in enumerate(words) if word in ("with", "by", "for"))
    found, left = _objects(words[:at], names, selected, "replace", describe)
    other, more = _objects(words[at + 1 :], [*names, *others], (), "replace", describe)
    _no_more([*left, *more], "replace")
    if len(found) > 1 or len(other) > 1 or found == other:
        raise _not_understood("One object takes the place of one other", EXAMPLES["replace"])
    return Command("replace", found, other=other[0])


def _objects(
    words: list[str], names: Sequence[str], selected: Sequence[str], verb: str, describe: Describe | None
) -> tuple[tuple[str, ...], list[str]]:
    """The objects that the beginning of `words` names, and the words after it."""
    called = {name: [word.casefold() for word in _TOKEN.findall(name)] for name in names}
    while words:
        whole = [name for name, its in called.items() if its and words[: len(its)] == its]
        if whole:
            name = max(whole, key=lambda name: len(called[name]))
            return (name,), words[len(called[name]) :]
        quoted = [name for name in names if name and name.casefold() == words[0]]
        if quoted:
            return (quoted[0],), words[1:]
        if words[0] not in _ARTICLES:
            break
        words = words[1:]
    if not words:
        raise _not_understood("It does not say which object", EXAMPLES[verb])
    if words[0] in _ALL and names:
        return tuple(names), words[1:]
    if words[0] in _SELECTED and selected:
        return tuple(selected), words[1:]
    similar = [name for name, its in called.items() if words[0] in its]
    phrase = _phrase(words, verb)
    if describe is not None and phrase and not any(set(phrase) <= set(called[name]) for name in similar):
        return (describe(" ".join(phrase)),), words[len(phrase) :]
    if len(similar) == 1:
        return (similar[0],), words[1:]
    if similar:
        raise WorldTracingError(
            "WT-SCENE-NAME", f"{words[0]!r} can be {_listed(similar)}.", "Write the whole name, in quotes if need be."
        )
    raise no_name(words[0], names)


def _phrase(words: list[str], verb: str) -> list[str]:
    """The words at the beginning that may describe an object, e.g. "mug on the left"."""
    if verb in LIFTED_ONLY or words[0] in _SELECTED | _ALL:
        return []
    ends = _PHRASE_ENDS | set(_DIRECTIONS) | set(_TURNS) if verb in ("move", "rotate", "duplicate") else _PHRASE_ENDS
    ended = (k for k, word in enumerate(words) if word in ends or not word.replace(" ", "").isalpha())
    return words[: next(ended, len(words))]


def _move(verb: str, names: tuple[str, ...], words: list[str]) -> Command:
    """Any number of directions with a length before or after each, e.g. "left 0.5 m and 10 cm up"."""
    offset, metric = [0.0, 0.0, 0.0], set()
    words = [word for word in words if word not in _FILLERS]
    while words:
        direction = None
        if words[0] in _DIRECTIONS:
            direction, words = words[0], words[1:]
        length, unit, words = _quantity(words, _METRES, verb)
        words = [*words]
        if direction is None and words and words[0] in _DIRECTIONS:
            direction, words = words[0], words[1:]
        if direction is None:
            known = "left, right, up, down, closer or farther"
            raise _not_understood(f"It does not say whether {known}", EXAMPLES[verb])
        metric.add(bool(unit))
        offset = [
            total + length * (unit or 1) * sign for total, sign in zip(offset, _DIRECTIONS[direction], strict=True)
        ]
    if not metric and verb == "move":
        raise _not_understood("It does not say where to", EXAMPLES[verb])
    if len(metric) > 1:
        raise _not_understood("Some lengths have a unit and some have none", EXAMPLES[verb])
    return Command(verb, names, offset=tuple(offset), metric=metric != {False})


def _rotate(verb: str, names: tuple[str, ...], words: list[str]) -> Command:
    words = [word for word in words if word not in _FILLERS]
    signs = [_TURNS[word] for word in words if word in _TURNS]
    words = [word for word in words if word not in _TURNS]
    if len(signs) > 1:
        raise _not_understood("It turns both ways", EXAMPLES[verb])
    angle, unit, words = _quantity(words, _DEGREES, verb)
    _no_more(words, verb)
    return Command(verb, names, degrees=angle * (unit or 1) * (signs or [1])[0])


def _scale(verb: str, names: tuple[str, ...], words: list[str]) -> Command:
    words = [word for word in words if word not in _FILLERS]
    factor, unit, words = _quantity(words, {"%": 0.01, "percent": 0.01}, verb)
    _no_more(words, verb)
    factor *= unit or 1
    if factor <= 0:
        raise _not_understood("An object cannot be scaled to nothing", EXAMPLES[verb])
    return Command(verb, names, factor=factor)


def _plain(verb: str, names: tuple[str, ...], words: list[str]) -> Command:
    _no_more(words, verb)
    return Command(verb, names)


def _quantity(words: list[str], units: dict[str, float], verb: str) -> tuple[float, float | None, list[str]]:
    """A number at the beginning of `words`, e.g. 0.5, 1/2 or 1,5; the worth of its unit, if any; and what follows."""
    if not words or not _NUMBER.fullmatch(words[0]):
        said = f"{words[0]!r} is no number" if words else "It does not say how much"
        raise _not_understood(said, EXAMPLES[verb])
    value, words = float(words[0].replace(",", ".")), words[1:]
    if len(words) > 1 and words[0] == "/" and _NUMBER.fullmatch(words[1]):
        divisor = float(words[1].replace(",", "."))
        value, words = (value / divisor if divisor else float("inf")), words[2:]
    if abs(value) > LARGEST:
        raise _not_understood(f"{value:g} is too much", EXAMPLES[verb])
    if words:
        for name in (words[0], words[0].removesuffix("s")):
            name = name.replace("metre", "meter")
            if name in units:
                return value, units[name], words[1:]
    return value, None, words


def _no_more(words: Sequence[str], verb: str) -> None:
    left = [word for word in words if word not in _FILLERS and word not in ".!?,;"]
    if left:
        raise _not_understood(f"{' '.join(left)!r} says nothing here", EXAMPLES[verb])


def _not_understood(why: str, example: str) -> WorldTracingError:
    return WorldTracingError("WT-SCENE-COMMAND", f"{why}.", f"Write for instance: {example}.")


def no_name(words: str, names: Sequence[str], hint: str = "") -> WorldTracingError:
    """There is no such object; `hint` says what else would find it."""
    known = f"Write one of {_listed(names)}." if names else "Lift an object first."
    return WorldTracingError("WT-SCENE-NAME", f"There is no object called {words!r}.", f"{known} {hint}".strip())


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
