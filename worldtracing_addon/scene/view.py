"""The 3D viewports of a window: looking through a world's camera, in its colors."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

COLORED_SHADING = {"MATERIAL", "RENDERED"}


def show_through_camera(context: bpy.types.Context) -> None:
    """Let the 3D viewports look through the scene's camera, shaded so that points have colors."""
    for space in _viewports(context):
        space.region_3d.view_perspective = "CAMERA"
        if space.shading.type not in COLORED_SHADING:
            space.shading.type = "MATERIAL"  # Solid draws points grey


def _viewports(context: bpy.types.Context) -> Iterator[bpy.types.SpaceView3D]:
    if context.window is None:
        return
    for area in context.window.screen.areas:
        if area.type == "VIEW_3D":
            yield area.spaces.active
