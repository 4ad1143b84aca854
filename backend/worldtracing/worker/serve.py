"""The worker's loop over two byte streams: `worldtracing serve --stdio`, or a thread inside Blender over pipes.

Three threads share the work. The loop's own thread traces, one job at a time. A reader thread answers what must not
wait for a step to end: cancel, status, a second trace, and the end of the input, which means that the client is gone.
A heartbeat thread says that the worker is alive however long a step takes, and notices when nobody listens any more.
"""

from __future__ import annotations

import os
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import BinaryIO

from ..engines.base import ENGINES
from ..errors import WorldTracingError
from ..meshing.making import generator_entries
from ..version import __version__
from . import protocol
from .job import Engines, Job, unexpected

GRACE_SECONDS = 2.0
"""How long a job may take to notice that its client is gone before the process leaves without it."""


def serve_stdio() -> int:
    """Serve this process's stdin and stdout until shutdown or the end of stdin; the exit code."""
    requests, replies = _claim_stdio()
    server = Server(requests, replies)

    def leave(code: int = 0) -> None:
        server.remove_temporary()
        os._exit(code)  # not sys.exit: the job may be in mid-step, and an engine may have left threads running

    server.on_overdue = leave
    try:
        server.run()
    except KeyboardInterrupt:  # Ctrl-C in a console: end quietly; whoever started the worker decides for itself
        leave(130)
    return 0


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Serve two streams in this thread until shutdown or the end of `requests`; a job in mid-step ends first."""
    Server(requests, replies).run()


class Server:
    """One conversation. `run` returns when it is over."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self.on_overdue: Callable[[], None] = lambda: None
        """Called when the client has been gone for GRACE_SECONDS and this process is still here."""
        self._requests = requests
        self._replies = replies
        self._engines = Engines()
        self._tasks: queue.SimpleQueue[Callable[[], protocol.Message] | None] = queue.SimpleQueue()
        self._send_lock = threading.Lock()
        self._task_lock = threading.Lock()
        self._task_id: str | None = None  # of the task that waits or runs
        self._job: Job | None = None  # that task, if it is a trace
        self._shutting_down = False  # asked for, and answered next
        self._over = threading.Event()

    def run(self) -> None:
        python = platform.python_version()
        self._send(protocol.hello(__version__, python, os.getpid(), ENGINES.names()))
        for work in (self._read, self._beat):
            threading.Thread(target=work, name=f"worldtracing{work.__name__}", daemon=True).start()
        while (task := self._tasks.get()) is not None:
            answer = task()
            with self._task_lock:  # before the answer: whoever has it may send the next request at once
                self._task_id = self._job = None
            self._send(answer)

    def remove_temporary(self) -> None:
        job = self._job
        if job is not None:
            job.remove_temporary()

    def _send(self, message: protocol.Message) -> None:
        line = protocol.encode(message)
        _log("sent", line)
        try:
            with self._send_lock:
                self._replies.write(line)
                self._replies.flush()
        except (OSError, ValueError):  # nobody listens
            self._end()

    def _end(self) -> None:
        """The conversation is over: stop the job, leave the loop."""
        with self._task_lock:
            if self._over.is_set():
                return
            self._over.set()
            job = self._job
        if job is not None:
            job.cancel()
        threading.Thread(target=self._leave_if_overdue, daemon=True).start()
        self._tasks.put(None)

    def _leave_if_overdue(self) -> None:
        time.sleep(GRACE_SECONDS)
        self.on_overdue()

    # The reader thread

    def _read(self) -> None:
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

    def _on_trace(self, request: protocol.Request) -> None:
        job = Job(request, self._send)
        self._start(request.id, lambda: job.run(self._engines), job)

    _on_mesh = _on_trace

    def _on_free_memory(self, request: protocol.Request) -> None:
        self._start(request.id, lambda: self._free_memory(request.id))

    def _on_cancel(self, request: protocol.Request) -> protocol.Message:
        job = self._job
        found = job is not None and job.id == request.values["target"]
        if found:
            job.cancel()
        return protocol.ok(request.id, found=found)

    def _on_status(self, request: protocol.Request) -> protocol.Message:
        job = self._job
        return protocol.status(request.id, job and job.facts(), self._engines.names())

    def _on_engines(self, request: protocol.Request) -> None:
        threading.Thread(target=lambda: self._send(protocol.engines(request.id, engine_entries())), daemon=True).start()

    def _on_generators(self, request: protocol.Request) -> None:
        def answer() -> None:
            self._send(protocol.generators(request.id, generator_entries()))

        threading.Thread(target=answer, daemon=True).start()

    def _on_shutdown(self, request: protocol.Request) -> protocol.Message:
        self._shutting_down = True
        return protocol.ok(request.id)

    # Work for the loop's own thread

    def _start(self, id: str, task: Callable[[], protocol.Message], job: Job | None = None) -> None:
        with self._task_lock:
            if self._task_id is not None:
                raise protocol.busy()
            self._task_id, self._job = id, job
        self._tasks.put(task)

    def _free_memory(self, id: str) -> protocol.Message:
        try:
            self._engines.free_memory()
        except Exception as error:  # an engine may fail in any way
            return protocol.error(id, unexpected(error))
        return protocol.ok(id)

    def _beat(self) -> None:
        while not self._over.wait(protocol.HEARTBEAT_SECONDS):
            self._send(protocol.heartbeat(self._task_id))


def engine_entries() -> list[protocol.Message]:
    """Each engine's EngineInfo as an object, or its name and why it does not load. Imports them all."""
    entries = []
    for name in ENGINES.names():
        try:
            entry = asdict(ENGINES.load(name).info) | {"name": name}
            protocol.encode(entry)
            entries.append(entry)
        except WorldTracingError as error:
            entries.append({"name": name, "error": error.to_dict()})
        except (Exception, SystemExit) as error:  # a plug-in that exits on import, or without a usable `info`
            entries.append({"name": name, "error": unexpected(error).to_dict()})
    return entries


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


def _claim_stdio() -> tuple[BinaryIO, BinaryIO]:
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
