"""The worker on another computer: Test Connection and Copy Server Command."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import preferences, remote
from .backend import BackendOperator


class WT_OT_check_remote_worker(BackendOperator, bpy.types.Operator):
    """Connect to the other computer and see whether its worker answers and knows the token. Nothing is traced"""

    bl_idname = "wt.check_remote_worker"
    bl_label = "Test Connection"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not preferences.remote_worker():
            cls.poll_message_set("Give the other computer's address first")
            return False
        return super().poll(context)

    def start(self, _context: bpy.types.Context) -> None:
        remote.start_check()


class WT_OT_copy_server_command(bpy.types.Operator):
    """Copy the command that lets other computers trace on this one. Paste it into a terminal"""

    bl_idname = "wt.copy_server_command"
    bl_label = "Copy Server Command"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            context.window_manager.clipboard = remote.server_command()
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, "Command copied to the clipboard")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory((WT_OT_check_remote_worker, WT_OT_copy_server_command))
