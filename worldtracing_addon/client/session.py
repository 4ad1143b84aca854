"""The one worker of a Blender session: started for the first trace, kept for the next ones, ended with Blender."""

from __future__ import annotations

import atexit
import os
import threading
import time
from pathlib import Path

from ...backend.worldtracing.errors import Cancelled
from ...backend.worldtracing.worker import protocol
from ..core.remote import remote_address, remote_token
from ..core.settings import OFFLINE, WorkerSettings
from .launch import cli_command, worker_command
from .remote import InProcessBridge
from .worker import InProcessWorker, ProcessWorker, Worker

_worker: Worker | None = None
_settings: WorkerSettings | None = None
_engines: list[protocol.Message] = []
_generators: list[protocol.Message] = []
_assistants: list[protocol.Message] | None = None
_used_at = 0.0  # when a trace was last seen to run
_starting = threading.Lock()  # errands get the worker in threads of their own
_closed = False


def get_worker(settings: WorkerSettings, log_path: Path | None = None) -> Worker:
    """The session's worker: a new one when there is none, the last one has ended, or the settings have changed.

    Raises:
        WorldTracingError: WT-WORKER-BUSY while it traces, WT-WORKER-NO-PYTHON; WT-WORKER-REMOTE-ADDRESS and
            WT-ENV-OFFLINE for one on another computer.
        Cancelled: the add-on was switched off, which a thread may outlive.
    """
    global _worker, _settings, _used_at
    with _starting:
        if _closed:
            raise Cancelled
        _used_at = time.monotonic()
        if _worker is not None and _worker.busy:
            raise protocol.busy()
        if _worker is not None and _worker.alive and _settings == settings:
            return _worker
        _set_offline(settings.in_process and settings.offline)
        worker = _new_worker(settings, log_path)
        worker.start()
        shutdown(wait=False)
        atexit.register(shutdown)
        _worker, _settings = worker, settings
        return worker


def _set_offline(offline: bool) -> None:
    """Let mesh generators of this process, for a worker in a thread of Blender, know that they must stay offline."""
    os.environ.pop(OFFLINE, None)
    if offline:
        os.environ[OFFLINE] = "1"


def _new_worker(settings: WorkerSettings, log_path: Path | None) -> Worker:
    """A worker that is not started; one on another computer has a bridge in its place."""
    if settings.remote:
        address = remote_address(settings)
        if settings.in_process:
            return InProcessBridge(address, remote_token(settings))
        return ProcessWorker(cli_command(None, "bridge", str(address)), log_path, settings.variables)
    if settings.in_process:
        return InProcessWorker()
    return ProcessWorker(worker_command(settings.python), log_path, settings.variables)


def free_memory() -> None:
    """Let the worker drop loaded weights, if there is one and it has nothing to do."""
    if _worker is not None and _worker.alive and not _worker.busy:
        _worker.send(protocol.free_memory("free_memory"))


def is_busy() -> bool:
    """Whether the worker traces."""
    return _worker is not None and _worker.busy


def idle_seconds() -> float:
    """How long the worker has had nothing to do, as far as calls of this function have seen; 0 without a worker."""
    global _used_at
    if _worker is None:
        return 0.0
    if _worker.busy:
        _used_at = time.monotonic()
    return time.monotonic() - _used_at


def end_idle_worker() -> None:
    """End the worker unless it traces, which frees all its memory; the next trace starts another."""
    if _worker is not None and not _worker.busy:
        shutdown(wait=False)


def worker_engines() -> list[protocol.Message]:
    """The entries of the worker's last reply to `engines`, which comes with its first trace; it outlives the worker."""
    global _engines
    if _worker is not None and _worker.engines is not None:
        _engines = _worker.engines
    return _engines


def worker_generators() -> list[protocol.Message]:
    """The entries of the worker's last reply to `generators`; empty until somebody has asked."""
    global _generators
    if _worker is not None and _worker.generators is not None:
        _generators = _worker.generators
    return _generators


def worker_assistants() -> list[protocol.Message] | None:
    """The entries of the worker's last reply to `assistants`, which comes with its first work; it outlives the worker.
    None until there was one."""
    global _assistants
    if _worker is not None and _worker.assistants is not None:
        _assistants = _worker.assistants
    return _assistants


def set_assistants(entries: list[protocol.Message] | None) -> None:
    """Count these as the worker's last reply to `assistants`, None as none."""
    global _assistants
    _assistants = entries
    if _worker is not None:
        _worker.assistants = entries


def forget_health(generator: str) -> None:
    """Count a mesh generator, and those that share its settings, as not asked: what it was asked with has changed."""
    global _generators
    _generators = [
        {**entry, "health": None} if generator in (entry["name"], entry.get("settings_of")) else entry
        for entry in worker_generators()
    ]
    if _worker is not None:
        _worker.generators = None


def shutdown(wait: bool = True) -> None:
    """End the worker, by force after two seconds; for quitting and a change of settings."""
    global _worker, _settings
    worker_assistants()  # to know them after its end
    worker, _worker, _settings = _worker, None, None
    atexit.unregister(shutdown)
    if worker is not None:
        worker.stop(wait=wait)


def register() -> None:
    """Let workers start."""
    global _closed
    _closed = False


def unregister() -> None:
    """End the worker, and start none any more."""
    global _closed
    with _starting:
        _closed = True
    shutdown()
