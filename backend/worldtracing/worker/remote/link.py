"""Frames over a TCP connection, each with a keyed checksum. docs/protocol.md, Over the network.

Nothing is encrypted. The checksum's key comes from the token that both sides have and from numbers that each draws
anew, so that frames can be neither forged, changed, repeated nor left out.
"""

from __future__ import annotations

import contextlib
import hmac
import socket
import struct
import threading

from ...errors import WorldTracingError
from .. import protocol

MESSAGE, DATA, ALIVE = b"M", b"D", b"A"
"""Kinds of frames: one message, a piece of a file, and a sign of life without content."""

CHUNK_BYTES = 1 << 18
"""Most bytes of a file in one frame."""

ALIVE_SECONDS = 5.0
"""How often each side gives a sign of life."""

SILENCE_SECONDS = 20.0
"""A connection that has carried nothing for so long is lost."""

STRANGER_BYTES = 4096
"""Longest frame that is read from somebody who has not shown the token."""

_HEADER = struct.Struct(">cI")
_CHECKSUM_BYTES = 16


class LinkBrokenError(Exception):
    """The connection is of no more use; the text says why, to follow a colon."""


class ForeignLinkError(LinkBrokenError):
    """What came is not of this protocol."""


class Link:
    """One end of a connection. Any thread may send; one receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(SILENCE_SECONDS)
        self._stream = connection.makefile("rb", CHUNK_BYTES)
        self._lock = threading.Lock()
        self._keys = (b"", b"")  # for sending and for receiving
        self._sent = self._received = 0  # frames with a checksum
        self._closed = threading.Event()

    def set_keys(self, sending: bytes, receiving: bytes) -> None:
        """From now on every frame has a checksum."""
        self._keys = (sending, receiving)

    def send(self, kind: bytes, payload: bytes = b"", unless: threading.Event | None = None) -> bool:
        """Send a frame, unless the event is set; whether it was sent. Whoever sets the event and then sends something
        knows that it comes after all frames that depend on the event.

        Raises:
            LinkBrokenError
        """
        header = _HEADER.pack(kind, len(payload))
        with self._lock:
            if unless is not None and unless.is_set():
                return False
            checksum = _checksum(self._keys[0], self._sent, header, payload)
            self._sent += bool(self._keys[0])
            try:
                self._socket.sendall(b"".join((header, payload, checksum)))
            except (OSError, ValueError) as error:
                raise LinkBrokenError(_reason(error)) from error
        return True

    def tell(self, message: protocol.Message) -> None:
        """Send a message. Raises LinkBrokenError."""
        self.send(MESSAGE, protocol.encode(message))

    def receive(self) -> tuple[bytes, bytes]:
        """Kind and payload of the next frame; signs of life are taken as such and left out.

        Raises:
            LinkBrokenError
        """
        while True:
            header = self._read(_HEADER.size)
            kind, length = _HEADER.unpack(header)
            limit = protocol.MAX_LINE_BYTES if self._keys[1] else STRANGER_BYTES
            if kind not in (MESSAGE, DATA, ALIVE) or length > limit:
                raise ForeignLinkError("what came over it makes no sense")
            payload = self._read(length)
            checksum = _checksum(self._keys[1], self._received, header, payload)
            if not hmac.compare_digest(self._read(len(checksum)), checksum):
                raise LinkBrokenError("what came over it was damaged on the way")
            self._received += bool(checksum)
            if kind != ALIVE:
                return kind, payload

    def hear(self) -> protocol.Message:
        """The next frame, which must be a message. Raises LinkBrokenError."""
        kind, payload = self.receive()
        if kind != MESSAGE:
            raise ForeignLinkError("a message was expected")
        return message_of(payload)

    def keep_alive(self) -> None:
        """Give signs of life until the link is closed or lost; for a thread of its own."""
        with contextlib.suppress(LinkBrokenError):
            while not self._closed.wait(ALIVE_SECONDS):
                self.send(ALIVE)

    def close(self) -> None:
        """Close it, also for a thread that is receiving."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def close_in(self, seconds: float) -> threading.Timer:
        """Close it after so long, unless the timer is cancelled: one byte now and then is a sign of life as well."""
        timer = threading.Timer(seconds, self.close)
        timer.daemon = True
        timer.start()
        return timer

    def _read(self, count: int) -> bytes:
        try:
            data = self._stream.read(count)
        except (OSError, ValueError) as error:
            raise LinkBrokenError(_reason(error)) from error
        if len(data) < count:
            raise LinkBrokenError("the other side has closed it")
        return data


def message_of(payload: bytes) -> protocol.Message:
    """The message in a frame. Raises LinkBrokenError."""
    try:
        return protocol.decode(payload)
    except WorldTracingError as error:
        raise ForeignLinkError("what came over it makes no sense") from error


def _checksum(key: bytes, number: int, header: bytes, payload: bytes) -> bytes:
    if not key:
        return b""
    digest = hmac.new(key, number.to_bytes(8, "big") + header, "sha256")
    digest.update(payload)
    return digest.digest()[:_CHECKSUM_BYTES]


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came for {SILENCE_SECONDS:g} seconds"
    if isinstance(error, ValueError):  # closed here, by another thread
        return "it was closed"
    return error.strerror or str(error)
