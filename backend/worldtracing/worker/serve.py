"""The worker's loop over two byte streams: `worldtracing serve --stdio`, or a thread inside Blender over pipes.

Three threads share the work. The loop's own thread traces, one job at a time. A reader thread answers what must not
wait for a step to end: cancel, status, a second trace, and the end of the input, which means that the client is gone.
A heartbeat thread says that the worker is alive however long a step takes, and notices when nobody listens any more.
"""

from __future__ import annotations

import os
import platform
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import BinaryIO

from ..editing.assistants import Assistants, assistant_entries
from ..engines.base import ENGINES
from ..errors import WorldTracingError
from ..meshing.making import generator_entries
from ..version import __version__
from . import protocol
from .conversation import Conversation, claim_stdio
from .job import Engines, Job, unexpected

GRACE_SECONDS = 2.0
"""How long a job may take to notice that its client is gone before the process leaves without it."""


def serve_stdio() -> int:
    """Serve this process's stdin and stdout until shutdown or the end of stdin; the exit code."""
    requests, replies = claim_stdio()
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


class Server(Conversation):
    """One conversation. `run` returns when it is over."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        super().__init__(requests, replies)
        self.on_overdue: Callable[[], None] = lambda: None
        """Called when the client has been gone for GRACE_SECONDS and this process is still here."""
        self._engines, self._assistants = Engines(), Assistants()
        self._tasks: queue.SimpleQueue[Callable[[], protocol.Message] | None] = queue.SimpleQueue()
        self._task_lock = threading.Lock()
        self._job: Job | None = None  # the task that waits or runs, if it is no free_memory
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

    def _on_trace(self, request: protocol.Request) -> None:
        job = Job(request, self._send)
        self._start(request.id, lambda: job.run(self._engines, self._assistants), job)

    _on_mesh = _on_assist = _on_trace

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
            self._send(protocol.generators(request.id, generator_entries(request.values.get("options", {}))))

        threading.Thread(target=answer, daemon=True).start()

    def _on_assistants(self, request: protocol.Request) -> None:
        def answer() -> None:
            self._send(protocol.assistants(request.id, assistant_entries()))

        threading.Thread(target=answer, daemon=True).start()

    # Work for the loop's own thread

    def _start(self, id: str, task: Callable[[], protocol.Message], job: Job | None = None) -> None:
        with self._task_lock:
            if self._task_id is not None:
                raise protocol.busy()
            self._task_id, self._job = id, job
        self._tasks.put(task)

    def _free_memory(self, id: str) -> protocol.Message:
        try:
            self._assistants.free_memory()
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
