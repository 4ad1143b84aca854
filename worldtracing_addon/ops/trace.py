"""Trace World, Cancel, and what the panel offers after an error."""

from __future__ import annotations

import traceback
from typing import ClassVar

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api, preferences
from ..client import session
from ..core.fixes import fix_for
from ..core.text import done_text, progress_text
from ..trace import Trace, defect


class WT_OT_trace_world(bpy.types.Operator):
    """Turn the photo into a layered 3D world with a matched camera"""

    bl_idname = "wt.trace_world"
    bl_label = "Trace World"
    bl_options = {"UNDO"}

    _trace: Trace | None = None
    _timers: ClassVar[list[tuple[bpy.types.WindowManager, bpy.types.Timer]]] = []

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene.world_tracing.image is None:
            cls.poll_message_set("Open a photo first")
            return False
        if context.window_manager.world_tracing_job.running:
            cls.poll_message_set("A trace is running; wait for it or cancel it")
            return False
        return True

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if context.window is None:  # started by a timer or a script
            return self.execute(context)
        if not self._start(context):
            return {"CANCELLED"}
        manager = context.window_manager
        self._timers.append((manager, manager.event_timer_add(0.1, window=context.window)))
        manager.modal_handler_add(self)
        context.workspace.status_text_set("Tracing: ESC to cancel")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        job = context.window_manager.world_tracing_job
        if job.cancel_requested or (event.type == "ESC" and event.value == "PRESS"):
            self._trace.cancel()
            job.cancel_requested = False
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        state = self._trace.poll()
        job.text, job.fraction = progress_text(state), state.fraction
        _redraw_sidebars(context)
        if not state.finished:
            return {"PASS_THROUGH"}
        return self._finish(context, state)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Without a window: wait for the result."""
        return self._finish(context, self._trace.wait()) if self._start(context) else {"CANCELLED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself, to load a file or to quit."""
        self._trace.abandon()
        self._end(context)

    def _start(self, context: bpy.types.Context) -> bool:
        settings = context.scene.world_tracing
        job = context.window_manager.world_tracing_job
        job.show_error(None)
        try:
            self._trace = api.start_trace(
                settings.image, scene=context.scene, settings=settings.trace_settings(), mask=settings.mask
            )
        except WorldTracingError as error:
            _report(self, job, error)
            return False
        except Exception as error:  # a defect must not hide from the panel
            traceback.print_exc()
            _report(self, job, defect(error))
            return False
        job.running, job.fraction, job.text = True, 0.0, "Starting"
        return True

    def _finish(self, context: bpy.types.Context, state) -> set[str]:
        self._end(context)
        job = context.window_manager.world_tracing_job
        if state.status == "done":
            if self._trace.uses_camera:
                api.look_through(context, self._trace.world)
            for warning in self._trace.warnings:
                _report(self, job, warning, level="WARNING")
            self.report({"INFO"}, done_text(self._trace.name, self._trace.mask_method, self._trace.notes))
            return {"FINISHED"}
        if state.error is not None:
            _report(self, job, state.error)
        else:
            self.report({"INFO"}, "Trace cancelled")
        return {"CANCELLED"}

    def _end(self, context: bpy.types.Context) -> None:
        job = context.window_manager.world_tracing_job
        job.running = job.cancel_requested = False
        remove_timers()
        _redraw_sidebars(context)


class WT_OT_cancel_trace(bpy.types.Operator):
    """Stop the running trace; the scene stays as it is"""

    bl_idname = "wt.cancel_trace"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.world_tracing_job.cancel_requested = True
        return {"FINISHED"}


class WT_OT_clear_error(bpy.types.Operator):
    """Hide this message"""

    bl_idname = "wt.clear_error"
    bl_label = "Clear Error"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.world_tracing_job.show_error(None)
        return {"FINISHED"}


class WT_OT_fix_error(bpy.types.Operator):
    """Do what this message proposes"""

    bl_idname = "wt.fix_error"
    bl_label = "Fix"
    bl_options = {"UNDO", "INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        job = context.window_manager.world_tracing_job
        fix = fix_for(job.error_code, context.scene.world_tracing.mask is not None)
        if fix is None:
            return {"CANCELLED"}
        job.show_error(None)
        getattr(self, f"_{fix.action}")(context)
        return {"FINISHED"}

    def _scene_mode(self, context: bpy.types.Context) -> None:
        context.scene.world_tracing.mode = "scene"

    def _clear_mask(self, context: bpy.types.Context) -> None:
        context.scene.world_tracing.mask = None

    def _open_preferences(self, _context: bpy.types.Context) -> None:
        bpy.ops.preferences.addon_show(module=preferences.EXTENSION_PACKAGE)

    def _blender_python(self, _context: bpy.types.Context) -> None:
        preferences.get_preferences().python = ""

    def _trace_again(self, _context: bpy.types.Context) -> None:
        bpy.ops.wt.trace_world("INVOKE_DEFAULT")


class WT_OT_free_memory(bpy.types.Operator):
    """Let the worker drop the loaded network; the next trace loads it again"""

    bl_idname = "wt.free_memory"
    bl_label = "Free Memory"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        session.free_memory()
        return {"FINISHED"}


def _report(operator: bpy.types.Operator, job, error: WorldTracingError, level: str = "ERROR") -> None:
    job.show_error(error)
    operator.report({level}, str(error))


def _redraw_sidebars(context: bpy.types.Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def remove_timers() -> None:
    """End what a modal trace has started in the window; Blender leaves it behind when the add-on is switched off."""
    timers = WT_OT_trace_world._timers
    for manager, timer in timers:
        manager.event_timer_remove(timer)
    if timers:
        bpy.context.workspace.status_text_set(None)
    timers.clear()


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(
    (WT_OT_trace_world, WT_OT_cancel_trace, WT_OT_clear_error, WT_OT_fix_error, WT_OT_free_memory)
)


def register() -> None:
    _register_classes()


def unregister() -> None:
    remove_timers()
    _unregister_classes()
