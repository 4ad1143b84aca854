"""Stands in for a worker on another computer: the same conversation over stdin and stdout, its files over the network.

Three threads share the work, and a fourth one sends files. The bridge's own thread hears the other computer; a reader
thread takes the client's requests; one gives signs of life. Whatever breaks the connection ends the bridge: requests
that are not answered get an error, and files that are not whole are removed.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import BinaryIO

from ...errors import WorldTracingError
from ...files import check_writable
from .. import protocol
from ..conversation import Conversation, claim_stdio
from ..job import unexpected
from .address import Address
from .client import meet
from .link import DATA, ForeignLinkError, Link, LinkBrokenError, message_of
from .requests import for_the_network, kept_seeds, seed_path
from .transfer import Incoming, OnBytes, send_with_files

CAPABILITY = "remote"
MIB = 1 << 20
PROGRESS_SECONDS = 0.1


def bridge_stdio(address: Address, token: str) -> int:
    """Serve this process's stdin and stdout until shutdown, the end of stdin or of the connection. Does not return."""
    bridge = Bridge(*claim_stdio(), address, token)
    code = 130  # Ctrl-C in a console
    with contextlib.suppress(KeyboardInterrupt):
        code = bridge.run()
    os._exit(code)  # not sys.exit: a thread waits for requests


@dataclass
class _Job:
    """A trace or mesh.

    Attributes:
        cancel_id: of the bridge's own cancel, which ends an upload.
        uploading: until its files are sent, or will not be.
        sent: whether they all were.
        stopped: by a cancel, while it is uploading.
        failure: why not all were sent.
        incoming: once its results come.
    """

    request: protocol.Request
    cancel_id: str
    uploading: bool = True
    sent: bool = False
    stopped: threading.Event = field(default_factory=threading.Event)
    failure: WorldTracingError | None = None
    incoming: Incoming | None = None


