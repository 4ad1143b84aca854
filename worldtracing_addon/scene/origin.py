"""Where a world comes from: its result file, the other seeds of the same trace, and what was asked for.

Kept as custom properties of the world's root, so that the panel knows it without opening a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..core.traces import seed_names
from .transaction import Transaction
from .worlds import WorldObjects

RESULT, SETTINGS, SEEDS = "wt_result", "wt_settings", "wt_seeds"


@dataclass(frozen=True)
class Seed:
    """One guess of a trace: its seed, the path of its world, whether it is the suggested one, and whether it is built.

    The suggested seed's world is also the trace's result.
    """

    number: int
    path: Path
    suggested: bool
    shown: bool


def note_origin(world: WorldObjects, metadata: Mapping[str, Any], result: str | Path) -> None:
    """Keep with a built world what `metadata`, that of the file `result`, says of its trace."""
    settings = asked_settings(metadata)
    names, numbers = seed_names(metadata), metadata.get("seeds") or []
    seeds = None
    if names and len(names) == len(numbers):
        files = [[number, name] for number, name in zip(numbers, names, strict=True)]
        seeds = json.dumps({"suggested": metadata.get("seed"), "files": files})
    with Transaction() as transaction:
        transaction.set_properties(
            world.root,
            **{RESULT: str(result), SETTINGS: json.dumps(settings) if settings else None, SEEDS: seeds},
        )


def asked_settings(metadata: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a trace was asked for: engine, mode, seed, resolution, fov_degrees and extra; None where it is not told."""
    asked = metadata.get("settings")
    if not isinstance(asked, Mapping) or not isinstance(asked.get("extra"), Mapping):
        return None
    return {"engine": metadata.get("engine"), "mode": metadata.get("mode"), **asked}


def world_result(root: bpy.types.Object) -> Path:
    """The result file of the trace that a world comes from, whichever of its seeds is built."""
    return Path(bpy.path.abspath(root.get(RESULT) or root.get("wt_file", "")))


def world_settings(root: bpy.types.Object) -> dict[str, Any] | None:
    """The `asked_settings` of a world's trace."""
    return json.loads(root[SETTINGS]) if SETTINGS in root else None


def world_seeds(root: bpy.types.Object) -> list[Seed]:
    """The seeds of a world's trace in the order traced; empty where it was one alone."""
    if SEEDS not in root:
        return []
    noted, folder, shown = json.loads(root[SEEDS]), world_result(root).parent, root.get("wt_seed")
    return [
        Seed(number, folder / name, number == noted["suggested"], str(number) == shown)
        for number, name in noted["files"]
    ]
