"""The way to a worker on another computer: connection and handshake, each failure in words."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import WorldTracingError
from .address import Address, connect, unreachable
from .handshake import check_token, join
from .link import ForeignLinkError, Link, LinkBrokenError


@dataclass(frozen=True)
class RemoteWorker:
    """What a worker on another computer says of itself.

    Attributes:
        version, python: of World Tracing and of Python there.
        engines: names of its engines, of which some may lack packages or weights.
        busy: whether it has a trace or mesh of some client under way.
    """

    version: str
    python: str
    engines: tuple[str, ...]
    busy: bool


def meet(address: Address, token: str) -> tuple[Link, RemoteWorker]:
    """A connection to a worker that has the same token, and what it says of itself.

    Raises:
        WorldTracingError: WT-WORKER-REMOTE-TOKEN, WT-WORKER-REMOTE-UNREACHABLE, WT-WORKER-REMOTE-STRANGER,
            WT-WORKER-PROTOCOL.
    """
    token = check_token(token)
    link = connect(address)
    try:
        facts = join(link, token)
        version, python, engines, busy = (facts[name] for name in ("version", "python", "engines", "busy"))
        return link, RemoteWorker(str(version), str(python), tuple(map(str, engines)), bool(busy))
    except BaseException as error:
        link.close()
        if isinstance(error, ForeignLinkError | KeyError | TypeError):
            raise WorldTracingError(
                "WT-WORKER-REMOTE-STRANGER",
                f"What answers at {address} is no worker of World Tracing.",
                "Check the port: it is the one that worldtracing serve --listen names when it starts.",
            ) from error
        if isinstance(error, LinkBrokenError):
            raise unreachable(address, str(error)) from error
        raise


def ask(address: Address, token: str) -> RemoteWorker:
    """What a worker on another computer says of itself; nothing is started there.

    Raises:
        WorldTracingError: those of `meet`.
    """
    link, worker = meet(address, token)
    link.close()
    return worker