class Bridge(Conversation):
    """One conversation. `run` returns when it is over."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO, address: Address, token: str) -> None:
        super().__init__(requests, replies)
        self._address, self._token = address, token
        self._link: Link | None = None
        self._over = False  # the client is gone, or wants to be
        self._begun = False  # the client has heard a hello, or why there is none
        self._numbers = count()
        self._lock = threading.Lock()  # of the two below
        self._unanswered: set[str] = set()
        self._job: _Job | None = None

    def run(self) -> int:
        """The exit code."""
        try:
            self._link, _ = meet(self._address, self._token)
            print(f"Connected to {self._address}.", file=sys.stderr, flush=True)
        except WorldTracingError as error:
            print(error, file=sys.stderr, flush=True)
            self._send(protocol.error(None, error))
            return 1
        for work in (self._read, self._link.keep_alive):
            threading.Thread(target=work, name=f"worldtracing{work.__name__}", daemon=True).start()
        try:
            self._link.tell({"type": "start"})
            while True:
                kind, payload = self._link.receive()
                if kind == DATA:
                    self._take(payload)
                else:
                    self._hear(message_of(payload))
        except LinkBrokenError as error:
            return self._leave(_lost(self._address, error))
        finally:
            self._link.close()
            if self._job is not None and self._job.incoming is not None:
                self._job.incoming.discard()

    def _end(self) -> None:
        self._over = True
        self._link.close()

    def _leave(self, error: WorldTracingError) -> int:
        if self._over:
            return 0
        print(error, file=sys.stderr, flush=True)
        with self._lock:
            unanswered, self._unanswered = self._unanswered, set()
            job = self._job
        if job is not None:
            job.stopped.set()
        for id in sorted(unanswered) if self._begun else (None,):
            self._send(protocol.error(id, error))
        return 1

    # Requests of the client, in the reader thread

    def _on_trace(self, request: protocol.Request) -> None:
        job = _Job(request, f"worldtracing bridge {next(self._numbers)}")
        with self._lock:
            if self._job is not None:
                raise protocol.busy()
            self._job, self._task_id = job, request.id
            self._unanswered.add(request.id)
        threading.Thread(target=self._upload, args=(job,), name="worldtracing_upload", daemon=True).start()

    _on_mesh = _on_assist = _on_trace

    def _on_cancel(self, request: protocol.Request) -> protocol.Message | None:
        with self._lock:
            job = self._job
            if job is not None and job.request.id == request.values["target"] and job.uploading:
                job.stopped.set()
                return protocol.ok(request.id, found=True)
        return self._pass_on(request)

    def _pass_on(self, request: protocol.Request) -> None:
        with self._lock:
            self._unanswered.add(request.id)
        values = request.values if request.type == "cancel" else {}  # other fields name programs of this computer
        with contextlib.suppress(LinkBrokenError):  # which the bridge's own thread finds out
            self._link.tell({"type": request.type, "id": request.id, **values})

    _on_status = _on_engines = _on_generators = _on_assistants = _on_free_memory = _pass_on

    def _upload(self, job: _Job) -> None:
        """Send a request and its files; in a thread of its own, as a cancel may come meanwhile."""
        try:
            check_writable(Path(job.request.values["output"]))
            message, files = for_the_network(job.request)
            on_bytes = self._progress(job, "Sending the files")
            job.sent = send_with_files(self._link, message, files, job.stopped, on_bytes)
        except WorldTracingError as error:
            job.failure = error
        except LinkBrokenError:
            self._link.close()
            return
        except Exception as error:  # a defect must not leave the client waiting
            traceback.print_exc()
            job.failure = unexpected(error)
        with self._lock:
            job.uploading = False
            stopped = job.stopped.is_set()
        if stopped or not job.sent:
            with contextlib.suppress(LinkBrokenError):  # the other computer waits for the rest, or works already
                self._link.tell(protocol.cancel(job.cancel_id, job.request.id))

    # What the other computer says, in the bridge's own thread

    def _hear(self, message: protocol.Message) -> None:
        kind, id, job = message["type"], message.get("id"), self._job
        own = job is not None and id == job.request.id
        self._begun = self._begun or kind == "hello" or id is None
        if kind == "hello":
            capabilities = [*message["capabilities"], CAPABILITY]
            self._send(message | {"pid": os.getpid(), "capabilities": capabilities, "address": str(self._address)})
        elif own and kind == "result":
            self._receive(job, message)
        elif own and kind == "delivered":
            self._place(job)
        elif own and kind in ("cancelled", "error"):
            self._finish(message)
        elif job is not None and id == job.cancel_id:
            if not (job.sent or message.get("found")):  # it had not even been announced
                self._finish(protocol.cancelled(job.request.id))
        elif id is None or own or kind == "heartbeat":
            self._send(message)
        elif id in self._unanswered:
            with self._lock:
                self._unanswered.discard(id)
            self._send(message)

    def _receive(self, job: _Job, result: protocol.Message) -> None:
        """A result, whose files follow."""
        output, stem = Path(job.request.values["output"]), kept_seeds(job.request)
        paths = []
        for entry in result.get("files", ()):
            seed = seed_path(stem, entry.get("name")) if stem and entry.get("field") == "seed" else None
            path = output if entry.get("field") == "output" else seed
            if path is None or path in paths:
                raise ForeignLinkError("a file came that nobody has asked for")
            paths.append(path)
        if output not in paths:
            raise ForeignLinkError("the result is missing")
        job.incoming = Incoming(result, paths, self._progress(job, "Receiving the result"))

    def _take(self, piece: bytes) -> None:
        job = self._job
        if job is None or job.incoming is None:
            raise ForeignLinkError("a file came that nobody has asked for")
        job.incoming.take(piece)

    def _place(self, job: _Job) -> None:
        """All files of a result have come."""
        incoming, request = job.incoming, job.request
        if incoming is None or not incoming.complete:
            raise ForeignLinkError("the result is not whole")
        try:
            if incoming.error is not None:
                raise incoming.error
            incoming.place()
        except WorldTracingError as error:
            self._finish(protocol.error(request.id, error))
        else:
            self._finish(protocol.result(request.id, request.values["output"], incoming.message["summary"]))

    def _finish(self, last: protocol.Message) -> None:
        """The job is over; then tell the client, who may send the next one at once."""
        with self._lock:
            job, self._job, self._task_id = self._job, None, None
            waits = last["id"] in self._unanswered
            self._unanswered.discard(last["id"])
        if job is not None and job.incoming is not None:
            job.incoming.discard()
        if job is not None and job.failure is not None:
            last = protocol.error(last["id"], job.failure)
        if waits:
            self._send(last)

    def _progress(self, job: _Job, stage: str) -> OnBytes:
        """Tells the client of files on their way, by the mebibyte."""
        told_at = -math.inf

        def on_bytes(done: int, total: int) -> None:
            nonlocal told_at
            if time.monotonic() - told_at >= PROGRESS_SECONDS:
                told_at = time.monotonic()
                self._send(protocol.progress(job.request.id, stage, done // MIB, -(-total // MIB)))

        return on_bytes


def _lost(address: Address, error: LinkBrokenError) -> WorldTracingError:
    return WorldTracingError(
        "WT-WORKER-REMOTE-LOST",
        f"The connection to the worker at {address} was lost: {error}.",
        "Try again once the network and the other computer are up; the worker there starts anew by itself.",
    )
