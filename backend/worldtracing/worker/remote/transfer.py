"""Files that follow a message: announced with their sizes in its `files`, then sent piece by piece, in that order."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ...errors import WorldTracingError
from ...files import temporary_path, write_error
from .. import protocol
from .link import CHUNK_BYTES, DATA, MESSAGE, ForeignLinkError, Link

MAX_FILE_BYTES = 1 << 32
"""Longest file that travels; the world of a photo of 4096 x 4096 pixels has 1.6 GB."""

OnBytes = Callable[[int, int], None]
"""Called with the bytes that are done and the bytes of all files."""


def send_with_files(
    link: Link,
    message: protocol.Message,
    entries: Sequence[tuple[protocol.Message, Path]],
    stopped: threading.Event,
    on_bytes: OnBytes = lambda done, total: None,
) -> bool:
    """Send a message and the files that it announces, unless `stopped` is set meanwhile; whether all was sent.

    Args:
        entries: what `files` says of each file, beside its size, and its path.

    Raises:
        WorldTracingError: WT-IO-READ, WT-WORKER-REMOTE-SIZE; the message may have been sent.
        LinkBrokenError
    """
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(_open(path)) for _, path in entries]
        sizes = [_size(stream, path) for stream, (_, path) in zip(streams, entries, strict=True)]
        files = [entry | {"size": size} for (entry, _), size in zip(entries, sizes, strict=True)]
        if not link.send(MESSAGE, protocol.encode(message | {"files": files}), stopped):
            return False
        done = 0
        for stream, size, (_, path) in zip(streams, sizes, entries, strict=True):
            left = size
            while left:
                on_bytes(done, sum(sizes))
                chunk = _read(stream, min(CHUNK_BYTES, left), path)
                if not link.send(DATA, chunk, stopped):
                    return False
                left -= len(chunk)
                done += len(chunk)
    return True


class Incoming:
    """The files that follow a message, each on its way into a temporary file beside the path it is for.

    Attributes:
        message: the one that has announced them.
        error: why they cannot be kept; what still comes is then dropped.
    """

    def __init__(
        self,
        message: protocol.Message,
        paths: Sequence[Path],
        on_bytes: OnBytes = lambda done, total: None,
        error: WorldTracingError | None = None,
    ) -> None:
        """
        Args:
            paths: one for each entry of the message's `files`; of no matter with an `error`.

        Raises:
            ForeignLinkError: the sizes are none, or a file is too long.
        """
        self.message, self.error = message, error
        self._paths, self._sizes = list(paths), file_sizes(message)
        self._on_bytes = on_bytes
        self._done = self._index = self._written = 0  # bytes of all files, files, bytes of the one whose turn it is
        self._stream: BinaryIO | None = None
        self._next()

    @property
    def complete(self) -> bool:
        return self._index == len(self._sizes)

    def take(self, chunk: bytes) -> None:
        """The next piece.

        Raises:
            ForeignLinkError: there was none to come.
        """
        if self.complete or self._written + len(chunk) > self._sizes[self._index]:
            raise ForeignLinkError("more of a file came than was announced")
        self._on_bytes(self._done, sum(self._sizes))
        self._try(lambda: self._stream.write(chunk))
        self._written += len(chunk)
        self._done += len(chunk)
        self._next()

    def place(self) -> None:
        """Put all files in their places, the first one last: it is the one that others wait for.

        Raises:
            WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
        """
        for path in reversed(self._paths):
            try:
                temporary_path(path).replace(path)
            except OSError as error:
                raise write_error(path, error) from error

    def discard(self) -> None:
        """Remove what is not in its place."""
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()
        for path in self._paths:
            with contextlib.suppress(OSError):
                temporary_path(path).unlink(missing_ok=True)

    def _next(self) -> None:
        """Open the file whose turn it is, once those before it are finished."""
        while not self.complete:
            if self._stream is None:
                self._try(self._open)
            if self._written < self._sizes[self._index]:
                return
            self._try(self._finish)
            self._stream, self._index, self._written = None, self._index + 1, 0

    def _open(self) -> None:
        path = self._paths[self._index]
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = temporary_path(path).open("wb")

    def _finish(self) -> None:
        with self._stream:
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def _try(self, action: Callable[[], object]) -> None:
        """Unless something has failed before."""
        if self.error is None:
            try:
                action()
            except OSError as error:
                self.error = write_error(self._paths[self._index], error)
                self.discard()


def file_sizes(message: protocol.Message) -> list[int]:
    """The sizes that a message announces. Raises ForeignLinkError."""
    files = message.get("files")
    if not isinstance(files, list) or len(files) > 64 or not all(isinstance(entry, dict) for entry in files):
        raise ForeignLinkError("files were announced in a way that makes no sense")
    sizes = [entry.get("size") for entry in files]
    if not all(type(size) is int and 0 <= size <= MAX_FILE_BYTES for size in sizes):
        raise ForeignLinkError("a file was announced that is too long")
    return sizes


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def _size(stream: BinaryIO, path: Path) -> int:
    size = os.fstat(stream.fileno()).st_size
    if size > MAX_FILE_BYTES:
        raise WorldTracingError(
            "WT-WORKER-REMOTE-SIZE",
            f"{path} has {size / 1e9:.1f} GB, and {MAX_FILE_BYTES / 1e9:.1f} GB is the most that travels.",
            "Scale the picture down, or trace on this computer.",
        )
    return size


def _read(stream: BinaryIO, count: int, path: Path) -> bytes:
    try:
        chunk = stream.read(count)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(chunk) < count:
        raise _unreadable(path, OSError("it has become shorter"))
    return chunk


def _unreadable(path: Path, error: OSError) -> WorldTracingError:
    reason = error.strerror or error
    return WorldTracingError("WT-IO-READ", f"{path} cannot be read ({reason}).", "Check the path and its permissions.")
