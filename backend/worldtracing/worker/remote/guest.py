"""A client from another computer that was let in, and the worker process that is there for it alone."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import WorldTracingError
from .. import protocol
from .handshake import TOKEN_VARIABLE
from .link import DATA, ForeignLinkError, Link, LinkBrokenError, message_of
from .requests import UPLOADS, for_the_worker, kept_seeds
from .transfer import Incoming, file_sizes, send_with_files

PASSED_ON = ("status", "engines", "generators", "assistants", "free_memory")
"""Requests that the worker gets, without their fields: they could name programs of this computer to check."""

EXIT_SECONDS = 5.0
"""How long the worker may take to end once its client is gone; it cancels its job and is quicker by itself."""


@dataclass
class _Job:
    """A trace or mesh: its files come, the worker works, its results go.

    Attributes:
        request: as the worker gets it; None for one that was refused, whose files still come.
        phase: "receiving", "working" or "sending".
        stopped: by a cancel.
    """

    id: str
    request: protocol.Request | None
    incoming: Incoming
    phase: str = "receiving"
    stopped: threading.Event = field(default_factory=threading.Event)


class Guest:
    """`serve` is for one thread, all else may be called from another."""

    def __init__(self, link: Link, folder: Path) -> None:
        """
        Args:
            folder: for all files of this client; made here, and removed at the end.
        """
        self._link = link
        self._folder = folder
        self._job: _Job | None = None
        self._worker: subprocess.Popen | None = None

    @property
    def busy(self) -> bool:
        """Whether it has a trace or mesh under way."""
        return self._job is not None

    def leave(self) -> None:
        """End it; `serve` returns once all is tidy."""
        self._link.close()

    def serve(self) -> None:
        """Start the worker and stand between it and the client until one of both is gone.

        Raises:
            WorldTracingError: WT-WORKER-DIED where it does not even start.
        """
        environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
        pipe = subprocess.PIPE
        try:
            self._folder.mkdir()
            self._worker = subprocess.Popen(  # its stderr is this process's own
                _worker_command(), stdin=pipe, stdout=pipe, cwd=self._folder, env=environment
            )
        except OSError as error:
            raise _died(f"could not be started ({error})") from error
        replies = threading.Thread(target=self._pass_replies, daemon=True)
        replies.start()
        try:
            while True:
                kind, payload = self._link.receive()
                if kind == DATA:
                    self._take(payload)
                else:
                    self._answer(message_of(payload))
        except LinkBrokenError as end:
            print(f"A client has left: {end}.", file=sys.stderr, flush=True)
        finally:
            self._link.close()
            self._end_worker()
            replies.join(EXIT_SECONDS)
            if self._job is not None:
                self._job.incoming.discard()
            shutil.rmtree(self._folder, ignore_errors=True)

    # From the client, in the thread of `serve`

    def _answer(self, message: protocol.Message) -> None:
        try:
            if message["type"] in UPLOADS:
                self._begin(message)
                return
            request = protocol.parse_request(message)
            if request.type == "cancel":
                self._cancel(request)
            elif request.type in PASSED_ON:
                self._ask_worker(protocol.Request(request.type, request.id, {}))
            else:
                raise protocol.bad_request(f"A request of type {request.type} does not travel")
        except WorldTracingError as error:
            self._link.tell(protocol.error(message.get("id"), error))

    def _begin(self, message: protocol.Message) -> None:
        """A trace or mesh request, whose files follow even where it is refused."""
        file_sizes(message)
        if self._job is not None or not isinstance(message.get("id"), str):
            raise ForeignLinkError("a trace or mesh came that does not fit")
        folder = self._folder / "job"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        request, paths, refusal = None, [], None
        try:
            request, paths = for_the_worker(message, folder)
        except WorldTracingError as error:
            refusal = error
        self._job = _Job(message["id"], request, Incoming(message, paths, error=refusal))
        self._hand_over_if_complete(self._job)

    def _take(self, piece: bytes) -> None:
        job = self._job
        if job is None:
            raise ForeignLinkError("a file came that nobody has announced")
        job.incoming.take(piece)
        self._hand_over_if_complete(job)

    def _hand_over_if_complete(self, job: _Job) -> None:
        if not job.incoming.complete:
            return
        try:
            if job.incoming.error is not None:
                raise job.incoming.error
            job.incoming.place()
        except WorldTracingError as error:
            self._finish(protocol.error(job.id, error))
            return
        job.phase = "working"
        self._ask_worker(job.request)

    def _cancel(self, request: protocol.Request) -> None:
        job = self._job
        if job is None or job.id != request.values["target"]:
            self._ask_worker(request)
            return
        job.stopped.set()
        if job.phase == "working":
            self._ask_worker(request)
            return
        self._link.tell(protocol.ok(request.id, found=True))
        if job.phase == "receiving":
            job.incoming.discard()
            self._finish(protocol.cancelled(job.id))

    def _ask_worker(self, request: protocol.Request) -> None:
        line = protocol.encode({"type": request.type, "id": request.id, **request.values})
        with contextlib.suppress(OSError):  # it has ended, which the other thread tells
            self._worker.stdin.write(line)
            self._worker.stdin.flush()

    # From the worker, in a thread of its own

    def _pass_replies(self) -> None:
        try:
            while line := self._worker.stdout.readline(protocol.MAX_LINE_BYTES):
                self._pass(protocol.decode(line))
            code = self._worker.wait(EXIT_SECONDS)
            if self._job is not None:
                self._finish(protocol.error(self._job.id, _died(f"ended unexpectedly (exit code {code})")))
        except (LinkBrokenError, WorldTracingError, ValueError, subprocess.TimeoutExpired):
            pass  # the client is gone, or the worker's replies make no sense: it ends in both cases
        self._link.close()

    def _pass(self, message: protocol.Message) -> None:
        job = self._job
        if job is None or message.get("id") != job.id or message["type"] == "progress":
            self._link.tell(message)
        elif message["type"] == "result":
            self._deliver(job, message)
        elif message["type"] == "error":
            text = message["message"]
            for folder in ("sent", "made"):
                text = text.replace(f"{self._folder / 'job' / folder}{os.sep}", "")
            self._finish(message | {"message": text})
        elif message["type"] == "cancelled":
            self._finish(message)
        else:  # a heartbeat
            self._link.tell(message)

    def _deliver(self, job: _Job, result: protocol.Message) -> None:
        job.phase = "sending"
        output = Path(job.request.values["output"])
        seeds = []
        if stem := kept_seeds(job.request):
            seeds = sorted(set(output.parent.glob(f"{glob.escape(stem.name)}_seed*.safetensors")) - {output})
        entries = [({"field": "output"}, output), *(({"field": "seed", "name": file.name}, file) for file in seeds)]
        message = {name: result[name] for name in ("type", "id", "summary")}
        try:
            sent = send_with_files(self._link, message, entries, job.stopped)
        except WorldTracingError as error:
            self._finish(protocol.error(job.id, error))
            return
        self._finish({"type": "delivered", "id": job.id} if sent else protocol.cancelled(job.id))

    def _finish(self, last: protocol.Message) -> None:
        """The job is over; then tell the client, who may have the next one at once."""
        self._job = None
        shutil.rmtree(self._folder / "job", ignore_errors=True)
        self._link.tell(last)

    def _end_worker(self) -> None:
        with contextlib.suppress(OSError):
            self._worker.stdin.close()
        try:
            self._worker.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()


def _worker_command() -> list[str]:
    """A worker under this Python, with the packages that this process finds; not with any that come as files."""
    paths = [str(Path(path).resolve()) for path in sys.path if path]
    code = (
        f"import sys; sys.path[:] = {paths!r}; from worldtracing.worker.serve import serve_stdio; "
        "sys.exit(serve_stdio())"
    )
    return [sys.executable, "-P", "-X", "utf8", "-c", code]


def _died(how: str) -> WorldTracingError:
    return WorldTracingError(
        "WT-WORKER-DIED",
        f"The worker on the other computer {how}.",
        "Trace again; if it happens again, look at the lines that the server there has written.",
    )
