"""Writing files so that a failure never leaves a half-written one behind."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from .errors import WorldTracingError

OPEN_ELSEWHERE = (5, 32, 33, 1224)
"""What Windows says of files that it does not replace or remove because a program has them open or mapped."""


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Write `content` to `path`, replacing it only when every byte is on disk.

    Raises:
        WorldTracingError: WT-IO-WRITE when the folder is read-only or missing rights, WT-IO-FULL when the disk is full.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
    return Path(path)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file beside `path` for the block to write, which takes its place once the block has succeeded.

    Raises:
        WorldTracingError: as `write_atomically`, for an OSError out of the block as well.
    """
    path = Path(path)
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Find out before a long trace, not after it, that its result cannot be written.

    Raises:
        WorldTracingError: WT-IO-WRITE or WT-IO-FULL.
    """
    probe = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise write_error(path, error) from error


def temporary_path(path: Path, pid: int | None = None) -> Path:
    """Where this process, or process `pid`, writes what is to become `path`.

    In the same folder, as only there a rename is atomic.
    """
    return path.with_name(f".{path.name}.{pid or os.getpid()}.tmp")


def write_error(path: str | Path, error: OSError) -> WorldTracingError:
    """The sentence for a file that could not be written."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):  # Windows has no EDQUOT
        return WorldTracingError(
            "WT-IO-FULL",
            f"The disk is full: {path} could not be written.",
            "Free some space or choose another folder.",
        )
    fix = "Choose a folder that you may write to."
    if getattr(error, "winerror", None) in OPEN_ELSEWHERE:
        fix = "Close other programs that have it open, or choose a folder that you may write to."
    return WorldTracingError("WT-IO-WRITE", f"{path} cannot be written ({error.strerror or error}).", fix)
