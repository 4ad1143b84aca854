"""The one worker of a Blender session: started for the first trace, kept for the next ones, ended with Blender."""

from __future__ import annotations

import atexit
from pathlib import Path

from ...backend.worldtracing.worker import protocol
from ...backend.worldtracing.worker.serve import busy
from ..core.settings import WorkerSettings
from .launch import worker_command
from .worker import InProcessWorker, ProcessWorker, Worker

_worker: Worker | None = None
_settings: WorkerSettings | None = None
_engines: list[protocol.Message] = []


def get_worker(settings: WorkerSettings, log_path: Path | None = None) -> Worker:
    """The session's worker: a new one when there is none, the last one has ended, or the settings have changed.

    Raises:
        WorldTracingError: WT-WORKER-BUSY while it traces, WT-WORKER-NO-PYTHON.
    """
    global _worker, _settings
    if _worker is not None and _worker.busy:
        raise busy()
    if _worker is not None and _worker.alive and _settings == settings:
        return _worker
    worker = InProcessWorker() if settings.in_process else ProcessWorker(worker_command(settings.python), log_path)
    worker.start()
    shutdown(wait=False)
    atexit.register(shutdown)
    _worker, _settings = worker, settings
    return worker


def free_memory() -> None:
    """Let the worker drop loaded weights, if there is one and it has nothing to do."""
    if _worker is not None and _worker.alive and not _worker.busy:
        _worker.send(protocol.free_memory("free_memory"))


def worker_engines() -> list[protocol.Message]:
    """The entries of the worker's last reply to `engines`, which comes with its first trace; it outlives the worker."""
    global _engines
    if _worker is not None and _worker.engines is not None:
        _engines = _worker.engines
    return _engines


def shutdown(wait: bool = True) -> None:
    """End the worker, by force after two seconds; for unregister, quitting and a change of settings."""
    global _worker, _settings
    worker, _worker, _settings = _worker, None, None
    atexit.unregister(shutdown)
    if worker is not None:
        worker.stop(wait=wait)
