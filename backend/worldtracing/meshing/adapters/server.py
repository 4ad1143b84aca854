"""A generator behind a server: plain HTTP to the one address that the user gave, and to nothing else."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...errors import WorldTracingError
from ...hosts import is_this_computer
from ..options import GeneratorOption

SHORT_SECONDS = 10.0
POLL_SECONDS = 0.2
MAX_BYTES = 1 << 30


def server_options(address: str, seconds: float) -> tuple[GeneratorOption, ...]:
    """Where a generator's server is, and how long a mesh may take there."""
    return (
        GeneratorOption(
            "address", "Address", "address", address, "Where its server is, which gets the photo.", machine=True
        ),
        GeneratorOption(
            "timeout", "Waiting Time", "number", seconds, "Seconds that one mesh may take.", low=0.1, machine=True
        ),
    )


@dataclass(frozen=True)
class Answer:
    """Status and body of a response."""

    status: int
    body: bytes

    def json(self):
        """The body's JSON value, or None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Server:
    """Where a generator's server is.

    Redirects are not followed and no proxy is asked: the request goes to `address` or fails.

    Attributes:
        label: for messages.
        address: http://host:port, or https.
        seconds: how long to wait for a connection, and then for each part of an answer, unless a request says so.
    """

    label: str
    address: str
    seconds: float = SHORT_SECONDS

    def request(
        self,
        method: str,
        path: str,
        body: bytes | dict | None = None,
        content_type: str = "application/json",
        seconds: float | None = None,
        tick: Callable[[], object] = lambda: None,
    ) -> Answer:
        """One request and its answer, whatever the status.

        Args:
            body: bytes, or an object to send as JSON.
            seconds: instead of the server's own.
            tick: called five times a second; when it raises, the connection is closed.

        Raises:
            WorldTracingError: WT-MESH-SERVER (no server there), WT-MESH-TIMEOUT, WT-MESH-OPTION (no address),
                WT-ENV-OFFLINE (on another computer, while WORLDTRACING_OFFLINE is set, as by Blender).
        """
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        seconds = self.seconds if seconds is None else seconds
        headers = {"Content-Type": content_type} if body is not None else {}
        connection, prefix = self._connection(seconds)
        outcome: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

        def exchange() -> None:
            try:
                connection.request(method, prefix + path, body, headers)
                response = connection.getresponse()
                outcome.put(Answer(response.status, response.read(MAX_BYTES)))
            except Exception as error:
                outcome.put(error)

        threading.Thread(target=exchange, name="worldtracing request", daemon=True).start()
        try:
            answer = _wait(outcome, tick)
        finally:
            _close(connection)
        if isinstance(answer, Answer):
            return answer
        raise self._failure(answer, seconds) from answer

    def _connection(self, seconds: float) -> tuple[http.client.HTTPConnection, str]:
        """A connection to the address, not opened yet, and the path that the address begins with."""
        try:
            parts = urlsplit(self.address)
            kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
            if not parts.hostname:
                raise ValueError("no host")
            connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=seconds)
        except (KeyError, ValueError, http.client.InvalidURL) as error:
            raise WorldTracingError(
                "WT-MESH-OPTION",
                f"{self.address!r} is no address of a server.",
                "Give it as http://127.0.0.1:8188, with the host and the port of your own.",
            ) from error
        if os.environ.get("WORLDTRACING_OFFLINE") and not is_this_computer(parts.hostname):
            raise WorldTracingError(
                "WT-ENV-OFFLINE",
                f"Blender is set to stay offline, and {self.address} is another computer.",
                "Allow Online Access in Blender's preferences, System; or run the server on this computer.",
            )
        return connection, parts.path.rstrip("/")

    def _failure(self, error: Exception, seconds: float) -> WorldTracingError:
        if isinstance(error, TimeoutError):
            return self.timeout(seconds)
        return WorldTracingError(
            "WT-MESH-SERVER",
            f"There is no {self.label} at {self.address} ({error}).",
            f"Start {self.label}, or correct its address.",
        )

    def deadline(self, seconds: float) -> Callable[[], None]:
        """A `tick` that raises WT-MESH-TIMEOUT from `seconds` after this call on."""
        end = time.monotonic() + seconds

        def tick() -> None:
            if time.monotonic() > end:
                raise self.timeout(seconds)

        return tick

    def timeout(self, seconds: float) -> WorldTracingError:
        """The error for an answer that does not come."""
        return WorldTracingError(
            "WT-MESH-TIMEOUT",
            f"{self.label} at {self.address} did not answer within {seconds:g} seconds.",
            "Look at the server's own window: it may be busy with another mesh, or hang.",
        )

    def wrong_version(self, sentence: str, fix: str) -> WorldTracingError:
        """The error for a server that is not the one, or not the version, that the adapter was written for."""
        return WorldTracingError("WT-MESH-VERSION", f"{self.label} at {self.address} {sentence}.", fix)

    def failed(self, text: str) -> WorldTracingError:
        """The error for a job that the server could not do."""
        return WorldTracingError(
            "WT-MESH-FAILED",
            f"{self.label} failed: {text}.",
            "Look at the server's own window for the reason, and try again.",
        )


def _wait(outcome: queue.SimpleQueue, tick: Callable[[], object]) -> Answer | Exception:
    while True:
        tick()
        with contextlib.suppress(queue.Empty):
            return outcome.get(timeout=POLL_SECONDS)


def _close(connection: http.client.HTTPConnection) -> None:
    """Close it under a thread that may still read from it."""
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    connection.close()
