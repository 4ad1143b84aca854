"""The worker's messages: the one place for their field names. `docs/protocol.md` describes the conversation.

A message is one JSON object on one line of UTF-8, with its kind in `type`. Requests are built and parsed here, so that
the add-on's client and the worker cannot disagree; replies are built here and read by key.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import WorldTracingError

PROTOCOL_VERSION = 1

CAPABILITIES = ("trace", "cancel", "status", "engines", "free_memory", "mesh", "generators", "assist")
"""What this worker can do beyond hello and shutdown; later ones (clips, several views) are added, never redefined."""

MAX_LINE_BYTES = 1 << 20
"""Longest line a worker reads: requests name files, they never carry pixels."""

HEARTBEAT_SECONDS = 5.0
"""How often a worker says that it is alive, however long one step takes."""

Message = dict[str, Any]


def encode(message: Mapping) -> bytes:
    """One line. ASCII escapes keep file names intact that are not valid Unicode."""
    return json.dumps(message, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The message on one line.

    Raises:
        WorldTracingError: WT-WORKER-REQUEST when it is not a JSON object with a `type`.
    """
    try:
        message = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # includes UnicodeDecodeError and JSONDecodeError
        raise bad_request(f"A line is not JSON in UTF-8 ({error})") from error
    if not isinstance(message, dict):
        raise bad_request("A message must be a JSON object")
    if not isinstance(message.get("type"), str):
        raise bad_request('A message must have a "type", a string')
    return message


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def busy() -> WorldTracingError:
    return WorldTracingError(
        "WT-WORKER-BUSY",
        "The worker is busy with another request.",
        "Wait until it is done, or cancel it.",
    )


def bad_request(sentence: str) -> WorldTracingError:
    return WorldTracingError("WT-WORKER-REQUEST", f"{sentence}.", "The protocol is described in docs/protocol.md.")


# Requests --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A checked request: `values` holds the fields that were given, by name."""

    type: str
    id: str
    values: Message


def trace(id: str, image: str, output: str, **options: Any) -> Message:
    """Trace the picture file `image` into the .safetensors file `output`; options as in `TraceRequest`."""
    return {"type": "trace", "id": id, "image": image, "output": output, **options}


def mesh(id: str, world: str, output: str, **options: Any) -> Message:
    """Make a mesh of a world's file and write it to `output`; options as in `MeshRequest`."""
    return {"type": "mesh", "id": id, "world": world, "output": output, **options}


def assist(id: str, kind: str, plugin: str, input: str, output: str, **fields: Any) -> Message:
    """Ask a segmenter or detector about the file `input`; fields as in `AssistRequest`."""
    return {"type": "assist", "id": id, "kind": kind, "plugin": plugin, "input": input, "output": output, **fields}


def assistants_request(id: str) -> Message:
    """Ask which segmenters and detectors there are, and what each lacks."""
    return {"type": "assistants", "id": id}


def generators_request(id: str, options: Mapping[str, Mapping] | None = None) -> Message:
    """Ask for the generators and their health; `options` are theirs by name, to check them with."""
    return {"type": "generators", "id": id, "options": {name: dict(own) for name, own in (options or {}).items()}}


def cancel(id: str, target: str) -> Message:
    return {"type": "cancel", "id": id, "target": target}


def status_request(id: str) -> Message:
    return {"type": "status", "id": id}


def engines_request(id: str) -> Message:
    return {"type": "engines", "id": id}


def free_memory(id: str) -> Message:
    return {"type": "free_memory", "id": id}


def shutdown(id: str) -> Message:
    return {"type": "shutdown", "id": id}


def parse_request(message: Message) -> Request:
    """Check a request's type and fields. Fields that the type does not know are ignored, so that clients may be newer.

    Raises:
        WorldTracingError: WT-WORKER-REQUEST.
    """
    kind = message["type"]
    if kind not in _REQUESTS:
        raise bad_request(f"There is no request of type {_shown(kind)}")
    fields = _REQUESTS[kind]
    values = {}
    for name, field in fields.items():
        if message.get(name) is None:
            if field.required:
                raise bad_request(f'The {kind} request lacks "{name}", {field.wanted}')
        elif not field.check(message[name]):
            raise bad_request(f'"{name}" of the {kind} request must be {field.wanted}')
        else:
            values[name] = message[name]
    return Request(kind, values.pop("id"), values)


@dataclass(frozen=True)
class _Field:
    check: Callable[[Any], bool]
    wanted: str
    required: bool = False


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 4096 and "\0" not in value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_object_of_objects(value: Any) -> bool:
    return _is_object(value) and all(map(_is_object, value.values()))


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_object, value))


def _is_four_numbers(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))


