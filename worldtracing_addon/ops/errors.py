"""What the panel offers after an error, and freeing the worker's memory."""

from __future__ import annotations

import bpy

from .. import preferences
from ..client import session
from ..core.fixes import fix_for


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
        fix = fix_for(job.error_code, context.scene.world_tracing.mask is not None, job.work)
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

    def _again(self, context: bpy.types.Context) -> None:
        job = context.window_manager.world_tracing_job
        options = {"targets": job.targets} if job.targets else {}
        getattr(bpy.ops.wt, job.work.removeprefix("wt."))("INVOKE_DEFAULT", **options)


class WT_OT_free_memory(bpy.types.Operator):
    """Let the worker drop the loaded network; the next trace loads it again"""

    bl_idname = "wt.free_memory"
    bl_label = "Free Memory"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        session.free_memory()
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((WT_OT_clear_error, WT_OT_fix_error, WT_OT_free_memory))
