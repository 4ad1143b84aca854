"""Segmenters, detectors and painters: which there are, and whether Blender's Python or the worker's can run them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from ...backend.worldtracing.editing.assistants import KINDS
from ...backend.worldtracing.editing.base import SegmenterInfo
from ...backend.worldtracing.editing.detectors import DetectorInfo
from ...backend.worldtracing.editing.painters import PainterInfo

Info = SegmenterInfo | DetectorInfo | PainterInfo

UNASKED = "Whether the backend has it is found out when it is first used."
TOLD = {"label": str, "description": str, "licence": str, "gated": bool, "generative": bool, "needs": list}
"""What is read of what the worker's assistants say of themselves, and as what; it may be of another version."""

LONGEST = 1000
"""Characters of what a worker says that are shown; panels are drawn at every movement of the mouse."""

NO_BACKEND = "Set Up Backend in the preferences installs the packages that such models need."


@dataclass(frozen=True)
class KnownAssistant:
    """A segmenter, detector or painter.

    Attributes:
        info: what it says of itself.
        place: "here", in this Python; "worker", in that of the worker; "unasked" where the worker may have it; or
            "nowhere".
        problem: why it cannot be used now, "" where it can.
    """

    info: Info
    place: str
    problem: str = ""


@cache
def local_states(kind: str) -> tuple[tuple[Any, str], ...]:
    """The infos and problems of this Python's assistants. Looked up once per session."""
    return tuple(KINDS[kind].states())


def known_assistants(
    kind: str, told: Iterable[Mapping[str, Any]] | None, other_python: bool, doubted: bool = False
) -> list[KnownAssistant]:
    """This Python's assistants of a kind, then those that the worker alone has.

    Args:
        told: the entries of the worker's reply to `assistants`, None until it was asked.
        other_python: whether the worker has another Python than this one.
        doubted: whether what was lacking when it was asked may be there now.
    """
    of_kind = [entry for entry in told or () if _is_entry(entry) and entry["kind"] == kind]
    entries = {entry["name"]: entry for entry in of_kind} if other_python else {}
    known = []
    for info, problem in local_states(kind):
        entry = entries.pop(info.name, None)
        if not problem:
            known.append(KnownAssistant(info, "here"))
        elif not other_python:
            known.append(KnownAssistant(info, "nowhere", f"{problem} {NO_BACKEND}"))
        elif told is None:
            known.append(KnownAssistant(info, "unasked", UNASKED))
        else:
            known.append(_of_worker(info, problem if entry is None else entry["problem"][:LONGEST], doubted))
    return known + [_of_worker(_info(kind, entry), entry["problem"][:LONGEST], doubted) for entry in entries.values()]


def _of_worker(info: Info, problem: str, doubted: bool) -> KnownAssistant:
    lacking = "unasked" if doubted else "nowhere"
    return KnownAssistant(info, lacking if problem else "worker", problem)


def _is_entry(entry: Any) -> bool:
    """Whether it can be read at all; on the other computer there may be anything."""
    texts = ("kind", "name", "problem")
    return (
        isinstance(entry, Mapping) and all(isinstance(entry.get(text), str) for text in texts) and bool(entry["name"])
    )


def _info(kind: str, entry: Mapping[str, Any]) -> Info:
    """What an assistant that only the worker has says of itself."""
    info = KINDS[kind].info
    names = {field.name for field in fields(info)}
    values = {"name": entry["name"], "label": entry["name"], "description": "", "licence": "unknown"}
    values |= {name: entry[name] for name, its_type in TOLD.items() if isinstance(entry.get(name), its_type)}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(map(str, value))
        elif name != "name" and isinstance(value, str):
            values[name] = value[:LONGEST]
    return info(**{name: value for name, value in values.items() if name in names})
