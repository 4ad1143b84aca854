"""`worldtracing serve --listen`: lets clients of other computers in, one at a time."""

from __future__ import annotations

import contextlib
import platform
import shutil
import socket
import sys
import tempfile
import threading
from itertools import count
from pathlib import Path

from ...engines.base import ENGINES
from ...errors import WorldTracingError
from ...version import __version__
from .. import protocol
from .address import Address
from .guest import EXIT_SECONDS, Guest
from .handshake import admit
from .link import Link, LinkBrokenError

STRANGERS = 16
"""So many connections may be about to show the token; more are closed at once."""

HANDSHAKE_SECONDS = 10.0

PATIENCE_SECONDS = 3.0
"""How long a new client waits for the one before, whose connection may just have been cut, to be gone."""

LOOK_SECONDS = 0.5
"""How often the listening thread looks for Ctrl-C, which on Windows does not interrupt waiting for a connection."""


class RemoteServer:
    """One worker for one client at a time; a client that has no job gives way to the next one.

    Attributes:
        address: that it listens at.
    """

    def __init__(self, address: Address, token: str) -> None:
        """
        Raises:
            WorldTracingError: WT-WORKER-REMOTE-LISTEN.
        """
        try:
            family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
            self._listener = socket.create_server(address, family=family)
        except (OSError, UnicodeError, OverflowError) as error:
            raise WorldTracingError(
                "WT-WORKER-REMOTE-LISTEN",
                f"Nothing can be served at {address} ({getattr(error, 'strerror', None) or error}).",
                "Choose an address of this computer and another port, or end what uses this one.",
            ) from error
        self._listener.settimeout(LOOK_SECONDS)
        self.address = Address(*self._listener.getsockname()[:2])
        self._token = token
        self._closed = threading.Event()
        self._folder = Path(tempfile.mkdtemp(prefix="worldtracing-"))
        self._numbers = count()
        self._strangers = threading.BoundedSemaphore(STRANGERS)
        self._place = threading.Condition()
        self._guest: Guest | None = None

    def run(self) -> None:
        """Serve until `close`."""
        while not self._closed.is_set():
            try:
                connection, peer = self._listener.accept()
            except TimeoutError:
                continue
            except OSError as error:  # closed, too many files are open, or who has come is gone again
                if not self._closed.wait(LOOK_SECONDS):
                    _note(f"A connection failed: {error}.")
                continue
            threading.Thread(target=self._meet, args=(connection, peer[0]), daemon=True).start()

    def close(self) -> None:
        """End it, and wait for the worker to end and its files to be removed."""
        self._closed.set()
        self._listener.close()
        with self._place:
            if self._guest is not None:
                self._guest.leave()
            self._place.wait_for(lambda: self._guest is None, 2 * EXIT_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _meet(self, connection: socket.socket, peer: str) -> None:
        if not self._strangers.acquire(blocking=False):
            connection.close()
            return
        link, admitted = None, False
        try:
            with contextlib.suppress(OSError):  # gone again
                link = Link(connection)
                admitted = self._admit(link, peer)
        finally:
            self._strangers.release()
        try:
            if admitted:
                with contextlib.suppress(LinkBrokenError):
                    self._welcome(link, peer)
        finally:
            (link or connection).close()

    def _admit(self, link: Link, peer: str) -> bool:
        overdue = link.close_in(HANDSHAKE_SECONDS)
        reason = "it has another token"
        try:
            if admit(link, self._token):
                return True
        except (LinkBrokenError, WorldTracingError) as error:
            reason = str(error)
        finally:
            overdue.cancel()
        _note(f"A client at {peer} was turned away: {reason}.")
        return False

    def _welcome(self, link: Link, peer: str) -> None:
        """Tell a client what is here; if it then asks for the worker, serve it until it leaves."""
        guest = self._guest
        facts = {"version": __version__, "python": platform.python_version(), "engines": ENGINES.names()}
        link.tell({"type": "welcome", **facts, "busy": guest is not None and guest.busy})
        threading.Thread(target=link.keep_alive, daemon=True).start()
        if link.hear()["type"] != "start":
            return
        guest = Guest(link, self._folder / str(next(self._numbers)))
        if not self._give_place(guest):
            link.tell(protocol.error(None, _busy()))
            return
        _note(f"A client at {peer} has come.")
        try:
            guest.serve()
        except WorldTracingError as error:
            _note(str(error))
            link.tell(protocol.error(None, error))
        finally:
            with self._place:
                self._guest = None
                self._place.notify_all()

    def _give_place(self, guest: Guest) -> bool:
        """Whether the guest may have the worker; one without a job gives way."""
        with self._place:
            if not self._place.wait_for(lambda: self._guest is None or not self._guest.busy, PATIENCE_SECONDS):
                return False
            if self._guest is not None:
                self._guest.leave()
            if not self._place.wait_for(lambda: self._guest is None, 2 * EXIT_SECONDS):
                return False
            self._guest = guest
            return True


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _busy() -> WorldTracingError:
    return WorldTracingError(
        "WT-WORKER-BUSY",
        "The worker on the other computer is busy with a trace or mesh of somebody else.",
        "Wait until it is done, or trace on this computer.",
    )
