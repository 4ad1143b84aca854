"""What a trace, a batch and meshes have in common: they are polled on the main thread until they are finished."""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy

from ..backend.worldtracing.errors import WorldTracingError
from .core.jobs import JobState

POLL_SECONDS = 0.02


class Work:
    """Work under way. Call `poll` on the main thread until `state.finished`, or `wait`.

    Attributes:
        state: what was last known of it.
    """

    state = JobState(status="cancelled")  # there is nothing to abandon before __init__ has succeeded

    def poll(self, wait_for_user: bool = True) -> JobState:
        """Move on as far as possible without waiting.

        While Blender renders, or an object is in Edit Mode, what is to be built waits, unless told not to: neither
        allows for new objects.
        """
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop; what is built stays. Keep polling until the state is finished."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Cancel without ever polling again: the file is being closed, the add-on switched off, or Blender."""
        raise NotImplementedError

    def wait(self, on_progress: Callable[[JobState], None] | None = None) -> JobState:
        """Poll until finished; timers do not fire without a window, so this pumps by itself.

        Whatever `on_progress` raises, Ctrl-C included, ends the work and goes on to the caller.
        """
        try:
            while not self.poll(wait_for_user=False).finished:
                if on_progress is not None:
                    on_progress(self.state)
                time.sleep(POLL_SECONDS)
        except BaseException:
            self.abandon()
            raise
        return self.state


def defect(error: Exception, noun: str = "trace") -> WorldTracingError:
    """The error for what nobody foresaw, which has ended a trace, a mesh or whatever `noun` says."""
    return WorldTracingError(
        "WT-SCENE-FAILED",
        f"The {noun} could not be finished ({type(error).__name__}: {error}).",
        "Try again; if it happens again, report it with the text in Blender's system console.",
    )


def obstacle() -> str | None:
    """Why objects cannot be made now: the renderer reads them, and undo steps of Edit Mode do not hold new ones."""
    if bpy.app.is_job_running("RENDER"):
        return "Waiting for the render to end"
    if bpy.context.mode.startswith("EDIT"):
        return "Waiting for the end of Edit Mode"
    return None
