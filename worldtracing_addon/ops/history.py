"""Saved traces: build one again, take over its settings, show its folder, delete it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api, history
from ..saved import build_saved, prepare_saved, replaced_by
from ..scene.visibility import set_shown
from ..scene.worlds import WorldObjects
from .waiting import PreparesOnce
from .world import refuses_edit_mode


class _SavedTraceOperator:
    """Works on the saved trace `path`, or without it on the one chosen in the panel."""

    builds = False  # changes objects, which Edit Mode forbids
    path: bpy.props.StringProperty(
        name="File",
        description="The file of the saved trace; without one, that chosen in the history",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.window_manager.world_tracing_job.running:
            cls.poll_message_set("A trace is running; wait for it or cancel it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        if self.builds and refuses_edit_mode(self, context):
            return {"CANCELLED"}
        path = self.chosen(context)
        if not path:
            self.report({"WARNING"}, "Choose a trace in the history first")
            return {"CANCELLED"}
        try:
            said = self.work_on(context, Path(path))
        except WorldTracingError as error:
            if error.code == "WT-IO-READ":
                history.refresh()  # it is gone, and should not be offered again
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if said:
            self.report({"INFO"}, said)
        return {"FINISHED"}

    def chosen(self, context: bpy.types.Context) -> str:
        """The file to work on, "" for none."""
        listed = context.window_manager.world_tracing_history
        chosen = listed.traces[listed.index].path if listed.index < len(listed.traces) else ""
        return bpy.path.abspath(self.path) or chosen


class WT_OT_rebuild_trace(PreparesOnce, _SavedTraceOperator, bpy.types.Operator):
    """Build the saved trace again, in the place of the world that was traced from the same photo"""

    bl_idname = "wt.rebuild_trace"
    bl_label = "Rebuild"
    bl_options = {"REGISTER", "UNDO"}
    waiting_text = "Reading the trace. ESC: cancel"
    builds = True

    def world(self, context: bpy.types.Context) -> WorldObjects | None:
        try:
            return replaced_by(Path(self.chosen(context)), context.scene)
        except WorldTracingError:  # executing will say so
            return None

    def about(self, context: bpy.types.Context) -> Hashable:
        return PreparesOnce.about(self, context), self.chosen(context)

    def prepare(self, context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        return prepare_saved(Path(self.chosen(context)), world)

    def work_on(self, context: bpy.types.Context, path: Path) -> str:
        world = build_saved(path, context.scene, prepared=self.take_prepared())
        set_shown(world, True)
        if context.scene.camera == world.camera:
            api.look_through(context, world)
        return f"Built {world.name} from {path.name}"


class WT_OT_use_trace_settings(_SavedTraceOperator, bpy.types.Operator):
    """Set engine, mode, seed and all other options to those of the saved trace"""

    bl_idname = "wt.use_trace_settings"
    bl_label = "Use Settings"
    bl_options = {"REGISTER", "UNDO"}

    def work_on(self, context: bpy.types.Context, path: Path) -> str:
        left = api.use_settings(context.scene, path)
        return f"Not offered here, and left as they were: {', '.join(left)}" if left else "Settings taken over"


class WT_OT_show_trace_folder(_SavedTraceOperator, bpy.types.Operator):
    """Open the folder of the saved trace in the system's file manager"""

    bl_idname = "wt.show_trace_folder"
    bl_label = "Show Folder"

    def work_on(self, _context: bpy.types.Context, path: Path) -> None:
        if not path.parent.is_dir():
            raise WorldTracingError(
                "WT-IO-READ", f"There is no folder {path.parent} any more.", "Trace again, or put the folder back."
            )
        bpy.ops.wm.path_open(filepath=str(path.parent))


class WT_OT_remove_trace(_SavedTraceOperator, bpy.types.Operator):
    """Delete the saved trace and its seeds from the disk; worlds built from it stay"""

    bl_idname = "wt.remove_trace"
    bl_label = "Delete Saved Trace"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Delete Saved Trace",
            message="Its files are deleted from the disk. This cannot be undone.",
            confirm_text="Delete",
            icon="WARNING",
        )

    def work_on(self, _context: bpy.types.Context, path: Path) -> str:
        api.remove_saved(path)
        history.refresh()
        return f"Deleted {path.name}"


class WT_OT_refresh_history(bpy.types.Operator):
    """Look for saved traces again"""

    bl_idname = "wt.refresh_history"
    bl_label = "Refresh"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        history.refresh()
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (WT_OT_rebuild_trace, WT_OT_use_trace_settings, WT_OT_show_trace_folder, WT_OT_remove_trace, WT_OT_refresh_history)
)
