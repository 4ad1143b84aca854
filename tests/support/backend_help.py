"""What the tests of the backend's set-up share: tiny wheels, an index that serves them, plans to install them."""

import hashlib
import sys
import threading
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from world_tracing.worldtracing_addon.client.launch import cli_command
from world_tracing.worldtracing_addon.core.backend_plan import CPU, BackendPlan, Source

TORCH = """
__version__ = "1.0"
class cuda:
    is_available = staticmethod(lambda: False)
class backends:
    class mps:
        is_available = staticmethod(lambda: False)
"""
"""As much of PyTorch as the doctor asks for."""


def make_wheel(folder: Path, code: str = TORCH, name: str = "torch", padding: int = 0) -> Path:
    """A wheel of one module, which pip installs as it does any other."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if padding:
        files[f"{name}_data.py"] = "#" * padding
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"]))
    return path


def lock_wheels(folder: Path) -> None:
    """The list with hashes that `make offline-bundle` writes."""
    lines = [
        f"{path.name.split('-')[0]}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in folder.glob("*.whl")
    ]
    (folder / "requirements.txt").write_text("".join(lines))


def plan(source: Source, *requirements: str, python: str = sys.executable) -> BackendPlan:
    return BackendPlan(Path(python), CPU, requirements or ("torch==1.0",), source=source, pip="")


def doctor(python: Path) -> list[str]:
    return cli_command(python, "doctor", "--json")


class Index:
    """A package index on this machine that can stop in the middle of a file."""

    def __init__(self, wheels: Path) -> None:
        self.wheels = wheels
        self.flowing = threading.Event()
        self.flowing.set()
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"

    def close(self) -> None:
        self.flowing.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, index: Index, *arguments) -> None:
        self.index = index
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.index.requests.append(self.path)
        name = self.path.rstrip("/").rpartition("/")[2]
        if not name.endswith(".whl"):
            links = [f'<a href="/files/{path.name}">{path.name}</a>' for path in self.index.wheels.glob(f"{name}-*")]
            self._reply("text/html", f"<html><body>{''.join(links)}</body></html>".encode())
            return
        content = (self.index.wheels / name).read_bytes()
        self._reply("application/octet-stream", content[:1000], len(content))
        self.index.flowing.wait(60)
        self.wfile.write(content[1000:])

    def _reply(self, kind: str, content: bytes, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass


@contextmanager
def serving(wheels: Path):
    index = Index(wheels)
    try:
        yield index
    finally:
        index.close()
