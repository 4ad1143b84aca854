"""One trace, mesh or assist request from the side of who polls it: start, poll, cancel."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...backend.worldtracing.worker import protocol
from ..core import jobs
from ..core.jobs import JobState
from .worker import Worker

CANCEL_SECONDS = 3.0
"""A worker that has not stopped a trace for so long after a cancel is killed; the next trace starts a new one."""


class TraceJob:
    """A request for a file, on a worker that has no other work; starts the worker if need be. For one thread.

    `request` holds the fields of the protocol's message but type and id; its paths must be absolute. A result that
    comes in spite of a cancel is removed, unless the file was there before.
    """

    def __init__(
        self,
        worker: Worker,
        request: dict[str, Any],
        message: Callable[..., protocol.Message] = protocol.trace,
        cancel_seconds: float = CANCEL_SECONDS,
    ) -> None:
        """
        Args:
            message: makes the message of an id and the request: `protocol.trace`, `mesh` or `assist`.
            cancel_seconds: how long after a cancel a worker that has not stopped is killed.

        Raises:
            WorldTracingError: WT-WORKER-BUSY, WT-WORKER-NO-PYTHON, WT-WORKER-REQUEST.
        """
        self.id = uuid.uuid4().hex
        self.state = JobState()
        self._worker = worker
        self._message = message(self.id, **request)
        protocol.parse_request(self._message)
        self._sent = False
        self._cancel_seconds, self._kill_at = cancel_seconds, None
        self._output = Path(request["output"])
        self._output_existed = self._output.exists()
        worker.claim()
        try:
            if not worker.started:
                worker.start()
        except BaseException:
            worker.busy = False
            raise

    def poll(self) -> JobState:
        """Take in what has happened; never waits."""
        if self.state.finished:
            return self.state
        messages = self._worker.poll()
        now = time.monotonic()
        state = self.state
        for message in messages:
            state = jobs.fold(state, self.id, message, now)
        self.state = jobs.tick(state, now, self._worker.silent_seconds)
        if self.state.finished:
            self._finish()
        elif self._worker.hello is not None and not self._sent:
            self._sent = True
            self._worker.send(self._message)
        elif self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._worker.kill()
        return self.state

    def cancel(self) -> None:
        """Stop; `poll` tells when it has."""
        if self.state.finished or self.state.status == "cancelling":
            return
        if self._sent:
            self.state = jobs.cancelling(self.state)
            self._kill_at = time.monotonic() + self._cancel_seconds
            self._worker.send(protocol.cancel(f"cancel-{self.id}", self.id))
        else:
            self.state = replace(self.state, status="cancelled")
            self._finish()

    def abandon(self) -> None:
        """Cancel without ever polling again: the worker ends at once, and the session's next trace starts a new one."""
        if not self.state.finished:
            self._worker.kill()
            self.state = replace(self.state, status="cancelled")
            self._finish()

    def discard_result(self) -> None:
        """Remove the result, unless a file was there before."""
        if not self._output_existed:
            with contextlib.suppress(OSError):
                self._output.unlink(missing_ok=True)

    def _finish(self) -> None:
        self._worker.busy = False
        if self.state.status == "cancelled":
            self.discard_result()
