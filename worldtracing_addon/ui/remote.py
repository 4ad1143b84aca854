"""What the preferences show of the worker on another computer. Draws, nothing else."""

from __future__ import annotations

import bpy

from .. import background, remote
from ..core.remote import ConnectionTest, Meeting
from .common import draw_text, split


def draw_remote(layout: bpy.types.UILayout, context: bpy.types.Context, preferences) -> None:
    """Address, token, and how the last test went."""
    draw_text(layout, context, "With an address, traces and meshes run on that computer, which gets the photos")
    split(layout)
    layout.prop(preferences, "remote_worker", text="Address")
    layout.prop(preferences, "remote_token")
    row = layout.row(align=True)
    row.operator("wt.check_remote_worker", icon="LINKED")
    row.operator("wt.copy_server_command", icon="COPYDOWN")
    if isinstance(background.task(), ConnectionTest):
        layout.label(text=f"Connecting to {preferences.remote_worker}", icon="SORTTIME")
    elif meeting := remote.last_check():
        _draw_meeting(layout, context, meeting)


def _draw_meeting(layout: bpy.types.UILayout, context: bpy.types.Context, meeting: Meeting) -> None:
    if meeting.error is not None:
        box = layout.box()
        box.alert = True
        draw_text(box, context, f"{meeting.error.message} {meeting.error.fix}", icon="ERROR")
        box.label(text=meeting.error.code)
        return
    worker = meeting.worker
    text = f"World Tracing {worker.version} answers, with {', '.join(worker.engines)}"
    draw_text(layout, context, f"{text}; it is busy now" if worker.busy else text, icon="CHECKMARK")
