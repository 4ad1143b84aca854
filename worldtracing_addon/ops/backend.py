"""Set Up Backend and what belongs to it: plan, install, cancel, repair, remove, diagnostics."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import backend, background, diagnostics


class BackendOperator:
    """Starts one of the backend's tasks; the preferences show how it goes."""

    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if background.task() is not None:
            cls.poll_message_set("Something is under way; wait for it or cancel it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self.start(context)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class WT_OT_plan_backend(BackendOperator, bpy.types.Operator):
    """Look at this computer and show what would be installed and how large it is. Nothing is downloaded yet"""

    bl_idname = "wt.plan_backend"
    bl_label = "Set Up Backend"

    repair: bpy.props.BoolProperty(
        name="Repair", description="Delete the environment and make it anew", options={"SKIP_SAVE"}
    )

    def start(self, _context: bpy.types.Context) -> None:
        backend.dismiss()
        backend.start_planning(repair=self.repair)


class WT_OT_set_up_backend(BackendOperator, bpy.types.Operator):
    """Download and install what is shown, in the background"""

    bl_idname = "wt.set_up_backend"
    bl_label = "Install"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        plan = backend.plan()
        if plan is None:
            cls.poll_message_set("Click Set Up Backend first")
            return False
        if plan.needs_network and not bpy.app.online_access:
            cls.poll_message_set("Allow Online Access in the preferences, System; or choose a folder of wheels")
            return False
        return super().poll(context)

    def start(self, _context: bpy.types.Context) -> None:
        backend.start_set_up(backend.plan(), backend.repairs())


class WT_OT_dismiss_backend(bpy.types.Operator):
    """Do not install it, or hide this message"""

    bl_idname = "wt.dismiss_backend"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        backend.dismiss()
        return {"FINISHED"}


class WT_OT_cancel_backend(bpy.types.Operator):
    """Stop; what was done and downloaded so far is kept, and the next time goes on from there"""

    bl_idname = "wt.cancel_backend"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        background.cancel()
        return {"FINISHED"}


class WT_OT_remove_backend(BackendOperator, bpy.types.Operator):
    """Delete the backend environment from the disk. Models stay"""

    bl_idname = "wt.remove_backend"
    bl_label = "Remove"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def start(self, _context: bpy.types.Context) -> None:
        backend.start_removal()


class WT_OT_copy_diagnostics(bpy.types.Operator):
    """Copy versions, the backend's state and the ends of the logs to the clipboard, without names and passwords"""

    bl_idname = "wt.copy_diagnostics"
    bl_label = "Copy Diagnostics"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = diagnostics.diagnostics()
        self.report({"INFO"}, "Diagnostics copied to the clipboard")
        return {"FINISHED"}


register, unregister = bpy.utils.register_classes_factory(
    (
        WT_OT_plan_backend,
        WT_OT_set_up_backend,
        WT_OT_dismiss_backend,
        WT_OT_cancel_backend,
        WT_OT_remove_backend,
        WT_OT_copy_diagnostics,
    )
)