_ID = {"id": _Field(_is_text, "a text that no unfinished request has", required=True)}
_REQUESTS: dict[str, dict[str, _Field]] = {
    "trace": {
        **_ID,
        "image": _Field(_is_text, "the path of a picture", required=True),
        "output": _Field(_is_text, "the path of the .safetensors file to write", required=True),
        "engine": _Field(_is_text, "the name of an engine"),
        "mode": _Field(_is_text, "the name of a mode"),
        "seed": _Field(_is_whole, "a whole number, zero or more"),
        "resolution": _Field(_is_whole, "a whole number of pixels"),
        "mask": _Field(_is_text, "the path of a mask"),
        "fov_degrees": _Field(_is_number, "a number of degrees"),
        "intrinsics": _Field(_is_four_numbers, "four numbers [fx, fy, cx, cy] in pixels"),
        "extra": _Field(_is_object, "an object with the engine's own options"),
        "name": _Field(_is_text, "a text"),
    },
    "mesh": {
        **_ID,
        "world": _Field(_is_text, "the path of a world's .safetensors file", required=True),
        "output": _Field(_is_text, "the path of the .glb or .safetensors file to write", required=True),
        "generator": _Field(_is_text, "the name of a mesh generator"),
        "mask": _Field(_is_text, "the path of a mask"),
        "faces": _Field(_is_whole, "a whole number of triangles"),
        "texture_size": _Field(_is_whole, "a whole number of texels"),
        "resolution": _Field(_is_whole, "a whole number"),
        "seed": _Field(_is_whole, "a whole number, zero or more"),
        "extra": _Field(_is_object, "an object with the generator's own options"),
    },
    "generators": {**_ID, "options": _Field(_is_object_of_objects, "an object with an object for each generator")},
    "assist": {
        **_ID,
        "kind": _Field(_is_text, "segmenter, detector or painter", required=True),
        "plugin": _Field(_is_text, "the name of a segmenter, detector or painter", required=True),
        "input": _Field(_is_text, "the path of a world's file, a pixels hand-off or a painting", required=True),
        "output": _Field(_is_text, "the path of the .safetensors file to write", required=True),
        "prompts": _Field(_is_list_of_objects, "a list with an object for each mark"),
        "text": _Field(_is_text, "a text"),
    },
    "assistants": _ID,
    "cancel": {**_ID, "target": _Field(_is_text, "the id of a trace, mesh or assist request", required=True)},
    "status": _ID,
    "engines": _ID,
    "free_memory": _ID,
    "shutdown": _ID,
}


# Replies ---------------------------------------------------------------------------------------------------------


def hello(package_version: str, python_version: str, pid: int, engines: list[str]) -> Message:
    """The worker's first line; `engines` are names only, because importing an engine may take seconds."""
    return {
        "type": "hello",
        "protocol": PROTOCOL_VERSION,
        "version": package_version,
        "python": python_version,
        "pid": pid,
        "capabilities": list(CAPABILITIES),
        "engines": engines,
    }


def progress(id: str, stage: str, k: int, n: int) -> Message:
    """Before step k (0-based) of the n steps of a stage."""
    return {"type": "progress", "id": id, "stage": stage, "k": k, "n": n}


def result(id: str, path: str, summary: Mapping) -> Message:
    return {"type": "result", "id": id, "path": path, "summary": dict(summary)}


def cancelled(id: str) -> Message:
    return {"type": "cancelled", "id": id}


def ok(id: str, **facts: Any) -> Message:
    """The answer to cancel, free_memory and shutdown."""
    return {"type": "ok", "id": id, **facts}


def status(id: str, job: Message | None, loaded_engines: list[str]) -> Message:
    """`job` is None, or id, stage, k, n and seconds of the trace that runs."""
    return {"type": "status", "id": id, "job": job, "loaded_engines": loaded_engines}


def engines(id: str, entries: list[Message]) -> Message:
    """One entry for each engine: the fields of its EngineInfo, or its name and an `error` (code, message, fix)."""
    return {"type": "engines", "id": id, "engines": entries}


def generators(id: str, entries: list[Message]) -> Message:
    """One entry for each generator: its GeneratorInfo and `health`, or its name and an `error`."""
    return {"type": "generators", "id": id, "generators": entries}


def assistants(id: str, entries: list[Message]) -> Message:
    """One entry for each segmenter and detector: its info, `kind` and `problem`."""
    return {"type": "assistants", "id": id, "assistants": entries}


def heartbeat(id: str | None) -> Message:
    """Sent every HEARTBEAT_SECONDS; `id` is that of the request being worked on, if any."""
    return {"type": "heartbeat", "id": id}


def error(id: str | None, cause: WorldTracingError) -> Message:
    return {"type": "error", "id": id, **cause.to_dict()}


def to_error(message: Message) -> WorldTracingError:
    """The exception that an error message stands for."""
    return WorldTracingError(*(str(message.get(key, "")) for key in ("code", "message", "fix")))


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= 60 else text[:60] + "…")
