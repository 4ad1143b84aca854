"""Requests that name files, as they travel: names of files become the files themselves, and paths stay at home."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import WorldTracingError
from ...meshing.base import create_generator
from ...meshing.making import MeshRequest
from ...seeds import seed_file
from .. import protocol

UPLOADS = {"trace": ("image", "mask"), "mesh": ("world", "mask"), "assist": ("input",)}
"""The fields of each request that name files to read; `output` names the one to write."""

HOME_OPTIONS = ("python", "repository", "config", "address", "download", "preview")
"""Options that name programs, folders and files of the computer they are for, whatever a generator says of them."""

_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,12})?")
_FILE_NAME = re.compile(r"[^\x00-\x1f<>:\"/\\|?*.][^\x00-\x1f<>:\"/\\|?*]{0,199}")
_WORD = re.compile(r"[\w+-][\w.+-]{1,63}(:\d{1,3})?|\w")
"""A text that is no path on any system: fp32, auto, cuda:1."""


def for_the_network(request: protocol.Request) -> tuple[protocol.Message, list[tuple[protocol.Message, Path]]]:
    """A request of a client that names files as it travels, and the files that follow it, for `send_with_files`."""
    values = dict(request.values)
    fields_of: dict[Path, list[str]] = {}  # a hand-off file is both photo and mask
    for field in UPLOADS[request.type]:
        if field in values:
            fields_of.setdefault(Path(values.pop(field)), []).append(field)
    if request.type == "trace":
        values.setdefault("name", Path(request.values["image"]).name)
    values["output"] = Path(values["output"]).name
    if stem := kept_seeds(request):
        values["extra"] = values["extra"] | {"keep_seeds": stem.name}
    entries = []
    for path, fields in fields_of.items():
        suffix = path.suffix if _SUFFIX.fullmatch(path.suffix) else ""
        entries.append(({"fields": fields, "suffix": suffix}, path))
    return {"type": request.type, "id": request.id, **values}, entries


def kept_seeds(request: protocol.Request) -> Path | None:
    """Where a client wants the worlds of single seeds: a path without an ending. None where it wants none."""
    stem = request.values.get("extra", {}).get("keep_seeds")
    return Path(stem) if isinstance(stem, str) and stem and request.type == "trace" else None


def for_the_worker(message: protocol.Message, folder: Path) -> tuple[protocol.Request, list[Path]]:
    """A request that has travelled as the worker here gets it, and where the files that follow go.

    They go to the folder "sent" in `folder`, and results to "made", so that no name of one can be that of the other.

    No path of the client's computer, and no program, is ever taken from it.

    Raises:
        WorldTracingError: WT-WORKER-REQUEST, WT-WORKER-REMOTE-OPTION.
    """
    kind = message["type"]
    values = {name: value for name, value in message.items() if name not in UPLOADS[kind]}
    paths = []
    for entry in message["files"]:
        fields, suffix = entry.get("fields"), entry.get("suffix")
        if not (isinstance(fields, list) and fields and all(field in UPLOADS[kind] for field in fields)):
            raise protocol.bad_request("A file has no field")
        if not (isinstance(suffix, str) and _SUFFIX.fullmatch(suffix)):
            raise protocol.bad_request("A file has a strange ending")
        paths.append(folder / "sent" / f"{fields[0]}{suffix}")
        values |= dict.fromkeys(fields, str(paths[-1]))
    values["output"] = str(_in(folder / "made", message.get("output")))
    extra = message.get("extra")
    if isinstance(extra, Mapping):
        refused = {*HOME_OPTIONS, *(_machine_options(message.get("generator")) if kind == "mesh" else ())}
        values["extra"] = {
            name: str(_in(folder / "made", value))
            if name == "keep_seeds" and kind == "trace" and value is not None
            else _option(name, value, refused)
            for name, value in extra.items()
        }
    return protocol.parse_request(values), paths


def seed_path(stem: Path, name: object) -> Path | None:
    """Where the client keeps a seed's world that is called `name` on the other computer; None where it is none."""
    found = re.fullmatch(r"_seed(\d{1,10})\.safetensors", name[len(stem.name) :]) if isinstance(name, str) else None
    return seed_file(stem, int(found[1])) if found and name.startswith(stem.name) else None


def _machine_options(generator: Any) -> list[str]:
    """Names of a mesh generator's options that it declares as the machine's."""
    try:
        info = create_generator(generator if isinstance(generator, str) else MeshRequest.generator).info
    except WorldTracingError:  # which the worker will find out, too
        return []
    return [option.name for option in info.options if option.machine]


def _option(name: str, value: Any, refused: set[str]) -> Any:
    """An option of an engine or generator, unless it could name something on this computer."""
    if value is None or (_is_plain(value) and name not in refused):
        return value
    raise WorldTracingError(
        "WT-WORKER-REMOTE-OPTION",
        f"The option {name} of a trace or mesh may name a file or program, which another computer cannot choose.",
        "Leave it out, or set it on the computer where the worker runs.",
    )


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None
    if isinstance(value, list):
        return all(isinstance(item, int | float) for item in value)
    return isinstance(value, bool | int | float)


def _in(folder: Path, name: Any) -> Path:
    """A file in the folder, by a name without any folders."""
    if not (isinstance(name, str) and _FILE_NAME.fullmatch(name)) or (folder / name).parent != folder:
        raise WorldTracingError(
            "WT-WORKER-REMOTE-OPTION",
            f"The other computer cannot name a file {name!r}.",
            "Choose a name for the result with letters, digits, - and _.",
        )
    return folder / name
