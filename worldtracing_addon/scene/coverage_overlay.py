"""The overlay that shows, in red, where the view of a 3D viewport would see nothing of the traced world."""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from .coverage import missing_in_view, splat_size, splats_of
from .objects import matrix_of
from .worlds import active_world

COLOR = (0.9, 0.1, 0.05, 0.45)

_HANDLERS = (bpy.app.handlers.depsgraph_update_post, bpy.app.handlers.load_post)

_handle = None
_splats: dict[str, object] = {}
"""By world id; dropped at every change of the scene, and when a file is opened."""


def is_shown() -> bool:
    """Whether the overlay is on."""
    return _handle is not None


def show(on: bool) -> None:
    """Switch the overlay on or off in all 3D viewports."""
    global _handle
    if on and _handle is None:
        _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")
        for handlers in _HANDLERS:
            handlers.append(_forget)
    elif not on and _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        for handlers in _HANDLERS:
            handlers.remove(_forget)
        _splats.clear()
        _handle = None


def overlay_pixels(missing: np.ndarray) -> np.ndarray:
    """(H, W, 4) float32 with rows from the bottom: the overlay's color at the pixels `missing`, rows from the top."""
    return missing[::-1, :, None] * np.float32(COLOR)


@bpy.app.handlers.persistent
def _forget(*_) -> None:
    _splats.clear()


def _draw() -> None:
    context = bpy.context
    world = active_world(context)
    if world is None or world.root is None:
        return
    if world.id not in _splats:
        _splats[world.id] = splats_of(world)
    region = context.region
    size = splat_size(world, region.width, region.height)
    view = np.array(context.region_data.perspective_matrix @ matrix_of(world.root))
    _draw_picture(overlay_pixels(missing_in_view(_splats[world.id], view, size)), region.width, region.height)


def _draw_picture(pixels: np.ndarray, width: int, height: int) -> None:
    rows, columns = pixels.shape[:2]
    buffer = gpu.types.Buffer("FLOAT", pixels.size, np.ascontiguousarray(pixels).reshape(-1))
    texture = gpu.types.GPUTexture((columns, rows), format="RGBA32F", data=buffer)
    shader = gpu.shader.from_builtin("IMAGE")
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    shape = {"pos": [(x * width, y * height) for x, y in corners], "texCoord": corners}
    batch = batch_for_shader(shader, "TRIS", shape, indices=((0, 1, 2), (0, 2, 3)))
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_sampler("image", texture)
    batch.draw(shader)
    gpu.state.blend_set("NONE")
