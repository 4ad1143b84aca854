"""`worldtracing serve --listen` and `worldtracing bridge`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from ...errors import WorldTracingError
from .address import DEFAULT_PORT, Address, parse_address
from .handshake import TOKEN_VARIABLE, make_token, read_token, token_file


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `worldtracing serve`."""
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--stdio", action="store_true", help="JSON lines over stdin and stdout")
    way.add_argument(
        "--listen",
        nargs="?",
        const="127.0.0.1",
        metavar="HOST:PORT",
        help="let other computers trace on this one; without an address only through a tunnel to this computer "
        f"(127.0.0.1:{DEFAULT_PORT})",
    )
    _add_token_argument(parser)


def run_serve(options: argparse.Namespace) -> int:
    """Serve until shutdown or Ctrl-C; the exit code."""
    if options.stdio:
        from ..serve import serve_stdio

        return serve_stdio()
    from .server import RemoteServer

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a service is told to end
    address = parse_address(options.listen)
    token = read_token(options.token_file)
    server = RemoteServer(address, token or make_token(options.token_file))
    try:
        _tell(server.address, options.token_file, made=token is None)
        server.run()
    finally:
        server.close()
    return 0


def add_bridge_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `worldtracing bridge`."""
    parser.add_argument("address", metavar="HOST:PORT", help=f"of the other computer's worker (port: {DEFAULT_PORT})")
    _add_token_argument(parser)


def run_bridge(options: argparse.Namespace) -> int:
    """Stand in for the worker on another computer, over stdin and stdout."""
    from .bridge import bridge_stdio

    try:
        address, token = parse_address(options.address), read_token(options.token_file) or ""
    except WorldTracingError as error:
        from .. import protocol

        print(protocol.encode(protocol.error(None, error)).decode(), end="", flush=True)
        raise
    return bridge_stdio(address, token)


def _add_token_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"what both sides must know (default: the variable {TOKEN_VARIABLE}, else {token_file()})",
    )


def _tell(address: Address, file: Path | None, made: bool) -> None:
    print(f"Tracing for other computers at {address}. Ctrl-C ends it.")
    kept = TOKEN_VARIABLE if not file and os.environ.get(TOKEN_VARIABLE) else file or token_file()
    if made:
        print(f"Token, made just now and kept in {kept}: {read_token(file)}")
    else:
        print(f"Token: the one in {kept}")
    if not address.is_this_computer:
        print("What travels is checked but not encrypted: use a network that you trust, or an SSH tunnel.")
    sys.stdout.flush()
