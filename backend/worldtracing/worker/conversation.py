"""Both ends of a conversation over two byte streams: requests are read, checked and answered one by one."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import WorldTracingError
from . import protocol


class Conversation:
    """Reads requests and writes replies. A subclass has a method `_on_<type>` for each request, which returns its
    answer or None, and raises WorldTracingError; and `_end` for when the conversation is over."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self._requests = requests
        self._replies = replies
        self._send_lock = threading.Lock()
        self._task_id: str | None = None  # of the job that waits or runs
        self._shutting_down = False  # asked for, and answered next

    def _end(self) -> None:
        """The conversation is over; may be called several times, from any thread."""
        raise NotImplementedError

    def _send(self, message: protocol.Message) -> None:
        line = protocol.encode(message)
        _log("sent", line)
        try:
            with self._send_lock:
                self._replies.write(line)
                self._replies.flush()
        except (OSError, ValueError):  # nobody listens
            self._end()

    def _read(self) -> None:
        """Answer requests until the end of their stream, or a shutdown; for a thread of its own."""
        try:
            for line in _lines(self._requests):
                self._answer(line)
                if self._shutting_down:
                    break
        except (OSError, ValueError):  # the stream was closed under us
            pass
        self._end()

    def _answer(self, line: bytes | None) -> None:
        id = None
        _log("received", line or b"")
        try:
            if line is None:
                raise protocol.bad_request(f"A line is longer than {protocol.MAX_LINE_BYTES} bytes")
            message = protocol.decode(line)
            if isinstance(message.get("id"), str):
                id = message["id"]
            request = protocol.parse_request(message)
            if request.id == self._task_id:
                id = None  # an error with this id would seem to end the task that has it
                raise protocol.bad_request("The id of a trace that runs cannot be used again")
            answer = getattr(self, f"_on_{request.type}")(request)
        except WorldTracingError as error:
            answer = protocol.error(id, error)
        if answer is not None:
            self._send(answer)

    def _on_shutdown(self, request: protocol.Request) -> protocol.Message:
        self._shutting_down = True
        return protocol.ok(request.id)


def claim_stdio() -> tuple[BinaryIO, BinaryIO]:
    """The process's real stdin and stdout, for the protocol alone.

    From here on print() and C code that writes to descriptor 1 go to stderr, and nothing else, child processes
    included, reads the requests.
    """
    sys.stdout.flush()
    requests = os.fdopen(os.dup(0), "rb")  # duplicates are not inherited by child processes
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor, not a path
        os.dup2(nothing.fileno(), 0)
    sys.stdout = sys.stderr
    return requests, replies


def _lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Lines that hold something, None for one that is too long; memory stays bounded whatever comes."""
    while line := stream.readline(protocol.MAX_LINE_BYTES):
        if len(line) == protocol.MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(protocol.MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield None
        elif line.strip():
            yield line


def _log(direction: str, line: bytes) -> None:
    """Tell a message to stderr, which the client keeps as the log, if WORLDTRACING_LOG is "detailed"."""
    if os.environ.get("WORLDTRACING_LOG") == "detailed":
        shown = line[:2000].decode("utf-8", "replace").rstrip()
        print(f"{time.strftime('%H:%M:%S')} {direction} {shown}", file=sys.stderr, flush=True)
