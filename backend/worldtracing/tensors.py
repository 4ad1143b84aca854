"""Versioned .safetensors files: what a world and a pixels hand-off have in common.

The string metadata of the safetensors header carries `format` and `version`; readers refuse what is foreign, newer
or cut short. All of it is documented in `docs/file_format.md`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import WorldTracingError
from .files import write_atomically

MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit


@dataclass(frozen=True)
class TensorFormat:
    """One kind of file.

    Attributes:
        name: the header's `format`.
        version: the newest version that is read, and the one that is written.
        noun: what messages call such a file, e.g. "a World Tracing result".
        fix: what to do about a file that is not one.
    """

    name: str
    version: int
    noun: str
    fix: str

    def write(self, path: str | Path, tensors: Mapping[str, np.ndarray], header: Mapping[str, str]) -> Path:
        """Write the file; an existing one is replaced only when all is written (errors: `write_atomically`)."""
        from safetensors.numpy import save

        tensors = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        content = save(tensors, {"format": self.name, "version": str(self.version), **header})
        return write_atomically(path, _sort_header(content))

    def read(self, path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """The tensors, as they are in the file, and the header's strings.

        Raises:
            WorldTracingError: WT-IO-READ (missing or unreadable), WT-IO-TRUNCATED, WT-IO-FOREIGN, WT-IO-NEWER,
                WT-IO-INVALID (a tensor of a type that numpy does not have).
        """
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        if not path.is_file():
            raise WorldTracingError("WT-IO-READ", f"There is no file {path}.", "Check the path, or trace again.")
        try:
            header = self._check_header(path)
            with safe_open(path, framework="numpy") as file:
                return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
        except OSError as error:
            raise WorldTracingError(
                "WT-IO-READ", f"{path} cannot be read ({error.strerror or error}).", "Check its permissions."
            ) from error
        except (SafetensorError, TypeError, AttributeError) as error:  # the last two for types such as bfloat16
            raise self.invalid(f"{path} holds tensors that cannot be read ({error}).") from error

    def read_header(self, path: str | Path) -> dict[str, str]:
        """The header's strings alone, which takes a few kilobytes of the file.

        Raises:
            WorldTracingError: as `read`.
        """
        path = Path(path)
        try:
            return self._check_header(path)
        except OSError as error:
            raise WorldTracingError(
                "WT-IO-READ", f"{path} cannot be read ({error.strerror or error}).", "Check the path and permissions."
            ) from error

    def invalid(self, sentence: str) -> WorldTracingError:
        """The error for a file, or for values, that cannot be what they should be."""
        return WorldTracingError("WT-IO-INVALID", f"This is not usable as {self.noun}: {sentence}", "Trace again.")

    def json_object(self, metadata: Mapping | str) -> dict:
        """Metadata as it reads back from a file: a copy of plain JSON values.

        Raises:
            WorldTracingError: WT-IO-INVALID.
        """
        try:
            copy = json.loads(metadata if isinstance(metadata, str) else json.dumps(dict(metadata), allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise self.invalid(f"its metadata cannot be JSON ({error}).") from error
        if not isinstance(copy, dict):
            raise self.invalid("its metadata is not a JSON object.")
        return copy

    def _check_header(self, path: Path) -> dict[str, str]:
        """Format, version and completeness, read here so that the message depends on no library's wording."""
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
            length = struct.unpack("<Q", start[:8].ljust(8, b"\0"))[0]
            if size < 9 or (8 + length > size and length < MAX_HEADER_BYTES and start[8:] == b"{"):
                raise self._truncated(path)
            if 8 + length > size:
                raise self._foreign(path)
            file.seek(8)
            content = file.read(length)
        try:
            entries = json.loads(content)
            header = entries.pop("__metadata__", None) or {}
            end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
            if header.get("format") != self.name:
                raise self._foreign(path)
            version = int(header["version"])
            cut = size < 8 + length + end
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
            raise self._foreign(path) from error
        if version > self.version:
            raise WorldTracingError(
                "WT-IO-NEWER",
                f"{path} has format {version}, and this World Tracing reads {self.version} at most.",
                "Update the World Tracing extension.",
            )
        if cut:
            raise self._truncated(path)
        return header

    def _foreign(self, path: Path) -> WorldTracingError:
        return WorldTracingError("WT-IO-FOREIGN", f"{path} is not {self.noun}.", self.fix)

    def _truncated(self, path: Path) -> WorldTracingError:
        return WorldTracingError("WT-IO-TRUNCATED", f"{path} is cut short.", "Copy it again, or trace again.")


def _sort_header(content: bytes) -> bytes:
    """The same file with the header's strings in order: safetensors shuffles them, and equal worlds are equal files."""
    end = 8 + struct.unpack("<Q", content[:8])[0]
    entries = json.loads(content[8:end])
    entries["__metadata__"] = dict(sorted(entries["__metadata__"].items()))
    header = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    header = header.ljust(-len(header) % 8 + len(header))  # the data stay aligned to 8 bytes
    return struct.pack("<Q", len(header)) + header + content[end:]
