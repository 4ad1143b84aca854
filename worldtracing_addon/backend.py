"""The backend environment of this Blender: its state, what a set-up would do, set-up, repair and removal.

`start_…` functions return at once, the others wait; all are called on the main thread. The network is used by a set-up
alone, once Blender allows online access.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..backend.worldtracing.worker.protocol import busy
from . import background, preferences
from .client import errands, session
from .client.launch import cli_command
from .core.backend_folder import BackendFolder, BackendState
from .core.backend_plan import BackendPlan
from .core.backend_planning import Planning
from .core.backend_setup import BackendSetup
from .core.tasks import Task, TaskState

__all__ = ["backend_state", "plan_backend", "remove_backend", "set_up_backend"]

SHOWN_SECONDS = 1.0

_plan: BackendPlan | None = None
_repair = False
_shown = (float("-inf"), BackendState("absent"))  # when it was looked at, and what was seen


def backend_state() -> BackendState:
    """Whether there is a backend environment, and which Python runs it."""
    return preferences.backend_folder().state()


def shown_state() -> BackendState:
    """`backend_state` as of the last second, for drawing, which may happen at every movement of the mouse."""
    global _shown
    if time.monotonic() - _shown[0] > SHOWN_SECONDS:
        _shown = (time.monotonic(), backend_state())
    return _shown[1]


def own_python() -> str:
    """The Python that the preferences name, which is used instead of the backend; empty without one."""
    chosen = preferences.get_preferences()
    return chosen.python if chosen else ""


def folder() -> Path:
    """Where the backend is, or would be set up."""
    return preferences.backend_folder().folder


def plan() -> BackendPlan | None:
    """What was planned last and neither carried out nor dismissed."""
    return _plan


def repairs() -> bool:
    """Whether that plan begins with deleting the environment."""
    return _repair


def dismiss() -> None:
    """Forget the plan and the last error."""
    _set_plan(None)
    background.clear_error()


def start_planning(wheels: str | Path | None = None, repair: bool = False) -> Task:
    """Find out what a set-up would do; `plan` has it afterwards.

    Raises:
        WorldTracingError: WT-ENV-BUSY.
    """
    global _repair
    source, python, build = preferences.set_up_source()
    if wheels is not None:
        source = replace(source, wheels=Path(wheels))
    started = background.start(Planning(source, python, build), _set_plan)
    _repair = repair
    return started


def start_set_up(plan: BackendPlan, repair: bool = False) -> Task:
    """Carry a plan out.

    Raises:
        WorldTracingError: WT-ENV-BUSY, WT-WORKER-BUSY, WT-ENV-OFFLINE.
    """
    if plan.needs_network:
        background.require_online()
    folder = preferences.backend_folder()
    _end_worker()
    task = BackendSetup(folder, plan, lambda python: cli_command(python, "doctor", "--json"), repair)
    return background.start(task, lambda _: _set_plan(None))


def plan_backend(wheels: str | Path | None = None) -> BackendPlan:
    """What `set_up_backend` would install on this machine, from where, and about how much that is.

    Args:
        wheels: a folder of wheels to install from without any network, instead of that of the preferences.

    Raises:
        WorldTracingError: WT-ENV-PYTHON, WT-ENV-PLATFORM, WT-ENV-NO-WHEEL.
    """
    return background.finish(start_planning(wheels)).result


def set_up_backend(
    plan: BackendPlan | None = None,
    *,
    repair: bool = False,
    on_progress: Callable[[TaskState], None] | None = None,
) -> BackendState:
    """Make, complete or update the backend environment, and wait until it works.

    Args:
        plan: from `plan_backend`; a new one without it.
        repair: delete the environment first.
        on_progress: called several times a second. What it raises ends the set-up and goes on to the caller.

    Raises:
        WorldTracingError: WT-ENV-OFFLINE and the others of docs/troubleshooting.md, Set Up Backend.
    """
    return background.finish(start_set_up(plan or plan_backend(), repair), on_progress).result


def remove_backend() -> None:
    """Delete the environment and what was downloaded for it. Models stay.

    Raises:
        WorldTracingError: WT-ENV-BUSY, WT-WORKER-BUSY, WT-IO-WRITE.
    """
    background.finish(start_removal())


def start_removal() -> Task:
    """Begin what `remove_backend` does."""
    _end_worker()
    return background.start(_BackendRemoval(preferences.backend_folder()))


class _BackendRemoval(Task):
    def __init__(self, folder: BackendFolder) -> None:
        super().__init__()
        self._folder = folder

    def _work(self) -> None:
        self._progress("Removing the backend")
        self._folder.remove()


def _end_worker() -> None:
    """Windows neither replaces nor deletes files that a worker has open."""
    background.settle()  # a look into the folder of models may end with an inquiry
    errands.end_inquiries()
    if session.is_busy():
        raise busy()
    session.shutdown(wait=True)


def _set_plan(new: BackendPlan | None) -> None:
    global _plan
    _plan = new
