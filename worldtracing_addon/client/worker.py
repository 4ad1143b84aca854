"""A worker as the main thread sees it: send and poll, neither of which ever waits.

Daemon threads do the waiting. One writes requests, one reads replies into a queue and, when they end, reaps the process
and says why; a third keeps the last lines of stderr.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.files import temporary_path
from ...backend.worldtracing.worker import protocol
from ..core.jobs import WORKER_GONE
from ..core.platforms import keep_broken_pipes_harmless
from .endings import died, stalled, wrong_protocol
from .launch import open_process

START_SECONDS = 60.0
"""A worker that has neither said hello nor written to stderr for so long is stalled. A trace has no such limit."""

EXIT_SECONDS = 5.0
"""How long a process may take to end after it has closed its replies."""

LAST_WORDS = "WT-WORKER-REMOTE-LOST"
"""After an error with this code a bridge ends."""


class Worker:
    """What both kinds have in common. `busy` is for the one job that owns the worker at a time."""

    def __init__(self) -> None:
        self.hello: protocol.Message | None = None
        self.engines: list[protocol.Message] | None = None  # asked for at hello
        self.generators: list[protocol.Message] | None = None  # of the last reply, once somebody has asked
        self.assistants: list[protocol.Message] | None = None  # of the last reply; asked for at hello
        self.busy = False
        self._claim = threading.Lock()
        self.started = False
        self._failure: WorldTracingError | None = None  # why this client will have no more of it
        self._stopping = False
        self._gone = threading.Event()
        self._end: WorldTracingError | None = None  # how it ended, once it is gone
        self._received: queue.SimpleQueue[protocol.Message] = queue.SimpleQueue()
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._heard_at = time.monotonic()
        self._tail: deque[str] = deque(maxlen=100)

    @property
    def alive(self) -> bool:
        """Started, and usable as far as is known."""
        return self.started and not (self._gone.is_set() or self._stopping or self._failure)

    @property
    def silent_seconds(self) -> float:
        """Time since the last sign of life."""
        return time.monotonic() - self._heard_at

    def claim(self) -> None:
        """Be the one job that owns it, until `busy` is unset; may be called in any thread.

        Raises:
            WorldTracingError: WT-WORKER-BUSY.
        """
        with self._claim:
            if self.busy:
                raise protocol.busy()
            self.busy = True

    def start(self) -> None:
        """Start it; hello comes later, through `poll`."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it now. A message of type WORKER_GONE follows when it has ended."""
        raise NotImplementedError

    def send(self, message: protocol.Message) -> None:
        """Queue a request. One that cannot be delivered is lost; `poll` then tells that the worker is gone."""
        self._outgoing.put(protocol.encode(message))

    def poll(self) -> list[protocol.Message]:
        """What has arrived since the last call; one of type WORKER_GONE in every call once the worker has ended."""
        gone = self._gone.is_set()  # asked first: what it said before comes before
        messages = []
        with contextlib.suppress(queue.Empty):
            while True:
                messages.append(self._received.get_nowait())
        for message in messages:
            if message["type"] == "hello":
                self._check_hello(message)
            elif message["type"] == "engines":
                self.engines = message["engines"]
            elif message["type"] == "generators":
                self.generators = message["generators"]
            elif message["type"] == "assistants":
                self.assistants = message["assistants"]
            elif message["type"] == "error" and self.hello is None:
                self._fail(protocol.to_error(message))  # the launcher could not even start the worker
            elif message["type"] == "error" and message.get("code") == LAST_WORDS:
                self._stopping = True
        if self.alive and self.hello is None and self.silent_seconds > START_SECONDS:
            self._fail(stalled(START_SECONDS))
        if gone:
            reason = self._failure or self._end
            messages.append({"type": WORKER_GONE, "id": None, **reason.to_dict()})
        return messages

    def stop(self, grace_seconds: float = 2.0, wait: bool = False) -> None:
        """Ask it to end, and end it after the grace time; returns at once unless told to wait."""
        self._stopping = True
        self.send(protocol.shutdown("shutdown"))
        self._outgoing.put(None)
        if not self.started:
            return
        if wait:  # in this thread: Python starts no new ones while it exits
            self._end_after(grace_seconds)
        else:
            threading.Thread(target=self._end_after, args=(grace_seconds,), daemon=True).start()

    def stderr_tail(self) -> str:
        """The last lines that the worker has written to stderr."""
        return "\n".join(self._tail)

    def _check_hello(self, message: protocol.Message) -> None:
        if message.get("protocol") == protocol.PROTOCOL_VERSION:
            self.hello = message
            if "engines" in message.get("capabilities", ()):
                self.send(protocol.engines_request("engines"))
            if "assist" in message.get("capabilities", ()):
                self.send(protocol.assistants_request("assistants"))
        else:
            self._fail(wrong_protocol(message.get("protocol")))

    def _fail(self, error: WorldTracingError) -> None:
        if self._failure is None:
            self._failure = error
            self.kill()

    def _end_after(self, grace_seconds: float) -> None:
        if not self._gone.wait(grace_seconds):
            self.kill()  # SIGTERM would gain nothing: the end of its requests has asked already

    def _set_gone(self, end: WorldTracingError) -> None:
        if not self._gone.is_set():
            self._end = end
            self._gone.set()

    def _write(self, stream: BinaryIO) -> None:
        """Write what is queued until None comes or nobody reads. Closing the stream tells the worker to end."""
        keep_broken_pipes_harmless()
        with contextlib.suppress(OSError), stream:
            while (line := self._outgoing.get()) is not None:
                stream.write(line)
                stream.flush()

    def _read(self, stream: BinaryIO) -> None:
        """Queue what arrives until the stream ends."""
        while line := stream.readline(protocol.MAX_LINE_BYTES):
            self._heard_at = time.monotonic()
            try:
                message = protocol.decode(line)
            except WorldTracingError:  # a wrapper around Python may print; what matters comes after it
                self._tail.append(line.decode("utf-8", "replace").rstrip())
                continue
            if message["type"] != "heartbeat":
                self._received.put(message)
        self._stopping = True  # it says nothing any more, though it may not have ended yet


