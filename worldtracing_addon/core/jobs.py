"""What is known of a trace while it runs: a frozen state, and pure functions that fold messages into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.worker import protocol

WORKER_GONE = "worker_gone"
"""Type of the one message that the client itself adds: the worker has ended, with code, message and fix."""

PACE_WEIGHT = 0.3
"""Share of the newest step in the running mean of step times: a slow first step is soon forgotten."""


@dataclass(frozen=True)
class TraceResult:
    """A finished trace: the .safetensors file, and the summary that the protocol describes."""

    path: Path
    summary: Mapping


@dataclass(frozen=True)
class JobState:
    """One trace at one moment.

    Attributes:
        status: "starting" (the worker is), "running", "cancelling", "done", "cancelled" or "failed".
        stage: what is being done, for people; empty until something is.
        k, n: step k (0-based) of the stage's n steps is being done.
        seconds_left: of this stage, from the steps measured so far; None until one has been.
        silent_seconds: how long the worker has given no sign of life, its heartbeat included.
        result: when done.
        error: when failed.
        step_seconds: running mean of the measured step times in this stage.
        step_at: clock time at which step k was reported.
    """

    status: str = "starting"
    stage: str = ""
    k: int = 0
    n: int = 0
    seconds_left: float | None = None
    silent_seconds: float = 0.0
    result: TraceResult | None = None
    error: WorldTracingError | None = None
    step_seconds: float | None = None
    step_at: float = 0.0

    @property
    def finished(self) -> bool:
        return self.status in ("done", "cancelled", "failed")

    @property
    def fraction(self) -> float:
        """Done share of the stage, 0 to 1; of the whole only when it is done."""
        if self.status == "done":
            return 1.0
        return min(self.k / self.n, 1.0) if self.n > 0 else 0.0


def fold(state: JobState, id: str, message: protocol.Message, now: float) -> JobState:
    """The state after a message, which may belong to another request than `id` or be of a type not known here.

    After a cancel every end is "cancelled": the user has turned away from this trace, whatever became of it.
    """
    kind = message["type"]
    if state.finished or (kind != WORKER_GONE and message.get("id") != id):
        return state
    if kind == "progress":
        return _step(state, message, now)
    if kind not in ("result", "cancelled", "error", WORKER_GONE):
        return state
    if kind == "cancelled" or state.status == "cancelling":
        return replace(state, status="cancelled", seconds_left=None)
    if kind == "result":
        result = TraceResult(Path(message["path"]), message["summary"])
        return replace(state, status="done", seconds_left=0.0, result=result)
    return replace(state, status="failed", seconds_left=None, error=protocol.to_error(message))


def tick(state: JobState, now: float, silent_seconds: float = 0.0) -> JobState:
    """The state at time `now` without a new message: the time left counts down within a step."""
    if state.finished:
        return state
    left = None
    if state.step_seconds is not None:
        rest_of_step = max(0.0, state.step_seconds - (now - state.step_at))
        left = rest_of_step + state.step_seconds * max(0, state.n - state.k - 1)
    return replace(state, seconds_left=left, silent_seconds=silent_seconds)


def cancelling(state: JobState) -> JobState:
    return state if state.finished else replace(state, status="cancelling")


def _step(state: JobState, message: protocol.Message, now: float) -> JobState:
    stage, k, n = message["stage"], message["k"], message["n"]
    pace = None
    if stage == state.stage and n == state.n and k >= state.k:
        pace = state.step_seconds
        if k > state.k:  # quick steps are not all reported
            measured = (now - state.step_at) / (k - state.k)
            pace = measured if pace is None else pace + PACE_WEIGHT * (measured - pace)
    status = "cancelling" if state.status == "cancelling" else "running"
    return tick(replace(state, status=status, stage=stage, k=k, n=n, step_seconds=pace, step_at=now), now)
