"""A worker on "another computer", for real: a server process on localhost, bridges to it, a wire that can be cut."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from worker_help import DEADLINE_SECONDS, Process, plugin_command

from worldtracing.worker.remote.address import Address, parse_address

TOKEN = "a token for tests only"


class ServerProcess:
    """`worldtracing serve --listen`; all that it writes is in `folder / "server"`."""

    def __init__(self, folder: Path):
        self.token_file = folder / "token"
        self.token_file.write_text(TOKEN)
        self.files = folder / "server"
        self.files.mkdir()
        command = [*plugin_command(), "--", "serve", "--listen", "127.0.0.1:0", "--token-file", str(self.token_file)]
        environment = {**os.environ, "TMPDIR": str(self.files), "TMP": str(self.files)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        self.address = parse_address(self.process.stdout.readline().split()[5].rstrip("."))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE_SECONDS)

    def all_files(self):
        return [name for _, _, names in os.walk(self.files) for name in names]  # not rglob: folders are being removed


def bridge(server, address=None) -> Process:
    """A bridge to the server, straight or over another address that leads to it."""
    address = str(address or server.address)
    return Process([sys.executable, "-m", "worldtracing", "bridge", address, "--token-file", str(server.token_file)])


class Wire:
    """Passes on what comes over a local port, until it is held or cut."""

    def __init__(self, target: Address):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = Address(*self._listener.getsockname())
        self.passed = {"up": 0, "down": 0}
        self._hold_at = {"up": None, "down": None}
        self._free = threading.Event()
        self._ends = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        self.cut()

    def hold(self, direction, after=0):
        """Pass nothing more on in a direction ("up" to the server, "down" from it) after so many more bytes."""
        self._free.clear()
        self._hold_at[direction] = self.passed[direction] + after

    def held(self, direction):
        limit = self._hold_at[direction]
        return limit is not None and self.passed[direction] >= limit

    def release(self):
        self._hold_at = {"up": None, "down": None}
        self._free.set()

    def cut(self):
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.release()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._ends += [client, server]
                threading.Thread(target=self._pass, args=("up", client, server), daemon=True).start()
                threading.Thread(target=self._pass, args=("down", server, client), daemon=True).start()

    def _pass(self, direction, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                if self.held(direction):
                    self._free.wait(DEADLINE_SECONDS)
                self.passed[direction] += len(data)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
