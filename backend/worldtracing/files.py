"""Writing files so that a failure never leaves a half-written one behind."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from .errors import WorldTracingError


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Write `content` to `path`, replacing it only when every byte is on disk.

    Raises:
        WorldTracingError: WT-IO-WRITE when the folder is read-only or missing rights, WT-IO-FULL when the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise write_error(path, error) from error
    return path


def write_error(path: str | Path, error: OSError) -> WorldTracingError:
    """The sentence for a file that could not be written."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):  # Windows has no EDQUOT
        return WorldTracingError(
            "WT-IO-FULL",
            f"The disk is full: {path} could not be written.",
            "Free some space or choose another folder.",
        )
    return WorldTracingError(
        "WT-IO-WRITE",
        f"{path} cannot be written ({error.strerror or error}).",
        "Choose a folder that you may write to.",
    )
