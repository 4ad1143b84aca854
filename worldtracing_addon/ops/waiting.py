"""What operators share whose slow work is done in a thread before they change anything: Blender stays usable."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import partial
from typing import Any

import bpy

from ...backend.worldtracing.errors import Cancelled, WorldTracingError
from ..client import errands
from ..core.kept import sweep
from ..handoff import in_background
from ..scene.worlds import WorldObjects, active_world
from ..work import defect
from .status import set_status

_timers: list[bpy.types.Timer] = []


class WaitsForWork:
    """An operator that executes once all it needs is computed: in a window beside Blender, without one at once.

    One that is told something in the viewport first does so in `aim`; its `cancel` must call `end_wait`.
    """

    waiting_text = "Computing. ESC: cancel"
    noun = "search"
    """What an unforeseen error has ended."""

    _work = _timer = _about = None

    def world(self, context: bpy.types.Context) -> WorldObjects | None:
        """The world to change."""
        return active_world(context)

    def about(self, context: bpy.types.Context) -> Hashable:
        """What the work is for; where that changes while it is done, the operator ends without having done anything."""
        return self.world(context)

    def preparation(self, context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        """Work for a thread, asked for again after it; None where nothing is left to be computed.

        Raises:
            WorldTracingError: executing will say so.
        """
        raise NotImplementedError

    def failed(self, _context: bpy.types.Context, error: WorldTracingError) -> None:
        """Tell the user what stopped the work."""
        self.report({"ERROR"}, str(error))

    def show(self, context: bpy.types.Context, text: str | None) -> None:
        """Tell the user what is waited for; None: nothing any more."""
        set_status(context, text)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return self.start(context)

    def start(self, context: bpy.types.Context) -> set[str]:
        """`wait` in an operator that is not modal yet."""
        result = self.wait(context)
        if result == {"RUNNING_MODAL"}:
            context.window_manager.modal_handler_add(self)
        return result

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            return self.follow(context, event) if self.waits else self.aim(context, event)
        except Exception as error:  # Blender ends the operator then, but neither its timer nor what it draws
            self.cancel(context)
            return self._fail(context, error)

    def aim(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """What `modal` does as long as nothing is waited for."""
        raise NotImplementedError

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when it ends the operator to load a file or to quit. The thread ends by itself."""
        self.end_wait(context)

    @property
    def waits(self) -> bool:
        """Whether work is under way."""
        return self._timer is not None

    def wait(self, context: bpy.types.Context) -> set[str]:
        """Begin the next work, or where none is left, execute."""
        about = self.about(context)
        if self.waits and about != self._about:
            self.end_wait(context)
            self.report({"INFO"}, f"{self.bl_label} was left, as the scene or the selection has changed meanwhile")
            return {"CANCELLED"}
        work = self.work_of(context, partial(self.preparation, context))
        if work is None:
            self.end_wait(context)
            return self.execute(context)
        self._work, self._about = started(work), about
        if not self.waits:
            self._timer = context.window_manager.event_timer_add(0.1, window=context.window)
            _timers.append(self._timer)
            self.show(context, self.waiting_text)
        return {"RUNNING_MODAL"}

    def follow(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Go on once the work is done, and no render under way that reads what is to be changed."""
        if event.type == "ESC":
            self.end_wait(context)
            return {"CANCELLED"}
        if event.type != "TIMER" or not self._work.done() or bpy.app.is_job_running("RENDER"):
            return {"PASS_THROUGH"}
        error = self._work.exception()
        if error is None or isinstance(error, Cancelled):  # by who has left another operator: it is begun again
            return self.wait(context)
        self.end_wait(context)
        return self._fail(context, error)

    def _fail(self, context: bpy.types.Context, error: BaseException) -> set[str]:
        if not isinstance(error, WorldTracingError):
            traceback.print_exception(error)
            error = defect(error, self.noun)
        self.failed(context, error)
        return {"CANCELLED"}

    def end_wait(self, context: bpy.types.Context) -> None:
        """Wait no more. What the worker does ends now; a thread ends by itself, and what it computes is kept."""
        if self.waits:
            if not self._work.done():
                errands.cancel()
            _timers.remove(self._timer)
            context.window_manager.event_timer_remove(self._timer)
            self.show(context, None)
        self._timer = None

    def work_of(
        self, context: bpy.types.Context, prepare: Callable[[WorldObjects], Callable[[], object] | None]
    ) -> Callable[[], object] | None:
        """What `prepare` gives for the world to change; None where executing says what is wrong."""
        world = self.world(context)
        if context.window is None or world is None or world.is_linked or context.mode.startswith("EDIT"):
            return None
        try:
            return prepare(world)
        except Exception:  # executing meets it again
            return None


class PreparesOnce(WaitsForWork):
    """One that has a single piece of work, and gives way to the next one of its kind."""

    noun = "change"
    begun = 0  # such operators in this session

    def start(self, context: bpy.types.Context) -> set[str]:
        PreparesOnce.begun += 1
        return super().start(context)

    def about(self, context: bpy.types.Context) -> Hashable:
        return self.world(context), PreparesOnce.begun

    def preparation(self, context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return None if self._work is not None else self.prepare(context, world)

    def prepare(self, context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        """The work for a thread; None where there is none."""
        raise NotImplementedError

    def take_prepared(self) -> Any:
        """What the work has returned, once; None without any."""
        work, self._work = self._work, None
        return work.result() if work is not None else None


def begin(work: Callable[[], object] | None) -> None:
    """Have work done that will be waited for later; what goes wrong is told then."""
    if work is not None:
        started(work)


def started(work: Callable[[], object]) -> Future:
    """Work in a thread. What it is about may be gone before it ends: another file opened, the points edited."""

    def run() -> object:
        try:
            return work()
        finally:
            sweep()

    return in_background(run)


def register() -> None:
    """There is nothing to register."""


def unregister() -> None:
    """End errands, and the timers of operators that wait: Blender leaves those behind."""
    errands.cancel()
    if _timers:
        set_status(bpy.context, None)
    while _timers:
        bpy.context.window_manager.event_timer_remove(_timers.pop())
