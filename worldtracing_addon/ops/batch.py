"""Trace Folder: a batch of photos."""

from __future__ import annotations

import bpy

from .. import api, history
from ..batch import Batch, find_pictures
from ..core.jobs import JobState
from .running import RunsWork, report
from .trace import can_run


class WT_OT_trace_folder(RunsWork, bpy.types.Operator):
    """Trace all pictures of a folder"""

    bl_idname = "wt.trace_folder"
    bl_label = "Trace Folder"
    bl_description = (
        "Trace all pictures of a folder, one after the other, with the settings above and without a mask. "
        "Each becomes a world of its own and an undo step of its own. The last one is shown; the others are there too, "
        "but their collections are switched off: choose them at the top of Traced World, or in the outliner"
    )

    status_text = "Tracing a folder: ESC to cancel, what is done stays"

    directory: bpy.props.StringProperty(
        name="Folder", description="The folder with the pictures; folders in it are left out", subtype="DIR_PATH"
    )
    filter_folder: bpy.props.BoolProperty(
        name="Show Folders", description="Show folders in the file browser", default=True, options={"HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_run(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        self._in_window = context.window is not None
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        in_window = getattr(self, "_in_window", False)
        return self.run_in_window(context) if in_window else self.run_and_wait(context)

    def cancel(self, context: bpy.types.Context) -> None:
        if hasattr(self, "_work"):  # else the file browser was closed
            super().cancel(context)

    def begin(self, context: bpy.types.Context) -> Batch:
        self._built = 0
        settings = context.scene.world_tracing.trace_settings()
        return api.start_batch(find_pictures(bpy.path.abspath(self.directory)), scene=context.scene, settings=settings)

    def step(self, context: bpy.types.Context) -> None:
        """An undo step for each world: one for all would come at the end, and lose those undone meanwhile."""
        if len(self._work.worlds) > self._built:
            self._built = len(self._work.worlds)
            world = self._work.worlds[-1]
            api.look_through(context, world)
            bpy.ops.ed.undo_push(message=f"Trace {world.name}")

    def end(self, context: bpy.types.Context, state: JobState) -> set[str]:
        job, batch = context.window_manager.world_tracing_job, self._work
        for failure in batch.failures:
            item = job.failures.add()
            item.photo = failure.path.name.encode(errors="replace").decode()
            item.code, item.message = failure.error.code, failure.error.message
            item.name = item.photo
        history.refresh()
        if state.error is not None:
            report(self, job, state.error)
        traced = f"{len(batch.worlds)} photos traced" if len(batch.worlds) != 1 else "1 photo traced"
        failed = f", {len(batch.failures)} failed" if batch.failures else ""
        ended = ", then cancelled" if state.status == "cancelled" else ""
        self.report({"WARNING" if batch.failures else "INFO"}, f"{traced}{failed}{ended}")
        return {"FINISHED"} if batch.worlds else {"CANCELLED"}


class WT_OT_clear_failures(bpy.types.Operator):
    """Hide the list of photos that failed"""

    bl_idname = "wt.clear_failures"
    bl_label = "Clear Failures"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.world_tracing_job.failures.clear()
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((WT_OT_trace_folder, WT_OT_clear_failures))
