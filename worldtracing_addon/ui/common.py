"""What the panels of the sidebar tab share."""

from __future__ import annotations

from textwrap import wrap

import bpy

from ...backend.worldtracing.meshing.base import Health

CHARACTER_PIXELS = 8
"""Width of a character on average, at a resolution scale of 1."""


class SidebarPanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "World Tracing"


def draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Wrapped text; labels alone would be cut off."""
    scale = context.preferences.system.ui_scale
    characters = max(20, int(context.region.width / (CHARACTER_PIXELS * scale)))
    column = layout.column(align=True)
    for index, line in enumerate(wrap(text, characters)):
        column.label(text=line, icon=icon if index == 0 or icon == "NONE" else "BLANK1")


def draw_health(layout: bpy.types.UILayout, context: bpy.types.Context, health: Health | None) -> None:
    """Whether a mesh generator can run, once that is known."""
    if health is not None:
        text = f"{health.message} {health.fix}".strip()
        draw_text(layout, context, text, icon="CHECKMARK" if health.ok else "ERROR")


def split(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """Names left, values right, and no dots for keyframes."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout
