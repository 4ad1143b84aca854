"""Trace World and Cancel."""

from __future__ import annotations

import bpy

from .. import api, history, thumbnails
from ..core.jobs import JobState
from ..core.text import done_text
from ..trace import Trace
from .running import RunsWork, report


class WT_OT_trace_world(RunsWork, bpy.types.Operator):
    """Turn the photo into a layered 3D world with a matched camera"""

    bl_idname = "wt.trace_world"
    bl_label = "Trace World"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene.world_tracing.image is None:
            cls.poll_message_set("Open a photo first")
            return False
        return can_run(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if context.window is None:  # started by a timer or a script
            return self.execute(context)
        return self.run_in_window(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run_and_wait(context)

    def begin(self, context: bpy.types.Context) -> Trace:
        settings = context.scene.world_tracing
        return api.start_trace(
            settings.image, scene=context.scene, settings=settings.trace_settings(), mask=settings.mask
        )

    def end(self, context: bpy.types.Context, state: JobState) -> set[str]:
        job, trace = context.window_manager.world_tracing_job, self._work
        if state.status == "done":
            if trace.uses_camera:
                api.look_through(context, trace.world)
            for warning in trace.warnings:
                report(self, job, warning, level="WARNING")
            thumbnails.forget(seed.path for seed in api.seeds(trace.world))
            history.refresh()
            self.report({"INFO"}, done_text(trace.name, trace.mask_method, trace.notes))
            return {"FINISHED"}
        if state.error is not None:
            report(self, job, state.error)
        else:
            self.report({"INFO"}, "Trace cancelled")
        return {"CANCELLED"}


class WT_OT_cancel_trace(bpy.types.Operator):
    """Stop the work under way; the scene stays as it is, with the photos of a batch that are done"""

    bl_idname = "wt.cancel_trace"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.world_tracing_job.cancel_requested = True
        return {"FINISHED"}


def can_run(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether no trace runs; else the operator's button tells why it is off."""
    if context.window_manager.world_tracing_job.running:
        operator.poll_message_set("A trace is running; wait for it or cancel it")
        return False
    return True


register, unregister = bpy.utils.register_classes_factory((WT_OT_trace_world, WT_OT_cancel_trace))
