"""The saved traces."""

from __future__ import annotations

import bpy

from .. import history
from .common import SidebarPanel


class WT_UL_traces(bpy.types.UIList):
    """The saved traces, newest first"""

    def draw_item(self, _context, layout, _data, item, _icon, _active_data, _active_property) -> None:
        row = layout.row()
        row.label(text=item.name, icon="IMAGE_DATA")
        row.label(text=item.when.partition("-")[2])  # without the year, for want of room


class WT_PT_history(SidebarPanel, bpy.types.Panel):
    bl_label = "History"
    bl_parent_id = "WT_PT_trace"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        history.ensure()
        layout = self.layout
        saved = context.window_manager.world_tracing_history
        if not saved.traces:
            row = layout.row()
            row.label(text="No traces are saved yet")
            row.operator("wt.refresh_history", text="", icon="FILE_REFRESH")
            return
        row = layout.row()
        row.template_list("WT_UL_traces", "", saved, "traces", saved, "index", rows=4)
        column = row.column(align=True)
        column.operator("wt.refresh_history", text="", icon="FILE_REFRESH")
        column.operator("wt.show_trace_folder", text="", icon="FILE_FOLDER")
        column.operator("wt.remove_trace", text="", icon="TRASH")
        if saved.index < len(saved.traces):
            trace = saved.traces[saved.index]
            layout.label(text=trace.label)
            layout.label(text=f"{trace.when}, {trace.size}")
        row = layout.row(align=True)
        row.operator("wt.rebuild_trace", icon="LOOP_BACK")
        row.operator("wt.use_trace_settings", icon="PRESET")


register, unregister = bpy.utils.register_classes_factory((WT_UL_traces, WT_PT_history))
