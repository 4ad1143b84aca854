"""The sidebar tab "World Tracing" in the 3D viewport. Panels draw, nothing else."""

from __future__ import annotations

from textwrap import wrap

import bpy

from ..core.fixes import fix_for
from ..properties import WT_DIT
from ..scene.render import matches_photo
from ..scene.worlds import active_world


class _SidebarPanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "World Tracing"


class WT_PT_trace(_SidebarPanel, bpy.types.Panel):
    bl_label = "Trace World"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.world_tracing
        job = context.window_manager.world_tracing_job
        layout.row().prop(settings, "mode", expand=True)
        layout.template_ID(settings, "image", open="image.open")
        button = layout.row()
        button.scale_y = 1.5
        button.operator("wt.trace_world", icon="PLAY")
        if job.running:
            _draw_progress(layout, job)
        if job.error_code:
            _draw_error(layout, job, context.region.width, settings.mask is not None)


class WT_PT_options(_SidebarPanel, bpy.types.Panel):
    bl_label = "Options"
    bl_parent_id = "WT_PT_trace"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.world_tracing
        layout.prop(settings, "engine")
        if settings.engine_name == WT_DIT:
            for name in ("model", "steps", "seeds", "precision"):
                layout.prop(settings, name)
        else:  # networks have an input size of their own
            layout.prop(settings, "resolution")
        layout.prop(settings, "seed")
        layout.prop(settings, "mask")
        row = layout.row(heading="Field of View")
        row.prop(settings, "use_fov", text="")
        value = row.row()
        value.active = settings.use_fov
        value.prop(settings, "fov", text="")
        layout.prop(settings, "match_photo")


class WT_PT_world(_SidebarPanel, bpy.types.Panel):
    bl_label = "Traced World"
    bl_parent_id = "WT_PT_trace"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        world = active_world(context)
        if world is None:
            layout.label(text="Nothing is traced yet")
            return
        layout.label(text=world.name, icon="OUTLINER_OB_EMPTY")
        row = layout.row(align=True)
        row.operator("wt.set_display", text="Points", icon="OUTLINER_OB_POINTCLOUD").display = "Points"
        row.operator("wt.set_display", text="Surface", icon="OUTLINER_OB_SURFACE").display = "Surface"
        row = layout.row(align=True)
        row.operator("wt.set_lit", text="Unlit", icon="SHADING_TEXTURE").lit = False
        row.operator("wt.set_lit", text="Lit", icon="LIGHT_SUN").lit = True
        column = layout.column(align=True)
        for layer in world.layers:
            line = column.row(align=True)
            line.label(text=layer.name, icon="POINTCLOUD_DATA")
            line.prop(layer, "hide_viewport", text="", emboss=False)
            line.prop(layer, "hide_render", text="", emboss=False)
        row = layout.row(align=True)
        row.operator("wt.look_through", icon="CAMERA_DATA")
        row.operator("wt.match_photo", icon="COLOR", depress=matches_photo(context.scene))
        layout.operator("wt.remove_world", icon="TRASH")


def _draw_progress(layout: bpy.types.UILayout, job) -> None:
    row = layout.row(align=True)
    row.progress(factor=job.fraction, text=job.text, type="BAR")
    row.operator("wt.cancel_trace", text="", icon="CANCEL")


def _draw_error(layout: bpy.types.UILayout, job, region_width: int, mask_given: bool) -> None:
    box = layout.box()
    box.alert = True
    characters = max(20, int(region_width / (8 * bpy.context.preferences.system.ui_scale)))
    for index, line in enumerate(wrap(f"{job.error_message} {job.error_fix}", characters)):
        box.label(text=line, icon="ERROR" if index == 0 else "BLANK1")
    row = box.row()
    row.label(text=job.error_code)
    fix = fix_for(job.error_code, mask_given)
    if fix is not None:
        row.operator("wt.fix_error", text=fix.label)
    row.operator("wt.clear_error", text="", icon="X")


register, unregister = bpy.utils.register_classes_factory((WT_PT_trace, WT_PT_options, WT_PT_world))
