"""Addresses of workers on other computers, as people write them."""

from __future__ import annotations

import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from ...errors import WorldTracingError
from ...hosts import is_this_computer
from .link import Link

DEFAULT_PORT = 47310
CONNECT_SECONDS = 10.0


class Address(NamedTuple):
    """A name or IP address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_this_computer(self) -> bool:
        """Whether what is sent there never leaves this computer."""
        return is_this_computer(self.host)


def parse_address(text: str) -> Address:
    """HOST, HOST:PORT, [IPv6] or [IPv6]:PORT.

    Raises:
        WorldTracingError: WT-WORKER-REMOTE-ADDRESS.
    """
    try:
        parts = urlsplit(f"//{text.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.netloc != text.strip() or "@" in parts.netloc or any(map(str.isspace, host)):
        raise WorldTracingError(
            "WT-WORKER-REMOTE-ADDRESS",
            f"{text.strip()!r} is no address of a worker.",
            f"Give the computer's name or IP address, and the port after a colon, as in workstation:{DEFAULT_PORT}.",
        )
    return Address(host, DEFAULT_PORT if port is None else port)


def connect(address: Address) -> Link:
    """A connection that nothing was said on.

    Raises:
        WorldTracingError: WT-WORKER-REMOTE-UNREACHABLE.
    """
    try:
        return Link(socket.create_connection(address, timeout=CONNECT_SECONDS))
    except (OSError, UnicodeError) as error:  # a name that cannot be one
        raise unreachable(address, getattr(error, "strerror", None) or str(error)) from error


def unreachable(address: Address, reason: str) -> WorldTracingError:
    """The error for a worker that does not answer."""
    return WorldTracingError(
        "WT-WORKER-REMOTE-UNREACHABLE",
        f"No worker answers at {address} ({reason}).",
        "Check that the other computer is on, that worldtracing serve --listen runs there, and its firewall; "
        "with an SSH tunnel, that the tunnel is open.",
    )
