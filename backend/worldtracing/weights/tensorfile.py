"""Files of converted weights: safetensors, written one tensor at a time and checked without torch.

The header's strings hold the configuration, so that a file tells what network it belongs to, and the SHA-256 of the
checkpoint it was made from and of its own tensors.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, get_args, get_type_hints

from ..errors import WorldTracingError
from ..files import replacing
from ..model.config import ModelConfig
from ..progress import OnProgress, silent

FORMAT = "worldtracing.weights"
FORMAT_VERSION = 1
ITEM_BYTES = {"F32": 4, "BF16": 2, "F16": 2}
BLOCK = 1 << 22
MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit
NOT_YET = "0" * 64


@dataclass(frozen=True)
class TensorSpec:
    """Name, safetensors type (one of `ITEM_BYTES`) and shape of a tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        size = ITEM_BYTES[self.dtype]
        for length in self.shape:
            size *= length
        return size


@dataclass(frozen=True)
class WeightsHeader:
    """What a file of weights says of itself.

    Attributes:
        config: the network, the noise correlation of this release included.
        precision: "bf16", "fp32", or "fp16" (the bundled model: numpy has no bf16).
        source_sha256: of the checkpoint that was converted; empty for weights that were trained here.
        release: the checkpoint's release where the model has several, else "".
        data_sha256: of all bytes after the header.
    """

    config: ModelConfig
    precision: str
    source_sha256: str
    release: str = ""
    data_sha256: str = NOT_YET


def write_weights(
    path: Path, header: WeightsHeader, specs: Iterable[TensorSpec], tensors: Iterable[bytes | memoryview]
) -> WeightsHeader:
    """Write a file tensor by tensor; it appears under its name only when complete.

    Args:
        path: target; an existing file is replaced.
        header: its `data_sha256` is worked out here.
        specs: all tensors, four-byte types first so that every tensor is aligned.
        tensors: their bytes in the same order, little-endian and row-major.

    Raises:
        WorldTracingError: WT-IO-FULL, WT-IO-WRITE. Whatever `tensors` raises passes through.
    """
    specs = list(specs)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_encode(header, specs))
        digest = hashlib.sha256()
        for tensor in tensors:
            digest.update(tensor)
            file.write(tensor)
        header = dataclasses.replace(header, data_sha256=digest.hexdigest())
        file.seek(0)
        file.write(_encode(header, specs))  # the same length: only the digest differs
    return header


def _encode(header: WeightsHeader, specs: list[TensorSpec]) -> bytes:
    strings = {
        "format": FORMAT,
        "version": str(FORMAT_VERSION),
        "config": json.dumps(dataclasses.asdict(header.config)),
    }
    strings |= {f.name: getattr(header, f.name) for f in dataclasses.fields(header) if f.name != "config"}
    entries: dict = {"__metadata__": strings}
    offset = 0
    for spec in specs:
        end = offset + spec.size
        entries[spec.name] = {"dtype": spec.dtype, "shape": list(spec.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start on eight-byte boundaries
    return struct.pack("<Q", len(text)) + text


def read_header(path: str | Path) -> WeightsHeader:
    """What a file of weights says of itself, after checking that it is one and has its full length.

    Raises:
        WorldTracingError: WT-MODEL-MISSING, WT-MODEL-FOREIGN, WT-MODEL-NEWER, WT-MODEL-TRUNCATED, WT-IO-READ.
    """
    path = Path(path)
    with _open(path) as file:
        return _read_header(path, file)[0]


def verify_weights(path: str | Path, on_progress: OnProgress = silent) -> WeightsHeader:
    """Check every byte of a file of weights against the SHA-256 in its header.

    Raises:
        WorldTracingError: WT-MODEL-CHECKSUM, and those of `read_header`.
    """
    path = Path(path)
    with _open(path) as file:
        header, start = _read_header(path, file)
        found = _digest(file, path.stat().st_size - start, f"Verifying {path.name}", on_progress)
    if found != header.data_sha256:
        raise WorldTracingError(
            "WT-MODEL-CHECKSUM",
            f"{path} is damaged: its checksum is not the one it was written with.",
            "Remove it, then download or convert the weights again.",
        )
    return header


def file_sha256(path: Path, stage: str, on_progress: OnProgress = silent) -> str:
    """SHA-256 of a whole file."""
    with _open(path) as file:
        return _digest(file, path.stat().st_size, stage, on_progress)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise WorldTracingError("WT-MODEL-MISSING", f"There is no file {path}.", "Check the path.") from error
    except OSError as error:
        raise WorldTracingError(
            "WT-IO-READ", f"{path} cannot be read ({error.strerror or error}).", "Check its permissions."
        ) from error


def _digest(file: BinaryIO, size: int, stage: str, on_progress: OnProgress) -> str:
    """SHA-256 of the rest of a file; progress in MB."""
    digest, done = hashlib.sha256(), 0
    while block := file.read(BLOCK):
        on_progress(stage, done // 10**6, size // 10**6)
        digest.update(block)
        done += len(block)
    return digest.hexdigest()


def _read_header(path: Path, file: BinaryIO) -> tuple[WeightsHeader, int]:
    """The header, and where the tensors start; `file` is left there."""
    size = path.stat().st_size
    length = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise _foreign(path)
    content = file.read(length)
    if len(content) < length:
        raise (
            _truncated(path) if content.startswith(b'{"__metadata__":{"format":"' + FORMAT.encode()) else _foreign(path)
        )
    try:
        entries = json.loads(content)
        strings = entries.pop("__metadata__", {})
        if strings["format"] != FORMAT:
            raise _foreign(path)
        if int(strings["version"]) > FORMAT_VERSION:
            raise WorldTracingError(
                "WT-MODEL-NEWER",
                f"{path} was written by a newer World Tracing.",
                "Update the World Tracing extension.",
            )
        config = _rebuild(ModelConfig, json.loads(strings["config"]))
        fields = {f.name: strings[f.name] for f in dataclasses.fields(WeightsHeader) if f.name != "config"}
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise _foreign(path) from error
    if size < 8 + length + end:
        raise _truncated(path)
    return WeightsHeader(config=config, **fields), 8 + length


def _rebuild(cls: type, values: dict[str, Any]) -> Any:
    """A dataclass, nested ones and tuples included, from what JSON made of it."""
    hints = get_type_hints(cls)
    fields = {}
    for name, value in values.items():
        if isinstance(value, dict):
            nested = next(t for t in (hints[name], *get_args(hints[name])) if dataclasses.is_dataclass(t))
            value = _rebuild(nested, value)
        fields[name] = tuple(value) if isinstance(value, list) else value
    return cls(**fields)


def _foreign(path: Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-MODEL-FOREIGN",
        f"{path} holds no weights of a World Tracing model.",
        "Choose a file that `worldtracing weights convert` has written.",
    )


def _truncated(path: Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-MODEL-TRUNCATED",
        f"{path} is cut short.",
        "Remove it, then download or convert the weights again.",
    )
