"""What the preferences and the sidebar show of the backend: state, plan, progress, error."""

from __future__ import annotations

import bpy

from .. import backend, background
from ..core.backend_plan import BUILDS, BackendPlan
from ..core.tasks import Task
from ..core.text import duration
from .common import SidebarPanel, draw_text

_STATES = {
    "absent": ("Not set up: the engines that need no PyTorch work", "INFO"),
    "incomplete": ("The set-up was not finished; set up again to go on", "ERROR"),
    "broken": ("The Python that it was made with is gone; repair it", "ERROR"),
    "outdated": ("Ready; an update is available", "CHECKMARK"),
    "ready": ("Ready", "CHECKMARK"),
}


class WT_PT_backend(SidebarPanel, bpy.types.Panel):
    """There until a backend is set up, and while something is under way"""

    bl_label = "Backend"
    bl_parent_id = "WT_PT_trace"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 10

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        usable = backend.own_python() or backend.shown_state().python is not None
        return background.task() is not None or not usable

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        draw_text(layout, context, "The released models and the GPU need PyTorch, installed beside Blender")
        draw_backend(layout, context)


def draw_backend(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The state of the backend and what can be done about it."""
    if python := backend.own_python():
        draw_text(layout, context, f"Used instead: {python} (Backend Python)", icon="INFO")
    state = backend.shown_state()
    text, icon = _STATES[state.status]
    build = BUILDS.get(state.build)
    layout.label(text=f"{text} ({build.label})" if build and state.python else text, icon=icon)
    task, plan, error = background.task(), backend.plan(), background.error()
    if task is not None:
        _draw_task(layout, task)
    elif plan is not None:
        _draw_plan(layout, context, plan)
    else:
        _draw_buttons(layout, state.status)
    if error is not None and task is None:
        box = layout.box()
        box.alert = True
        draw_text(box, context, f"{error.message} {error.fix}", icon="ERROR")
        row = box.row()
        row.label(text=error.code)
        row.operator("wt.dismiss_backend", text="", icon="X")


def _draw_buttons(layout: bpy.types.UILayout, status: str) -> None:
    row = layout.row(align=True)
    if status in ("absent", "incomplete"):
        row.operator("wt.plan_backend", icon="IMPORT")
    else:
        if status == "outdated":
            row.operator("wt.plan_backend", text="Update", icon="FILE_REFRESH")
        row.operator("wt.plan_backend", text="Repair", icon="TOOL_SETTINGS").repair = True
    if status != "absent":
        row.operator("wt.remove_backend", icon="TRASH")


def _draw_plan(layout: bpy.types.UILayout, context: bpy.types.Context, plan: BackendPlan) -> None:
    box = layout.box()
    box.label(text=f"PyTorch {plan.build.label}", icon="PACKAGE")
    draw_text(box, context, plan.reason)
    size = f"About {plan.disk_gb:.1f} GB on disk" if plan.disk_gb else "Size not known"
    draw_text(box, context, f"About {plan.download_gb:.1f} GB to download. {size}" if plan.download_gb else size)
    said = "With transformers and diffusers (Apache-2.0), for models that select, find and paint; not their weights"
    draw_text(box, context, said)
    if plan.source.wheels is not None:
        draw_text(box, context, f"From {plan.source.wheels}, without any network")
    draw_text(box, context, f"Into {backend.folder()}")
    if backend.repairs():
        draw_text(box, context, "The old environment is deleted first")
    if plan.needs_network and not bpy.app.online_access:
        draw_text(box, context, "Blender is set to stay offline", icon="ERROR")
        box.prop(context.preferences.system, "use_online_access")
    row = box.row(align=True)
    row.operator("wt.set_up_backend", text="Download and Install" if plan.needs_network else "Install", icon="IMPORT")
    row.operator("wt.dismiss_backend", text="Cancel")


def _draw_task(layout: bpy.types.UILayout, task: Task) -> None:
    state = task.state
    text = "Cancelling" if state.status == "cancelling" else state.stage
    if not state.n:
        text += f", {duration(task.stage_seconds)}"
    row = layout.row(align=True)
    row.progress(factor=state.fraction, text=text, type="BAR")
    row.operator("wt.cancel_backend", text="", icon="CANCEL")
    if state.detail:
        layout.label(text=state.detail)


register, unregister = bpy.utils.register_classes_factory((WT_PT_backend,))
