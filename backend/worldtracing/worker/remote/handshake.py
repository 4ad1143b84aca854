"""Both sides show that they have the token, without telling it. docs/protocol.md, Over the network."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from ...errors import WorldTracingError
from .. import protocol
from .link import ForeignLinkError, Link, LinkBrokenError

TOKEN_VARIABLE = "WORLDTRACING_TOKEN"
MIN_TOKEN = 16
"""Characters that a token must have: whoever hears a handshake can try tokens at leisure."""

_NONCE_BYTES = 32


def token_file() -> Path:
    """Where the token of this computer's worker is kept, unless told otherwise."""
    return Path.home() / ".worldtracing" / "token"


def read_token(file: Path | None = None) -> str | None:
    """The token: of the file, else of the variable WORLDTRACING_TOKEN, else of `token_file`; None where there is none.

    Raises:
        WorldTracingError: WT-WORKER-REMOTE-TOKEN where it is too short or cannot be read.
    """
    token = None if file else os.environ.get(TOKEN_VARIABLE)
    path = file or token_file()
    if not token:
        try:
            token = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise _bad_token(f"The token in {path} cannot be read ({error}).") from error
    return check_token(token)


def make_token(file: Path | None = None) -> str:
    """A new token, kept in a file that only this user may read."""
    path = file or token_file()
    token = secrets.token_urlsafe(24)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(f"{token}\n")
    return token


def check_token(token: str) -> str:
    """The token without blanks around it.

    Raises:
        WorldTracingError: WT-WORKER-REMOTE-TOKEN where it is missing or too short.
    """
    token = token.strip()
    if not token:
        raise _bad_token("The worker on the other computer asks for a token, and none was given.")
    if len(token) < MIN_TOKEN:
        raise _bad_token(f"The token has fewer than {MIN_TOKEN} characters.")
    return token


def join(link: Link, token: str) -> protocol.Message:
    """The client's side; what the server tells of itself: version, python, engines and busy.

    Raises:
        WorldTracingError: WT-WORKER-REMOTE-TOKEN, WT-WORKER-PROTOCOL.
        LinkBrokenError
    """
    own = secrets.token_bytes(_NONCE_BYTES)
    link.tell({"type": "join", "protocol": protocol.PROTOCOL_VERSION, "nonce": own.hex()})
    challenge = _expect(link.hear(), "challenge")
    if challenge.get("protocol") != protocol.PROTOCOL_VERSION:
        raise _wrong_protocol(challenge.get("protocol"))
    nonces = own + _bytes_of(challenge, "nonce")
    if not hmac.compare_digest(_prove(token, "server", nonces), _bytes_of(challenge, "proof")):
        raise _bad_token("The worker on the other computer has another token.")
    link.tell({"type": "proof", "proof": _prove(token, "client", nonces).hex()})
    link.set_keys(_prove(token, "from client", nonces), _prove(token, "from server", nonces))
    return _expect(link.hear(), "welcome")


def admit(link: Link, token: str) -> bool:
    """The server's side; whether the client has the token.

    Raises:
        WorldTracingError: WT-WORKER-PROTOCOL, which the client has been told.
        LinkBrokenError
    """
    request = _expect(link.hear(), "join")
    if request.get("protocol") != protocol.PROTOCOL_VERSION:
        error = _wrong_protocol(request.get("protocol"))
        link.tell(protocol.error(None, error))
        raise error
    own = secrets.token_bytes(_NONCE_BYTES)
    nonces = _bytes_of(request, "nonce") + own
    proof = _prove(token, "server", nonces).hex()
    link.tell({"type": "challenge", "protocol": protocol.PROTOCOL_VERSION, "nonce": own.hex(), "proof": proof})
    try:
        answer = _expect(link.hear(), "proof")
    except LinkBrokenError:  # as a client does that has another token
        return False
    if not hmac.compare_digest(_prove(token, "client", nonces), _bytes_of(answer, "proof")):
        return False
    link.set_keys(_prove(token, "from server", nonces), _prove(token, "from client", nonces))
    return True


def _prove(token: str, role: str, nonces: bytes) -> bytes:
    return hmac.digest(token.encode("utf-8", "surrogatepass"), role.encode() + nonces, "sha256")


def _expect(message: protocol.Message, type: str) -> protocol.Message:
    if message["type"] == "error":
        raise protocol.to_error(message)
    if message["type"] != type:
        raise ForeignLinkError("what came over it makes no sense")
    return message


def _bytes_of(message: protocol.Message, name: str) -> bytes:
    try:
        value = bytes.fromhex(message[name])
    except (KeyError, TypeError, ValueError) as error:
        raise ForeignLinkError("what came over it makes no sense") from error
    if len(value) != _NONCE_BYTES:  # a SHA-256 has as many
        raise ForeignLinkError("what came over it makes no sense")
    return value


def _bad_token(sentence: str) -> WorldTracingError:
    return WorldTracingError(
        "WT-WORKER-REMOTE-TOKEN",
        sentence,
        "Copy the token that worldtracing serve --listen printed on the other computer when it first ran.",
    )


def _wrong_protocol(version: object) -> WorldTracingError:
    return WorldTracingError(
        "WT-WORKER-PROTOCOL",
        f"The two computers speak different versions of the protocol ({version} and {protocol.PROTOCOL_VERSION}).",
        "Update World Tracing on both to the same version.",
    )
