"""The panel of novel views."""

from __future__ import annotations

import bpy

from ..scene.coverage_overlay import is_shown
from ..scene.rigs import LABELS
from ..scene.view_settings import has_view_settings
from ..scene.worlds import active_world
from .common import SidebarPanel, draw_text

ICONS = {"orbit": "ORIENTATION_GIMBAL", "arc": "CON_ROTLIKE", "dolly": "EMPTY_SINGLE_ARROW", "stereo": "CAMERA_STEREO"}


class WT_PT_views(SidebarPanel, bpy.types.Panel):
    bl_label = "Novel Views"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_world(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        grid = layout.grid_flow(columns=2, even_columns=True, align=True)
        for kind, icon in ICONS.items():
            grid.operator("wt.add_rig", text=LABELS[kind], icon=icon).kind = kind
        layout.operator("wt.fly_through", icon="CURVE_PATH")
        row = layout.row(align=True)
        row.operator("wt.suggest_range", icon="DRIVER_ROTATIONAL_DIFFERENCE")
        row.operator("wt.show_coverage", icon="OVERLAY", depress=is_shown())
        suggestion = context.window_manager.world_tracing_views.suggestion
        if suggestion:
            draw_text(layout, context, suggestion)
        row = layout.row(align=True)
        row.operator("wt.view_settings", text="Cycles", icon="SHADING_RENDERED").engine = "CYCLES"
        row.operator("wt.view_settings", text="EEVEE", icon="SHADING_RENDERED").engine = "EEVEE"
        if has_view_settings(context.scene):
            row.operator("wt.view_settings", text="", icon="LOOP_BACK").engine = "BEFORE"


register, unregister = bpy.utils.register_classes_factory((WT_PT_views,))
