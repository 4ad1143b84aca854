"""What pip says: how far a download is, and what went wrong, as a sentence."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from ...backend.worldtracing.errors import WorldTracingError

MEGABYTE = 10**6
KEPT = "What was downloaded is kept: set up again to go on."

_DOWNLOADING = re.compile(r"\s*Downloading (\S+?)(?:-\d\S*)? \(([\d.]+) (kB|MB|GB)\)")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")

_PROXY = re.compile(r"ProxyError|Tunnel connection failed|407 Proxy|Cannot connect to proxy", re.IGNORECASE)
_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|Read timed out|ConnectionReset|ConnectionError|IncompleteRead"
    r"|Connection (?:broken|aborted|refused)|Connection to \S+ timed out|Max retries exceeded|RemoteDisconnected"
    r"|ProtocolError|SSLError|name resolution|getaddrinfo failed|nodename nor servname|Network is unreachable"
    r"|HTTP error 5\d\d|5\d\d Server Error|429 Client Error|incomplete-download"
)
_FULL = re.compile(r"No space left on device|not enough space on the disk|Errno 28\b|WinError 112\b")
_NO_MATCH = re.compile(r"No matching distribution found for (.+)")
_HASH = re.compile(r"DO NOT MATCH THE HASHES|hashes are required in --require-hashes|HashMismatch|is not a valid wheel")


class Downloads:
    """Follows pip's lines (`--progress-bar raw`): file names, bytes of the file under way and of all before."""

    def __init__(self) -> None:
        self.name = ""
        self._done = self._current = self._total = 0
        self._started = time.monotonic()
        self._received = 0

    @property
    def megabytes(self) -> int:
        """Of all files so far."""
        return (self._done + self._current) // MEGABYTE

    @property
    def detail(self) -> str:
        """E.g. "torch, 120 of 527 MB, 18.2 MB/s"; the name alone once it is there, empty before the first file."""
        if not self.name or self._current >= self._total:
            return self.name
        speed = self._received / max(time.monotonic() - self._started, 1e-3) / MEGABYTE
        return f"{self.name}, {self._current // MEGABYTE} of {self._total // MEGABYTE} MB, {speed:.1f} MB/s"

    def read(self, line: str) -> bool:
        """Take in a line; True for one that only says how far a file is."""
        if match := _PROGRESS.match(line):
            current = int(match[1])
            self._received += max(0, current - self._current)
            self._current, self._total = current, int(match[2])
            return True
        if match := _DOWNLOADING.match(line):
            self._done += self._current
            self._current = self._received = 0
            self._started = time.monotonic()
            self.name = match[1]
            self._total = int(float(match[2]) * {"kB": 1000, "MB": MEGABYTE, "GB": 1000 * MEGABYTE}[match[3]])
        return False


def is_network_failure(lines: Sequence[str]) -> bool:
    """Whether trying again may help."""
    text = "\n".join(lines)
    return bool(_NETWORK.search(text) or _PROXY.search(text)) and not _FULL.search(text)


def pip_error(lines: Sequence[str], source: str, offline: bool) -> WorldTracingError:
    """The error of a pip that has failed.

    Args:
        lines: what it wrote.
        source: the index or the folder of wheels, for people.
        offline: whether a folder was used.
    """
    text = "\n".join(lines)
    if _FULL.search(text):
        return disk_full()
    if not offline and _PROXY.search(text):
        return WorldTracingError(
            "WT-NET-PROXY",
            f"The proxy did not let the download from {source} through.",
            "Check the environment variables HTTPS_PROXY and NO_PROXY, or set up from a folder of wheels.",
        )
    if not offline and _NETWORK.search(text):
        return WorldTracingError(
            "WT-NET-UNREACHABLE",
            f"The packages cannot be downloaded: {source} cannot be reached, or the connection broke.",
            f"Check the network, proxy and firewall, name a mirror, or set up from a folder of wheels. {KEPT}",
        )
    if _HASH.search(text):
        return WorldTracingError(
            "WT-ENV-DAMAGED",
            f"A package from {source} is damaged, or is not the one that its checksum stands for.",
            "Copy the folder of wheels again, or download the packages anew.",
        )
    if match := _NO_MATCH.search(text):
        return WorldTracingError(
            "WT-ENV-NO-WHEEL",
            f"{source} has no {match[1].strip()} for this Python and system.",
            "Use a folder of wheels made for this system and Python version, or another index.",
        )
    said = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
    return WorldTracingError(
        "WT-ENV-INSTALL",
        f'The packages could not be installed; pip last said: "{said[:200]}".',
        "Repair the backend; if it happens again, report it with the diagnostics.",
    )


def disk_full() -> WorldTracingError:
    return WorldTracingError(
        "WT-IO-FULL",
        "The disk became full while the backend was set up.",
        f"Free some space or choose another backend folder. {KEPT}",
    )
