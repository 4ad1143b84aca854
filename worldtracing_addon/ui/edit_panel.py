"""The panel of scene editing."""

from __future__ import annotations

import bpy

from .. import models
from ..scene.describing import detector_in_use
from ..scene.repainting import known_painters
from ..scene.segmentation import BUILT_IN, known_segmenters
from ..scene.worlds import active_world
from .common import SidebarPanel, draw_text, split


class WT_PT_edit(SidebarPanel, bpy.types.Panel):
    bl_label = "Objects"
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
        _draw_segmenter(layout, context, edit)
        row = layout.row(align=True)
        row.operator("wt.merge_objects", icon="AUTOMERGE_ON")
        row.operator("wt.split_object", icon="MOD_EXPLODE")
        row = layout.row(align=True)
        row.operator("wt.put_back", icon="LOOP_BACK").everything = False
        row.operator("wt.put_back", text="Everything").everything = True
        row = layout.row(align=True)
        row.operator("wt.remove_object", icon="X")
        row.operator("wt.replace_object", icon="FILE_REFRESH")
        row = layout.row(align=True)
        row.operator("wt.insert_object", icon="CURSOR")
        row.operator("wt.insert_on_support", icon="RESTRICT_SELECT_OFF")
        _draw_painter(layout, context)
        layout.operator("wt.align_ground", icon="VIEW_PERSPECTIVE")
        row = layout.row(align=True)
        row.prop(edit, "command", text="", icon="CONSOLE")
        row.operator("wt.run_command", text="", icon="PLAY").text = ""
        draw_text(layout, context, edit.answer)
        detector = detector_in_use()
        if detector is not None:
            said = f"Objects are found by description with {detector.label}. License: {detector.licence}"
            draw_text(layout, context, said, icon="INFO")


def _draw_segmenter(layout: bpy.types.UILayout, context: bpy.types.Context, edit: bpy.types.PropertyGroup) -> None:
    """The choice, and its license, or what it lacks here."""
    split(layout.column()).prop(edit, "segmenter")
    info, problem = next(known for known in known_segmenters() if known[0].name == edit.segmenter)
    if problem:
        draw_text(layout, context, problem, icon="ERROR")
        if models.can_fetch(info.name):
            layout.operator("wt.fetch_model", icon="IMPORT").model = info.name
    elif info.name != BUILT_IN:
        draw_text(layout, context, f"License: {info.licence}", icon="INFO")


def _draw_painter(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Repaint, the choice of painter, and its license, or what it lacks here."""
    choice = context.window_manager.world_tracing_repaint
    layout.operator("wt.repaint", icon="BRUSH_DATA")
    column = split(layout.column(align=True))
    column.prop(choice, "painter")
    column.prop(choice, "seed")
    info, problem = next((known for known in known_painters() if known[0].name == choice.painter_name), (None, ""))
    if problem:
        draw_text(layout, context, problem, icon="ERROR")
    elif info is not None and info.generative:
        draw_text(layout, context, f"License: {info.licence}", icon="INFO")


register, unregister = bpy.utils.register_classes_factory((WT_PT_edit,))
