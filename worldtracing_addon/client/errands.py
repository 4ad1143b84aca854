"""Short questions to the worker that may be asked in any thread, which waits for the answer.

One is under way at a time, further ones wait in line. A trace or mesh that has the worker is not waited for, as it may
take minutes. A trace or mesh that finds an errand under way waits for its end.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...backend.worldtracing.errors import Cancelled, WorldTracingError
from ...backend.worldtracing.progress import OnProgress, silent
from ...backend.worldtracing.worker import protocol
from ..core.jobs import WORKER_GONE
from ..core.settings import WorkerSettings
from . import session
from .job import TraceJob
from .worker import Worker

POLL_SECONDS = 0.02

ASK_SECONDS = 60.0
"""A worker that has not told of its assistants for so long has none: some plug-in hangs, and traces wait in line."""

WAITING = "Waiting for a selection or search"
"""Stage of what waits for the end of an errand."""

_line = threading.Lock()
_errands: set[threading.Event] = set()
"""Those under way and in line; an event that is set is to end."""
_inquiries: set[threading.Event] = set()
"""Those of them that `ask`, which can be asked again at any time."""


def under_way() -> bool:
    """Whether an errand has the worker, or is about to."""
    return bool(_errands)


def cancel() -> None:
    """End all errands; the threads that wait for them get `Cancelled`."""
    for errand in list(_errands):
        errand.set()


def end_inquiries() -> None:
    """End what only asks for the worker's assistants, and wait for the moment that this takes."""
    for inquiry in list(_inquiries):
        inquiry.set()
    while _inquiries:
        time.sleep(POLL_SECONDS)


def run(
    settings: WorkerSettings, log_path: Path | None, request: Mapping[str, Any], on_progress: OnProgress = silent
) -> None:
    """Have the worker write an assistant's answer, and wait for it; not longer than until `on_progress` raises.

    Args:
        request: the fields of the protocol's assist message but type and id; its paths must be absolute.

    Raises:
        WorldTracingError: WT-WORKER-BUSY, those of the worker and of the assistant.
        Cancelled: see `cancel`.
    """
    with _turn() as cancelled:
        worker = session.get_worker(settings, log_path)
        if _lacked_something(request):  # and may have it now
            _ask(worker, cancelled)
        job = TraceJob(worker, dict(request), protocol.assist)
        try:
            while not (state := job.poll()).finished:
                try:
                    if cancelled.is_set():
                        raise Cancelled
                    on_progress(state.stage or "Starting the worker", state.k, state.n)
                except Cancelled:
                    job.cancel()
                time.sleep(POLL_SECONDS)
        finally:
            job.abandon()  # of no effect on one that is finished
    if state.error is not None:
        raise state.error
    if state.status == "cancelled":
        raise Cancelled


def ask(settings: WorkerSettings, log_path: Path | None) -> None:
    """Have the worker tell which assistants it has, and wait for it: `session.worker_assistants` has them then.

    Whatever stops it, it has been asked: it has none. But one that works for another is left alone.

    Raises:
        Cancelled: see `cancel` and `end_inquiries`.
    """
    with _turn(_inquiries) as cancelled:
        try:
            _ask(session.get_worker(settings, log_path), cancelled)
        except WorldTracingError as error:
            if error.code != "WT-WORKER-BUSY":
                session.set_assistants([])


def _ask(worker: Worker, cancelled: threading.Event) -> None:
    worker.claim()
    overdue = time.monotonic() + ASK_SECONDS
    try:
        worker.assistants = None
        if worker.hello is not None:  # else it is asked then
            worker.send(protocol.assistants_request("assistants"))
        while worker.assistants is None:
            if cancelled.is_set():
                raise Cancelled
            gone = any(message["type"] == WORKER_GONE for message in worker.poll())
            unable = worker.hello is not None and "assist" not in worker.hello["capabilities"]
            if gone or unable or time.monotonic() > overdue:
                worker.assistants = []
            time.sleep(POLL_SECONDS)
        session.set_assistants(worker.assistants)
    finally:
        worker.busy = False


def _lacked_something(request: Mapping[str, Any]) -> bool:
    """Whether the assistant could not be used when the worker was asked."""
    told = session.worker_assistants() or ()
    names = request["kind"], request["plugin"]
    return any(entry["problem"] and (entry["kind"], entry["name"]) == names for entry in told)


@contextlib.contextmanager
def _turn(*kinds: set[threading.Event]) -> Iterator[threading.Event]:
    """Wait in line, as one of the errands and of `kinds`; what tells that the errand is to end."""
    cancelled = threading.Event()
    for kind in (_errands, *kinds):
        kind.add(cancelled)
    try:
        while not _line.acquire(timeout=POLL_SECONDS):
            if cancelled.is_set():
                raise Cancelled
        try:
            yield cancelled
        finally:
            _line.release()
    finally:
        for kind in (_errands, *kinds):
            kind.discard(cancelled)
