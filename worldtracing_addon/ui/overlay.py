"""What is drawn over a 3D viewport while two points are measured."""

from __future__ import annotations

import bpy
from mathutils import Vector

COLOR = (1.0, 0.55, 0.0, 1.0)
POINT_PIXELS, LINE_PIXELS = 10.0, 2.0


class LineOverlay:
    """Two points and the line between them, in the scene; `remove` must be called at the end."""

    def __init__(self) -> None:
        self._points: list[Vector] = []
        self._handle = None

    def show(self, area: bpy.types.Area, first: Vector | None, second: Vector | None) -> None:
        """Draw these points from now on; None leaves one out."""
        self._points = [point.copy() for point in (first, second) if point is not None]
        if self._handle is None:
            self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (area,), "WINDOW", "POST_VIEW")
        area.tag_redraw()

    def remove(self, area: bpy.types.Area) -> None:
        """Draw nothing any more."""
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
        area.tag_redraw()

    def _draw(self, area: bpy.types.Area) -> None:
        import gpu  # not there without a window
        from gpu_extras.batch import batch_for_shader

        if bpy.context.area != area or not self._points:
            return
        points = [tuple(point) for point in self._points]
        gpu.state.depth_test_set("NONE")
        gpu.state.blend_set("ALPHA")
        gpu.state.point_size_set(POINT_PIXELS)
        shader = gpu.shader.from_builtin("POINT_UNIFORM_COLOR")
        shader.uniform_float("color", COLOR)
        batch_for_shader(shader, "POINTS", {"pos": points}).draw(shader)
        if len(points) == 2:
            shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
            shader.uniform_float("color", COLOR)
            shader.uniform_float("lineWidth", LINE_PIXELS)
            shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
            batch_for_shader(shader, "LINES", {"pos": points}).draw(shader)
        gpu.state.point_size_set(1)
        gpu.state.blend_set("NONE")
