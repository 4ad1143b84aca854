"""A 3D viewport: looking through a world's camera, in its colors."""

from __future__ import annotations

import bpy

COLORED_SHADING = {"MATERIAL", "RENDERED"}


def show_through_camera(context: bpy.types.Context, scene: bpy.types.Scene) -> None:
    """Let the 3D viewport of `context` look through `scene`'s camera, shaded so that points have the photo's colors.

    Nothing happens where `context` is no 3D viewport, or shows another scene.
    """
    space = context.space_data
    if space is None or space.type != "VIEW_3D" or context.scene != scene:
        return
    space.region_3d.view_perspective = "CAMERA"
    if space.shading.type not in COLORED_SHADING:
        space.shading.type = "MATERIAL"  # Solid can show an object's own color, but not by itself
