"""What operators share that are told in the viewport which thing of a traced world is meant."""

from __future__ import annotations

from math import dist

import bpy
import numpy as np

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..scene.picking import Pick
from ..scene.worlds import WorldObjects, active_world
from ..ui.overlay import MarkOverlay, is_open
from .viewport import ViewportClicks
from .waiting import WaitsForWork, begin
from .world import WorldOperator

DRAG_PIXELS = 6
"""The mouse may move so far between press and release of a click; farther drags a box or draws a stroke."""

STROKE_SPOTS = 48
"""Places of a stroke that are looked up among the points; a long one has more."""

NOTHING = "There is no point of the traced world there"

KEYS = (
    "SHIFT and click or draw: this as well. CTRL: not this. ENTER: take what is marked. BACKSPACE: unmark. ESC: cancel"
)


class MarkOperator(WaitsForWork, WorldOperator):
    """Waits for a click on the thing, or for a box around it; marks made before with Shift or Ctrl count too.

    Marks alone are enough, with Enter. While the user aims, the world is divided in a thread.
    """

    hint = ""
    waiting_text = "Finding the object. ESC: cancel"

    x: bpy.props.FloatProperty(name="X", description="Column in the traced picture", min=0)
    y: bpy.props.FloatProperty(
        name="Y", description="Row in the traced picture, from the top; X and Y zero: only what More Marks has", min=0
    )
    more: bpy.props.StringProperty(
        name="More Marks",
        description="Columns and rows of what belongs to it too, or with a minus first, does not: two numbers for a "
        "click, more for a stroke: 9 9, 20 30 24 30, -5 2",
    )
    box: bpy.props.FloatVectorProperty(
        name="Box",
        description="Left, top, right and bottom in the traced picture, instead of X and Y; all zero for none",
        size=4,
        min=0,
    )

    def boxed_part(self, context: bpy.types.Context, world: WorldObjects) -> bpy.types.Object | None:
        """The object whose points a box chooses from; None where the artist deleted it."""
        raise NotImplementedError

    def answer(self, context: bpy.types.Context, world: WorldObjects, found: Pick) -> str:
        """Why the operator is not for what was clicked, "" where it is."""
        raise NotImplementedError

    def prompts(self) -> list[api.Box | api.Click | api.Stroke]:
        """What was marked.

        Raises:
            WorldTracingError: WT-SCENE-PROMPT where a script gave other marks than numbers in pairs.
        """
        more = [_mark(text) for text in map(str.strip, self.more.split(",")) if text]
        if any(self.box):
            return [api.Box(*self.box), *more]
        return more if more and not (self.x or self.y) else [api.Click(self.x, self.y), *more]

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        world = active_world(context)
        if world is None or not ViewportClicks.possible(context):
            return self.execute(context)
        try:
            self.boxed_part(context, world)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._clicks, self._overlay = ViewportClicks(context, f"{self.hint}. {KEYS}"), MarkOverlay(context.area)
        self._region, self._path, self._mouse = None, [], None
        self.x, self.y, self.more, self.box = 0, 0, "", (0, 0, 0, 0)
        begin(self.work_of(context, api.prepare_objects))
        context.window_manager.modal_handler_add(self)
        context.window.cursor_modal_set("EYEDROPPER")
        return {"RUNNING_MODAL"}

    def aim(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take clicks, boxes and strokes until the thing is told."""
        world = active_world(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or world is None or not is_open(self._clicks.area):
            self.cancel(context)
            return {"CANCELLED"}
        if self._path:
            return self._drag(context, world, event)
        if self.more and event.value == "PRESS":
            if event.type in {"RET", "NUMPAD_ENTER"}:
                self.cancel(context)
                return self.wait(context)
            if event.type == "BACK_SPACE" or (event.type == "Z" and event.ctrl):
                self.more = self.more.rpartition(",")[0]
                self._overlay.drop_mark()
                return {"RUNNING_MODAL"}
        self._region = self._clicks.region(event)
        if event.type == "MOUSEMOVE":
            self._mouse = event.mouse_x, event.mouse_y
        if event.type != "LEFTMOUSE" or event.value != "PRESS" or self._region is None:
            return {"PASS_THROUGH"}  # the viewport can be turned meanwhile
        # Where a viewport draws slowly, the event of a press comes with the place to which the mouse has gone since.
        x, y = self._mouse or (event.mouse_x, event.mouse_y)
        self._path, self._mouse = [(x - self._region.x, y - self._region.y)], None
        self._adds, self._positive = event.shift or event.ctrl, not event.ctrl
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when it ends the operator to load a file or to quit."""
        self.end_wait(context)
        self._overlay.remove()
        self._clicks.end(context)
        context.window.cursor_modal_restore()

    def _drag(self, context: bpy.types.Context, world: WorldObjects, event: bpy.types.Event) -> set[str]:
        """Follow the mouse while its button is held: a stroke with Shift or Ctrl, a box without, or just a click."""
        self._path.append(self._clicks.place(event, self._region))
        start, end = self._path[0], self._path[-1]
        dragged = max(dist(start, place) for place in (self._path if self._adds else [end])) > DRAG_PIXELS
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            path, self._path = self._path, []
            if self._adds:
                return self._marked(world, _thinned(path) if dragged else [end])
            self.cancel(context)
            return self._boxed(context, world, start, end) if dragged else self._clicked(context, world, event)
        if dragged and self._adds:
            self._overlay.draw_line(self._path, self._positive)
        elif dragged:
            self._overlay.draw_box(start, end)
        return {"RUNNING_MODAL"}

    def _marked(self, world: WorldObjects, places: list[tuple[float, float]]) -> set[str]:
        found = [pick for pick in self._clicks.picks(places, self._region, world) if pick is not None]
        # Of what is hidden the picture shows only what is in front of it.
        found = [pick for pick in found if pick.layer == 0] or found
        if found:
            pixels = " ".join(f"{x:g} {y:g}" for x, y in (pick.pixel for pick in found))
            self.more += f"{', ' if self.more else ''}{'' if self._positive else '-'}{pixels}"
            self._overlay.add_mark([pick.place for pick in found], self._positive)
        else:
            self._overlay.draw_line([], True)
            self.report({"INFO"}, NOTHING)
        return {"RUNNING_MODAL"}

    def _clicked(self, context: bpy.types.Context, world: WorldObjects, event: bpy.types.Event) -> set[str]:
        found = self._clicks.pick(event, world)
        if found is None:
            return self._nothing()
        refusal = self.answer(context, world, found)
        if refusal:
            self.report({"INFO"}, refusal)
            return {"FINISHED"}
        self.x, self.y = found.pixel
        return self.wait(context)

    def _boxed(self, context: bpy.types.Context, world: WorldObjects, start, end) -> set[str]:
        part = self.boxed_part(context, world)
        box = part and self._clicks.box(part, self._region, start, end)
        if box is None:
            return self._nothing()
        self.box = box.x0, box.y0, box.x1, box.y1
        return self.wait(context)

    def _nothing(self) -> set[str]:
        self.report({"WARNING"}, NOTHING)
        return {"CANCELLED"}


def _thinned(path: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `STROKE_SPOTS` places on a line drawn with the mouse, evenly apart, its ends among them."""
    corners = np.array(path, float)
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))]
    wanted = np.linspace(0, along[-1], min(STROKE_SPOTS, 2 + int(along[-1] / DRAG_PIXELS)))
    return list(zip(*(np.interp(wanted, along, values) for values in corners.T), strict=True))


def _mark(text: str) -> api.Click | api.Stroke:
    """A click or a stroke as the property `more` has it."""
    try:
        numbers = [float(number) for number in text.removeprefix("-").split()]
        points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        first = points[0]
    except (ValueError, IndexError) as error:
        raise WorldTracingError(
            "WT-SCENE-PROMPT",
            f"{text!r} is no mark.",
            "Give a column and a row, or several of them for a stroke: 20 30 24 30.",
        ) from error
    positive = not text.startswith("-")
    return api.Click(*first, positive) if len(points) == 1 else api.Stroke(points, positive=positive)
