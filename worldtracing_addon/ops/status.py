"""What operators say in the status bar while they run."""

from __future__ import annotations

import bpy


def set_status(context: bpy.types.Context, text: str | None) -> None:
    """Say a text in the workspace that is shown; None: Blender's own again, wherever a text was said.

    The user may have switched to another workspace since. Blender sets the text of the context's workspace, whichever
    it is called for.
    """
    context.workspace.status_text_set(text)
    for workspace in bpy.data.workspaces if text is None else ():
        with bpy.context.temp_override(workspace=workspace):
            workspace.status_text_set(None)
