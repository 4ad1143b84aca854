"""The sidebar tab "World Tracing" in the 3D viewport: what to trace and how. Panels draw, nothing else."""

from __future__ import annotations

import bpy

from ..core.fixes import fix_for
from ..core.quality import QUALITIES, choices, has_resolution
from ..preferences import remote_worker
from .common import SidebarPanel, draw_text, split


class WT_PT_trace(SidebarPanel, bpy.types.Panel):
    bl_label = "Trace World"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.world_tracing
        job = context.window_manager.world_tracing_job
        layout.row().prop(settings, "mode", expand=True)
        layout.template_ID_preview(settings, "image", open="image.open", rows=3, cols=4)
        button = layout.row()
        button.scale_y = 1.5
        button.operator("wt.trace_world", icon="PLAY")
        if address := remote_worker():
            layout.label(text=f"Runs on {address}", icon="NETWORK_DRIVE")
        if job.running:
            _draw_progress(layout, job)
        if job.error_code:
            _draw_error(layout, context, job, settings.mask is not None)


class WT_PT_options(SidebarPanel, bpy.types.Panel):
    bl_label = "Options"
    bl_parent_id = "WT_PT_trace"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = split(self.layout)
        settings = context.scene.world_tracing
        info = settings.engine_info()
        layout.prop(settings, "engine")
        if info is not None:
            _draw_quality(layout, settings, info)
            for name in ("model", "steps", "precision"):
                if name in info.options:
                    layout.prop(settings, name)
            if has_resolution(info):
                layout.prop(settings, "resolution")
        noisy = info is not None and info.draws_noise
        column = layout.column(align=True)
        column.enabled = noisy
        column.prop(settings, "seed")
        column.prop(settings, "seeds")
        if not noisy:
            draw_text(layout, context, "This engine draws no noise: every seed gives the same world", icon="INFO")
        layout.separator()
        layout.prop(settings, "mask")
        row = layout.row(heading="Field of View")
        row.prop(settings, "use_fov", text="")
        value = row.row()
        value.active = settings.use_fov
        value.prop(settings, "fov", text="")
        layout.prop(settings, "match_photo")


class WT_PT_batch(SidebarPanel, bpy.types.Panel):
    bl_label = "Batch"
    bl_parent_id = "WT_PT_trace"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        job = context.window_manager.world_tracing_job
        layout.operator("wt.trace_folder", text="Trace Folder...", icon="FILE_FOLDER")
        if not job.failures:
            return
        box = layout.box()
        row = box.row()
        row.label(text=f"Failed: {len(job.failures)}", icon="ERROR")
        row.operator("wt.clear_failures", text="", icon="X", emboss=False)
        for failure in job.failures[:20]:
            draw_text(box, context, f"{failure.photo}: {failure.message} {failure.code}")
        if len(job.failures) > 20:
            box.label(text=f"and {len(job.failures) - 20} more")


def _draw_quality(layout: bpy.types.UILayout, settings, info) -> None:
    row = layout.row(align=True)
    for name, quality in QUALITIES.items():
        wanted = choices(quality, info)
        chosen = all(getattr(settings, key) == value for key, value in wanted.items())
        row.operator("wt.set_quality", text=quality.label, depress=chosen).quality = name


def _draw_progress(layout: bpy.types.UILayout, job) -> None:
    row = layout.row(align=True)
    row.progress(factor=job.fraction, text=job.text, type="BAR")
    row.operator("wt.cancel_trace", text="", icon="CANCEL")


def _draw_error(layout: bpy.types.UILayout, context: bpy.types.Context, job, mask_given: bool) -> None:
    box = layout.box()
    box.alert = True
    draw_text(box, context, f"{job.error_message} {job.error_fix}", icon="ERROR")
    row = box.row()
    row.label(text=job.error_code)
    fix = fix_for(job.error_code, mask_given, job.work)
    if fix is not None:
        row.operator("wt.fix_error", text=fix.label)
    row.operator("wt.clear_error", text="", icon="X")


register, unregister = bpy.utils.register_classes_factory((WT_PT_trace, WT_PT_options, WT_PT_batch))
