"""The saved traces of a folder, told by the headers of their files alone."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.world import read_metadata

MOST_TRACES = 200
"""Of a folder, the newest ones; each costs one small read."""


SEED_FILE = re.compile(r".+_seed\d+\.safetensors")
"""What `worldtracing.seeds.seed_file` calls the world of one seed."""


@dataclass(frozen=True)
class SavedTrace:
    """A saved world.

    Attributes:
        path: its file.
        written: when, in seconds since the epoch.
        size: in bytes, its other seeds' files included.
        metadata: as the file tells, see `docs/file_format.md`.
    """

    path: Path
    written: float
    size: int
    metadata: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the photo."""
        return self.metadata.get("image") or self.path.stem

    @property
    def seed_files(self) -> list[Path]:
        """The worlds of its seeds, where there are several."""
        return [self.path.with_name(name) for name in seed_names(self.metadata)]

    @property
    def label(self) -> str:
        """How it was made, e.g. "wt-bundled, object, seed 43 of 4"."""
        parts = [self.metadata.get("model") or self.metadata.get("engine") or "", self.metadata.get("mode") or ""]
        seeds = self.metadata.get("seeds") or []
        if len(seeds) > 1:
            parts.append(f"seed {self.metadata.get('seed')}, best of {len(seeds)}")
        elif self.metadata.get("steps"):  # the seed of an engine that does not sample means nothing
            parts.append(f"seed {self.metadata.get('seed')}")
        return ", ".join(filter(None, parts))


def seed_names(metadata: Mapping[str, Any]) -> list[str]:
    """File names of a suggested world's seeds. What a file says is not trusted to name others."""
    names = metadata.get("seed_files")
    names = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return [name for name in names if Path(name).name == name and SEED_FILE.fullmatch(name)]


def find_traces(folders: Iterable[Path]) -> list[SavedTrace]:
    """The traces saved in `folders`, newest first. Files that are no worlds, or cannot be read, are left out."""
    files = {}
    for file in (file for folder in folders for file in folder.glob("*.safetensors")):
        with contextlib.suppress(OSError, UnicodeEncodeError):  # removed in between; a name that Blender cannot hold
            str(file).encode()
            files[file] = file.stat()
    newest = sorted(files, key=lambda file: files[file].st_mtime, reverse=True)[:MOST_TRACES]
    traces, seeds = [], set()
    for file in newest:
        try:
            metadata = read_metadata(file)
        except WorldTracingError:
            continue
        trace = SavedTrace(file, files[file].st_mtime, files[file].st_size, metadata)
        others = [seed for seed in trace.seed_files if seed in files]
        seeds.update(others)
        size = trace.size + sum(files[seed].st_size for seed in others)
        traces.append(SavedTrace(file, trace.written, size, metadata))
    return [trace for trace in traces if trace.path not in seeds]
