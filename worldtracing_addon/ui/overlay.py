"""What is drawn over a 3D viewport while points are measured or things are marked in it."""

from __future__ import annotations

from math import cos, pi, sin

import bpy
from mathutils import Vector

COLOR, OTHER_COLOR = (1.0, 0.55, 0.0, 1.0), (0.1, 0.45, 1.0, 1.0)
RING_PIXELS, LINE_PIXELS = 6.0, 2.0
RING = [(RING_PIXELS * cos(k * pi / 8), RING_PIXELS * sin(k * pi / 8)) for k in range(17)]

_shown: list[Overlay] = []


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

    def other_lines(self, _context: bpy.types.Context) -> list[list[tuple[float, float, float]]]:
        """What to draw in the other color."""
        return []

    def _start(self) -> None:
        if self._handle is None:
            self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
            _shown.append(self)
        self._redraw()

    def remove(self) -> None:
        """Draw nothing any more."""
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
            _shown.remove(self)
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
        shader.uniform_float("lineWidth", LINE_PIXELS)
        shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
        for color, lines in ((COLOR, self.lines(context)), (OTHER_COLOR, self.other_lines(context))):
            shader.uniform_float("color", color)
            for line in lines:
                if len(line) > 1:
                    batch_for_shader(shader, "LINE_STRIP", {"pos": line}).draw(shader)


def remove_all() -> None:
    """Remove the overlays that are shown."""
    for overlay in list(_shown):
        overlay.remove()


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
        line = _in_region(context, self._points)
        return [*map(_ring, line), line]


class MarkOverlay(Overlay):
    """A rectangle, or a line being drawn, and the marks made before: rings for clicks and lines for strokes.

    What belongs to the thing has the one color, what does not has the other.
    """

    def __init__(self, area: bpy.types.Area) -> None:
        super().__init__(area)
        self._marks: list[tuple[bool, list[Vector]]] = []
        self._drawn: tuple[bool, list[tuple[float, float]]] = True, []

    def draw_box(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Show a rectangle between these pixels of the region until something else is drawn."""
        (x0, y0), (x1, y1) = start, end
        self.draw_line([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], True)

    def draw_line(self, path: list[tuple[float, float]], positive: bool) -> None:
        """Show a line through these pixels of the region until something else is drawn."""
        self._drawn = positive, list(path)
        self._start()

    def add_mark(self, points: list[Vector], positive: bool) -> None:
        """Keep a mark at these points of the scene, instead of what is being drawn."""
        self._marks.append((positive, [point.copy() for point in points]))
        self.draw_line([], True)

    def drop_mark(self) -> None:
        """Forget the last mark."""
        self._marks.pop()
        self._redraw()

    def lines(self, context: bpy.types.Context) -> list[list[tuple[float, float, float]]]:
        """See `Overlay.lines`."""
        return self._lines_of(context, True)

    def other_lines(self, context: bpy.types.Context) -> list[list[tuple[float, float, float]]]:
        """See `Overlay.other_lines`."""
        return self._lines_of(context, False)

    def _lines_of(self, context: bpy.types.Context, positive: bool) -> list[list[tuple[float, float, float]]]:
        lines = [_in_region(context, points) for kept, points in self._marks if kept == positive]
        lines = [_ring(line[0]) if len(line) == 1 else line for line in lines]
        drawn, path = self._drawn
        return [*lines, [(x, y, 0.0) for x, y in path]] if drawn == positive else lines


def _in_region(context: bpy.types.Context, points: list[Vector]) -> list[tuple[float, float, float]]:
    """Where points of the scene are seen in the region that is drawn; those behind the viewer are left out."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    places = (location_3d_to_region_2d(context.region, context.region_data, point) for point in points)
    return [(place.x, place.y, 0.0) for place in places if place is not None]


def _ring(center: tuple[float, float, float]) -> list[tuple[float, float, float]]:
    return [(center[0] + x, center[1] + y, 0.0) for x, y in RING]
