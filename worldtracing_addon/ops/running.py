"""What operators share that wait for a trace or a batch: the timer, the progress in the panel, ESC, errors."""

from __future__ import annotations

import traceback

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from ..core.text import progress_text
from ..work import defect
from .status import set_status

_timers: list[tuple[bpy.types.WindowManager, bpy.types.Timer]] = []


class RunsWork:
    """An operator that begins work with `begin` and polls it until it is finished; never waits in a window.

    `begin(context)` returns the `Work`; `end(context, state)` tells the user and returns the operator's result;
    `step(context)` is called after each poll. `noun` is what an unforeseen error has ended.
    """

    status_text = "Tracing: ESC to cancel"
    noun = "trace"

    def run_in_window(self, context: bpy.types.Context) -> set[str]:
        """Begin, and go on in `modal`."""
        if not self._begin(context):
            return {"CANCELLED"}
        manager = context.window_manager
        _timers.append((manager, manager.event_timer_add(0.1, window=context.window)))
        manager.modal_handler_add(self)
        set_status(context, self.status_text)
        return {"RUNNING_MODAL"}

    def run_and_wait(self, context: bpy.types.Context) -> set[str]:
        """Without a window: wait for the result."""
        if not self._begin(context):
            return {"CANCELLED"}
        try:
            state = self._work.wait()
        except BaseException:
            self._clear(context)
            raise
        return self._finish(context, state)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            return self._follow(context, event)
        except Exception as error:  # a defect must not leave the panel busy for ever
            traceback.print_exc()
            self.cancel(context)
            report(self, context.window_manager.world_tracing_job, defect(error, self.noun))
            return {"CANCELLED"}

    def _follow(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        job = context.window_manager.world_tracing_job
        if job.cancel_requested or (event.type == "ESC" and event.value == "PRESS"):
            self._work.cancel()
            job.cancel_requested = False
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        state = self._work.poll()
        self.step(context)
        job.text, job.fraction = progress_text(state), state.fraction
        redraw_sidebars(context)
        if not state.finished:
            return {"PASS_THROUGH"}
        return self._finish(context, state)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself, to load a file or to quit."""
        self._work.abandon()
        self._clear(context)

    def step(self, context: bpy.types.Context) -> None:
        """After each poll in a window."""

    def _begin(self, context: bpy.types.Context) -> bool:
        job = context.window_manager.world_tracing_job
        job.show_error(None)
        job.failures.clear()
        job.work, job.targets = type(self).bl_idname, ""
        try:
            self._work = self.begin(context)
        except WorldTracingError as error:
            report(self, job, error)
            return False
        except Exception as error:  # a defect must not hide from the panel
            traceback.print_exc()
            report(self, job, defect(error, self.noun))
            return False
        job.running, job.fraction, job.text = True, 0.0, "Starting"
        return True

    def _finish(self, context: bpy.types.Context, state) -> set[str]:
        self._clear(context)
        return self.end(context, state)

    def _clear(self, context: bpy.types.Context) -> None:
        job = context.window_manager.world_tracing_job
        job.running = job.cancel_requested = False
        remove_timers()
        redraw_sidebars(context)


def report(operator: bpy.types.Operator, job, error: WorldTracingError, level: str = "ERROR") -> None:
    """Show an error in the panel and in Blender's status bar."""
    job.show_error(error)
    operator.report({level}, str(error))


def redraw_sidebars(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "PREFERENCES"):  # the latter say which generators can run
                area.tag_redraw()


def remove_timers() -> None:
    """End what modal work has started in the window; Blender leaves it behind when the add-on is switched off."""
    for manager, timer in _timers:
        manager.event_timer_remove(timer)
    if _timers:
        set_status(bpy.context, None)
    _timers.clear()


def register() -> None:
    """There is nothing to register."""


def unregister() -> None:
    remove_timers()
