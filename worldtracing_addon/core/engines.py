"""Which tracing engines there are: those that this Python can import, and those that the worker's Python can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from ...backend.worldtracing.engines.base import EngineInfo


@cache
def local_engines() -> tuple[EngineInfo, ...]:
    """The engines of this Python; those that fail to load are told of in the console and left out."""
    from ...backend.worldtracing.worker.serve import engine_entries  # heavy for a Blender that only starts

    entries = engine_entries()
    for entry in entries:
        if "error" in entry:
            print(f"World Tracing: {entry['error']['message']}")
    return tuple(_infos(entries))


def known_engines(worker_entries: Iterable[Mapping[str, Any]]) -> list[EngineInfo]:
    """This Python's engines, and those of the worker's reply to `engines`, whose word counts for one of both."""
    found = {info.name: info for info in (*local_engines(), *_infos(worker_entries))}
    return list(found.values())


def engine_info(name: str, worker_entries: Iterable[Mapping[str, Any]]) -> EngineInfo | None:
    """What the engine called `name` says of itself; None where it is not known here."""
    return next((info for info in known_engines(worker_entries) if info.name == name), None)


def _infos(entries: Iterable[Mapping[str, Any]]) -> Iterator[EngineInfo]:
    names = {field.name for field in fields(EngineInfo)}
    for entry in entries:
        if "error" in entry:
            continue
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
        yield EngineInfo(**{name: value for name, value in values.items() if name in names})
