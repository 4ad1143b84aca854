"""What the tests of the worker and of its client share: real processes, a photo, patience."""

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image
from world_tracing.worldtracing_addon.client.launch import worker_command

from worldtracing.worker.serve import serve

DEADLINE_SECONDS = 90
"""A test fails when something has not happened after so long, on a machine however busy."""

PLUGIN = Path(__file__).parent / "plugin"
"""A folder for sys.path with the package of a third party: its engines are found through entry points."""


def plugin_command() -> list[str]:
    """The add-on's command for its own Python, with the plug-in's folder beside numpy's."""
    return [*worker_command(), str(PLUGIN)]


def until(condition):
    """Wait until the condition holds; what it returned."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return value


class Conversation:
    """The protocol spoken by hand over two binary streams."""

    def __init__(self, requests, replies):
        self.requests = requests
        self.lines = []
        self._messages = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(replies,), daemon=True).start()

    def _listen(self, replies):
        with replies:
            for line in replies:
                self.lines.append(line)
                self._messages.put(json.loads(line))
        self._messages.put(None)

    def tell(self, message):
        """Send an object as a line, or bytes as they are."""
        line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.requests.write(line)
        self.requests.flush()

    def hear(self):
        """The next message but heartbeats; None when there will be no more."""
        while True:
            message = self._messages.get(timeout=DEADLINE_SECONDS)
            if message is None or message["type"] != "heartbeat":
                return message

    def hear_until(self, type, **fields):
        """All messages up to the first of this type that has these fields."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        heard = [self.hear()]
        while not {"type": type, **fields}.items() <= heard[-1].items():
            assert time.monotonic() < deadline, f"no {type} {fields} came"
            heard.append(self.hear())
        return heard

    def ask(self, message):
        self.tell(message)
        return self.hear()


class Loop(Conversation):
    """The worker's loop in a thread of this process, over pipes."""

    def __init__(self):
        requests, to_loop = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        from_loop, replies = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
        super().__init__(to_loop, from_loop)
        self.thread = threading.Thread(target=self._serve, args=(requests, replies), daemon=True)
        self.thread.start()

    def _serve(self, requests, replies):
        with requests, replies:
            serve(requests, replies)


class Process(Conversation):
    """A worker process; leaving the block closes its stdin and waits for it."""

    def __init__(self, command=None):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command or plugin_command(), stdin=pipe, stdout=pipe, stderr=pipe)
        self.stderr = b""
        self._stderr_thread = threading.Thread(target=self._keep_stderr, daemon=True)
        self._stderr_thread.start()
        super().__init__(self.process.stdin, self.process.stdout)
        self.hello = self.hear()

    def _keep_stderr(self):
        with self.process.stderr as stream:
            for line in stream:
                self.stderr += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.requests.close()
        self.end()

    def end(self):
        """Wait for its end; the exit code."""
        code = self.process.wait(DEADLINE_SECONDS)
        self._stderr_thread.join(DEADLINE_SECONDS)
        return code


def write_photo(path: Path, size: int = 48) -> Path:
    """A red disc on white: a plain background, so that the foreground is found."""
    rows, columns = np.mgrid[:size, :size] - size // 2
    rgb = np.full((size, size, 3), 255, np.uint8)
    rgb[rows**2 + columns**2 < (size // 3) ** 2] = (200, 30, 30)
    Image.fromarray(rgb).save(path)
    return path


def half_written(folder: Path) -> bool:
    """Whether a temporary file there has content; the empty one that only tries the folder has none."""
    with contextlib.suppress(FileNotFoundError):
        return any(path.stat().st_size for path in folder.glob(".*.tmp"))
    return False


def process_exists(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
