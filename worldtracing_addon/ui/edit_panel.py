"""The panel of scene editing."""

from __future__ import annotations

from textwrap import wrap

import bpy

from ..scene.worlds import active_world


class WT_PT_edit(bpy.types.Panel):
    bl_label = "Objects"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "World Tracing"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_world(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        edit = context.window_manager.world_tracing_edit
        row = layout.row(align=True)
        row.operator("wt.lift_object", icon="EYEDROPPER")
        row.operator("wt.find_objects", icon="VIEWZOOM")
        row = layout.row(align=True)
        row.operator("wt.put_back", icon="LOOP_BACK").everything = False
        row.operator("wt.put_back", text="Everything").everything = True
        row = layout.row(align=True)
        row.operator("wt.remove_object", icon="X")
        row.operator("wt.replace_object", icon="FILE_REFRESH")
        row = layout.row(align=True)
        row.operator("wt.insert_object", icon="CURSOR")
        row.operator("wt.align_ground", icon="VIEW_PERSPECTIVE")
        row = layout.row(align=True)
        row.prop(edit, "command", text="", icon="CONSOLE")
        row.operator("wt.run_command", text="", icon="PLAY").text = ""
        characters = max(20, int(context.region.width / (8 * context.preferences.system.ui_scale)))
        for line in wrap(edit.answer, characters):
            layout.label(text=line)


register, unregister = bpy.utils.register_classes_factory((WT_PT_edit,))