class ProcessWorker(Worker):
    """A worker in a process of its own; `command` comes from `launch.worker_command`."""

    def __init__(
        self, command: Sequence[str], log_path: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._command = list(command)
        self._variables = variables
        self._log_path = log_path
        self._process: subprocess.Popen | None = None
        self._outputs: list[str] = []  # result files that this process may have half written

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """
        Raises:
            WorldTracingError: WT-WORKER-NO-PYTHON.
        """
        process = self._process = open_process(self._command, self._variables)
        self.started = True
        self._heard_at = time.monotonic()
        log = threading.Thread(target=self._keep_log, args=(process.stderr,), daemon=True)
        log.start()
        threading.Thread(target=self._write, args=(process.stdin,), daemon=True).start()
        threading.Thread(target=self._watch, args=(process, log), daemon=True).start()

    def send(self, message: protocol.Message) -> None:
        if "output" in message:
            self._outputs.append(message["output"])
        super().send(message)

    def kill(self) -> None:
        self._stopping = True  # of no use to the next trace, though the process may live for a moment
        if self._process is not None:
            self._process.kill()  # this process alone, never its group

    def _watch(self, process: subprocess.Popen, log: threading.Thread) -> None:
        with process.stdout as stream:
            self._read(stream)
        try:
            process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:  # it has closed its replies and lives on: of no use to anybody
            process.kill()
            process.wait()
        self._outgoing.put(None)
        log.join(1.0)  # a child of the worker may keep stderr open
        pid = self.hello["pid"] if self.hello else process.pid  # a wrapper's pid is not the worker's
        for output in self._outputs:
            with contextlib.suppress(OSError):
                temporary_path(Path(output), pid).unlink(missing_ok=True)
        self._set_gone(died(process.returncode, self._tail))

    def _keep_log(self, stream: BinaryIO) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(stream)
            log = None
            if self._log_path is not None:
                with contextlib.suppress(OSError):  # a log that cannot be written must not stop a trace
                    self._log_path.parent.mkdir(parents=True, exist_ok=True)
                    log = stack.enter_context(self._log_path.open("w", encoding="utf-8"))
            while line := stream.readline(protocol.MAX_LINE_BYTES):
                self._heard_at = time.monotonic()
                text = line.decode("utf-8", "replace").rstrip()
                self._tail.append(text)
                if log is not None:
                    with contextlib.suppress(OSError):
                        log.write(text + "\n")
                        log.flush()


class InProcessWorker(Worker):
    """The same conversation with a thread of this process, for where no process may be started.

    A thread cannot be killed: after `kill` it ends with its step, and what it still says is not heard.
    """

    def start(self) -> None:
        self.started = True
        self._heard_at = time.monotonic()
        requests, to_worker = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        from_worker, replies = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        threading.Thread(target=self._write, args=(to_worker,), daemon=True).start()
        threading.Thread(target=self._watch, args=(from_worker,), daemon=True).start()
        threading.Thread(target=self._serve, args=(requests, replies), daemon=True).start()

    def kill(self) -> None:
        self._stopping = True
        self._outgoing.put(None)
        self._set_gone(died(None, self._tail))

    def _serve(self, requests: BinaryIO, replies: BinaryIO) -> None:
        from ...backend.worldtracing.worker.serve import serve  # heavy for a Blender that only starts

        keep_broken_pipes_harmless()
        with requests, replies:
            serve(requests, replies)

    def _watch(self, stream: BinaryIO) -> None:
        with stream:
            self._read(stream)
        self._outgoing.put(None)
        self._set_gone(died(None, self._tail))
