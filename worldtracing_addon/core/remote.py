"""The worker on another computer, as the preferences name it: its address, and whether it answers."""

from __future__ import annotations

from dataclasses import dataclass

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.worker.remote.address import Address, parse_address
from ...backend.worldtracing.worker.remote.client import RemoteWorker, ask
from ...backend.worldtracing.worker.remote.handshake import read_token
from .settings import WorkerSettings
from .tasks import Task


def remote_address(settings: WorkerSettings) -> Address:
    """The address of the worker on another computer.

    Raises:
        WorldTracingError: WT-WORKER-REMOTE-ADDRESS, WT-ENV-OFFLINE where that is another computer than this.
    """
    address = parse_address(settings.remote)
    if settings.offline and not address.is_this_computer:
        raise WorldTracingError(
            "WT-ENV-OFFLINE",
            f"Blender is set to stay offline, and {address} is another computer.",
            "Allow Online Access in Blender's preferences, System; or clear the field Remote Worker.",
        )
    return address


def remote_token(settings: WorkerSettings) -> str:
    """The token for it; empty without one.

    Raises:
        WorldTracingError: WT-WORKER-REMOTE-TOKEN.
    """
    return settings.token or read_token() or ""


@dataclass(frozen=True)
class Meeting:
    """How a test of the connection went.

    Attributes:
        settings: that it was made with.
        worker: what answered, or None.
        error: why nothing did.
    """

    settings: WorkerSettings
    worker: RemoteWorker | None = None
    error: WorldTracingError | None = None


class ConnectionTest(Task):
    """Its result is a `Meeting`, whatever came of it. Nothing is started on the other computer."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__()
        self._settings = settings

    def _work(self) -> Meeting:
        self._progress(f"Connecting to {self._settings.remote}")
        try:
            worker = ask(remote_address(self._settings), remote_token(self._settings))
        except WorldTracingError as error:
            return Meeting(self._settings, error=error)
        return Meeting(self._settings, worker)
