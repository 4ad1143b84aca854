"""A generator in a Python of its own: started for one mesh, fed and read through safetensors files and JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import WorldTracingError
from ...progress import OnProgress
from ..base import Health
from ..options import GeneratorOption

LAUNCHER = Path(__file__).with_name("runners") / "launch.py"
CHECK_SECONDS = 5.0
POLL_SECONDS = 0.2

PYTHON = GeneratorOption(
    "python", "Python", "file", "", "The Python that it is installed for, such as that of its conda environment.",
    machine=True,
)  # fmt: skip
REPOSITORY = GeneratorOption(
    "repository", "Folder", "folder", "", "The folder of its repository, where its own example runs.", machine=True
)
DOWNLOAD = GeneratorOption(
    "download", "May Download", "flag", False, "Let it fetch weights that are missing from the Hugging Face hub.",
    machine=True,
)  # fmt: skip


def weights_option(default: str) -> GeneratorOption:
    """Which weights a generator loads."""
    sentence = "Its weights: a name on the Hugging Face hub, or a folder."
    return GeneratorOption("model", "Weights", "text", default, sentence, machine=True)


@dataclass(frozen=True)
class Program:
    """Which Python runs which runner, and where.

    Attributes:
        label: of the generator, for messages.
        runner: module in `runners/`.
        python: path of the Python that the generator is installed for.
        repository: folder of the generator's checkout; the process runs there.
        download: whether it may fetch weights from the Hugging Face hub.
    """

    label: str
    runner: str
    python: str
    repository: str
    download: bool = False

    def check(self) -> Health:
        """Whether that Python and the packages that the runner needs are there."""
        try:
            process = self._start("check", stderr=subprocess.DEVNULL)
            with process, _ended(process):
                output, _ = process.communicate(timeout=CHECK_SECONDS)
            answer = json.loads(output.splitlines()[-1])
        except WorldTracingError as error:
            return Health(False, error.message, error.fix)
        except (subprocess.TimeoutExpired, ValueError, IndexError):
            return Health(False, f"The Python of {self.label} does not answer.", f"Try it out: {self.python} --version")
        if answer["missing"]:
            sentence = f"The Python of {self.label} lacks {', '.join(answer['missing'])}."
            return Health(False, sentence, f"Install {self.label} for {self.python} as its README says.")
        return Health(True, f"{self.label} is installed for Python {answer['python']}.")

    def run(
        self, tensors: Mapping[str, np.ndarray], options: Mapping, on_progress: OnProgress
    ) -> dict[str, np.ndarray]:
        """Do one job; what it returns are the result's tensors.

        `on_progress` is asked five times a second; when it raises, the process is ended.

        Raises:
            WorldTracingError: WT-MESH-SETUP (no such Python or folder), WT-ENV-PACKAGE, WT-MEM-MESH, WT-MESH-FAILED,
                WT-MESH-RESULT.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file, save_file

        with tempfile.TemporaryDirectory(prefix="world-tracing-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            contiguous = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
            save_file(contiguous, folder / "request.safetensors", {"options": json.dumps(dict(options))})
            with (folder / "log").open("wb") as log:
                process = self._start("run", str(folder), stderr=log)
                with process, _ended(process):
                    answer = _listen(process, on_progress, f"Starting {self.label}")
            if answer.get("type") != "result":
                raise self._failure(answer, _last_line(folder / "log"))
            try:
                return load_file(folder / "result.safetensors")
            except (OSError, SafetensorError) as error:
                raise self._failed(f"its result cannot be read ({error})") from error

    def _start(self, task: str, *arguments: str, stderr) -> subprocess.Popen:
        fix = f"Give the Python that {self.label} is installed for, and the folder of its repository."
        if not self.python or not self.repository:
            raise WorldTracingError("WT-MESH-SETUP", f"{self.label} is not set up.", fix)
        if not Path(self.repository).is_dir():
            raise WorldTracingError("WT-MESH-SETUP", f"There is no folder {self.repository}.", fix)
        command = [self.python, str(LAUNCHER), task, self.runner, *arguments]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
        environment.pop("PYTHONPATH", None)  # this process's packages are not that Python's
        if not self.download or os.environ.get("WORLDTRACING_OFFLINE"):
            environment["HF_HUB_OFFLINE"] = "1"
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=self.repository,
                env=environment,
                start_new_session=True,  # so that its own children can be ended with it; Windows ignores this
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            sentence = f"The Python {self.python} cannot be started ({error.strerror or error})."
            raise WorldTracingError("WT-MESH-SETUP", sentence, fix) from error

    def _failure(self, answer: Mapping, last_line: str) -> WorldTracingError:
        text = answer.get("text") or last_line or "it ended without a word"
        if answer.get("kind") == "package":
            return WorldTracingError(
                "WT-ENV-PACKAGE",
                f"{self.label} lacks a package ({text}).",
                f"Install {self.label} for {self.python} as its README says.",
            )
        if answer.get("kind") == "memory":
            return WorldTracingError(
                "WT-MEM-MESH",
                f"{self.label} ran out of GPU memory.",
                "Close other programs that use the GPU, or choose a lower resolution or another generator.",
            )
        return self._failed(text)

    def _failed(self, text: str) -> WorldTracingError:
        hint = " and that its weights are there" if not self.download else ""
        return WorldTracingError(
            "WT-MESH-FAILED",
            f"{self.label} failed: {text}.",
            f"Try another seed; if it fails again, check that its own example runs{hint}.",
        )


def _listen(process: subprocess.Popen, on_progress: OnProgress, stage: str) -> dict:
    """The process's last message: its result or error, or nothing if it ended without one."""
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, name="worldtracing generator", daemon=True).start()
    step = (stage, 0, 1)
    while True:
        on_progress(*step)
        try:
            line = lines.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return {}
        message = json.loads(line)
        if message["type"] != "progress":
            return message
        step = (message["stage"], message["k"], message["n"])


@contextlib.contextmanager
def _ended(process: subprocess.Popen):
    """End the process, and what it has started, when the block is left."""
    try:
        yield
    finally:
        if process.returncode is None:  # else it was waited for, and its number may be another's by now
            with contextlib.suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4000))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
