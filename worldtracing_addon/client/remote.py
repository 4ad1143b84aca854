"""A worker on another computer, reached from a thread of this process, for where no process may be started."""

from __future__ import annotations

from typing import BinaryIO

from ...backend.worldtracing.worker.remote.address import Address
from ..core.platforms import keep_broken_pipes_harmless
from .worker import InProcessWorker


class InProcessBridge(InProcessWorker):
    """The conversation of `worldtracing bridge`, in a thread."""

    def __init__(self, address: Address, token: str) -> None:
        super().__init__()
        self._address, self._token = address, token

    def _serve(self, requests: BinaryIO, replies: BinaryIO) -> None:
        from ...backend.worldtracing.worker.remote.bridge import Bridge  # heavy for a Blender that only starts

        keep_broken_pipes_harmless()
        with requests, replies:
            Bridge(requests, replies, self._address, self._token).run()
