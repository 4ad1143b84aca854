"""What is drawn over a 3D viewport while points are measured or a box is dragged in it."""

from __future__ import annotations

from math import cos, pi, sin

import bpy
from mathutils import Vector

COLOR = (1.0, 0.55, 0.0, 1.0)
RING_PIXELS, LINE_PIXELS = 6.0, 2.0
RING = [(RING_PIXELS * cos(k * pi / 8), RING_PIXELS * sin(k * pi / 8)) for k in range(17)]


def is_open(area: bpy.types.Area) -> bool:
    """Whether a 3D viewport is still there; Blender crashes where one that was closed is asked for anything."""
    screens = (window.screen for window in bpy.context.window_manager.windows)
    return any(area == other and other.type == "VIEW_3D" for screen in screens for other in screen.areas)


class Overlay:
    """Lines over a 3D viewport; `remove` must be called at the end."""

    def __init__(self, area: bpy.types.Area) -> None:
        """area: a 3D viewport, which the user may close meanwhile."""
        self._area = area
        self._handle = None

    def lines(self, context: bpy.types.Context) -> list[list[tuple[float, float, float]]]:
        """What to draw, in pixels of the region."""
        raise NotImplementedError

    def _start(self) -> None:
        if self._handle is None:
            self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        self._redraw()

    def remove(self) -> None:
        """Draw nothing any more."""
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
        self._redraw()

    def _redraw(self) -> None:
        if is_open(self._area):
            self._area.tag_redraw()

    def _draw(self) -> None:
        import gpu  # not there without a window
        from gpu_extras.batch import batch_for_shader

        context = bpy.context
        if context.area != self._area:
            return
        shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
        shader.uniform_float("color", COLOR)
        shader.uniform_float("lineWidth", LINE_PIXELS)
        shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
        for line in self.lines(context):
            if len(line) > 1:
                batch_for_shader(shader, "LINE_STRIP", {"pos": line}).draw(shader)


class LineOverlay(Overlay):
    """Rings around two points of the scene and the line between them."""

    def __init__(self, area: bpy.types.Area) -> None:
        super().__init__(area)
        self._points: list[Vector] = []

    def show(self, first: Vector | None, second: Vector | None) -> None:
        """Draw these points from now on; None leaves one out."""
        self._points = [point.copy() for point in (first, second) if point is not None]
        self._start()

    def lines(self, context: bpy.types.Context) -> list[list[tuple[float, float, float]]]:
        """See `Overlay.lines`."""
        from bpy_extras.view3d_utils import location_3d_to_region_2d

        places = [location_3d_to_region_2d(context.region, context.region_data, point) for point in self._points]
        places = [place for place in places if place is not None]  # behind the viewer
        rings = [[(place.x + x, place.y + y, 0.0) for x, y in RING] for place in places]
        return [*rings, [(place.x, place.y, 0.0) for place in places]]


class BoxOverlay(Overlay):
    """A rectangle between two corners."""

    def show(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw it between these pixels of the region from now on."""
        self._corners = start, end
        self._start()

    def lines(self, _context: bpy.types.Context) -> list[list[tuple[float, float, float]]]:
        """See `Overlay.lines`."""
        (x0, y0), (x1, y1) = self._corners
        return [[(x, y, 0.0) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))]]
