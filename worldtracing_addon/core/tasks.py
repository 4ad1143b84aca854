"""Long work beside Blender: in a thread, with programs that it runs, a log, progress, cancel and a result.

The thread waits; whoever looks at `Task.state` never does.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from ...backend.worldtracing.errors import Cancelled, WorldTracingError, last_line
from ...backend.worldtracing.files import write_error
from .platforms import Platform, clean_environment, keep_broken_pipes_harmless, this_platform

TAIL_LINES = 200
MAX_LINE = 1 << 20
"""Characters that count as a line even without an end."""
SHOWN = 2000
"""Characters of a line that the log keeps."""


@dataclass(frozen=True)
class TaskState:
    """A task at one moment.

    Attributes:
        status: "running", "cancelling", "done", "cancelled" or "failed".
        stage: what is being done, for people.
        k, n: so much of n is done; n is 0 where that is not known.
        detail: more of the stage, e.g. an amount and a speed.
        result: when done.
        error: when failed.
        since: clock time at which the stage began.
    """

    status: str = "running"
    stage: str = "Starting"
    k: int = 0
    n: int = 0
    detail: str = ""
    result: Any = None
    error: WorldTracingError | None = None
    since: float = 0.0

    @property
    def finished(self) -> bool:
        return self.status in ("done", "cancelled", "failed")

    @property
    def fraction(self) -> float:
        if self.status == "done":
            return 1.0
        return min(self.k / self.n, 1.0) if self.n > 0 else 0.0


class Task:
    """One piece of work; a subclass says what in `_work`, which runs in a thread of its own."""

    brief = False
    """Whether it ends within a moment, so that others rather wait than be refused."""
    failure_code = "WT-ENV-FAILED"
    failure_fix = "Try again; if it happens again, report it with the diagnostics."

    def __init__(self, log_path: Path | None = None, platform: Platform | None = None) -> None:
        """log_path: the file that gets what the programs say; a new task replaces it."""
        self.state = TaskState(since=time.monotonic())
        self.platform = platform or this_platform()
        self._log_path = log_path
        self._log: TextIO | None = None
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._cancelled = threading.Event()
        self._lock = threading.Lock()  # of _process, between the thread and a cancel
        self._process: subprocess.Popen | None = None
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """End the program that runs, with its children; the state tells when all has ended."""
        with self._lock:
            if self.state.finished:
                return
            self._cancelled.set()
            self.state = replace(self.state, status="cancelling")
            if self._process is not None:
                self.platform.end_process_tree(self._process)

    def wait(self, seconds: float | None = None) -> TaskState:
        """Wait for the end, or for so long; for scripts without a window, and for quitting."""
        self._thread.join(seconds)
        return self.state

    @property
    def stage_seconds(self) -> float:
        """How long the current stage has taken."""
        return time.monotonic() - self.state.since

    @property
    def lines(self) -> list[str]:
        """The last lines of the log."""
        return list(self._tail)

    # For the thread

    def _work(self) -> Any:
        """Do it and return the result. Raises Cancelled or WorldTracingError."""
        raise NotImplementedError

    def _run(self) -> None:
        keep_broken_pipes_harmless()
        with contextlib.ExitStack() as stack:
            if self._log_path is not None:
                with contextlib.suppress(OSError):  # a log that cannot be written must not stop the work
                    self._log_path.parent.mkdir(parents=True, exist_ok=True)
                    self._log = stack.enter_context(self._log_path.open("w", encoding="utf-8"))
            end = self._end_state()
        with self._lock:
            self.state = replace(end, since=time.monotonic())

    def _end_state(self) -> TaskState:
        try:
            return TaskState("done", result=self._work())
        except Cancelled:
            return TaskState("cancelled")
        except WorldTracingError as error:
            self._note(str(error))
            return TaskState("failed", error=error)
        except OSError as error:
            failure = write_error(error.filename or self._log_path or "", error)
            self._note(str(failure))
            return TaskState("failed", error=failure)
        except Exception as error:  # a defect must neither end in silence nor leave a progress bar for ever
            self._note(traceback.format_exc())
            failure = WorldTracingError(self.failure_code, f"This failed: {last_line(error)}.", self.failure_fix)
            return TaskState("failed", error=failure)

    def _progress(self, stage: str, k: int = 0, n: int = 0, detail: str = "") -> None:
        """Say where the work is, and stop here if it was cancelled."""
        with self._lock:
            if self._cancelled.is_set():
                raise Cancelled
            since = self.state.since if stage == self.state.stage else time.monotonic()
            self.state = TaskState("running", stage, k, n, detail, since=since)

    def _pause(self, seconds: float) -> None:
        """Sleep, unless it is cancelled."""
        if self._cancelled.wait(seconds):
            raise Cancelled

    def _note(self, text: str) -> None:
        """A line for the log."""
        text = without_secrets(text[:SHOWN])
        self._tail.append(text)
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.write(text + "\n")
                self._log.flush()

    def _command(
        self,
        command: Sequence[str],
        on_line: Callable[[str], bool] = lambda line: False,
        variables: Mapping[str, str] | None = None,
    ) -> tuple[int, list[str]]:
        """Run a program to its end; its exit code and what it wrote.

        Args:
            command: program and arguments.
            on_line: called with each line; one that it returns True for is not kept.
            variables: added to the environment.

        Raises:
            Cancelled: the task was, and the program has ended.
            OSError: it cannot be started.
        """
        self._note("$ " + " ".join(command))
        process = self._open(command, variables)
        said: deque[str] = deque(maxlen=TAIL_LINES)
        try:
            with process.stdout as stream:
                while line := stream.readline(MAX_LINE):
                    line = line.rstrip("\r\n")
                    if not on_line(line):
                        said.append(line)
                        self._note(line)
            code = process.wait()
        finally:
            self.platform.end_process_tree(process)
            process.wait()
            with self._lock:
                self._process = None
        if self._cancelled.is_set():
            raise Cancelled
        return code, list(said)

    def _open(self, command: Sequence[str], variables: Mapping[str, str] | None) -> subprocess.Popen:
        with self._lock:
            if self._cancelled.is_set():
                raise Cancelled
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                env=clean_environment(variables),
                **self.platform.process_options(),
            )
            return self._process


def without_secrets(text: str) -> str:
    """Addresses without the user names and passwords in them."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)
