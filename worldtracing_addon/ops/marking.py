"""What operators share that are told in the viewport which thing of a traced world is meant."""

from __future__ import annotations

from math import hypot

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import api
from ..scene.picking import Pick
from ..scene.worlds import WorldObjects, active_world
from ..ui.overlay import BoxOverlay, is_open
from .viewport import ViewportClicks
from .world import WorldOperator

DRAG_PIXELS = 6
"""The mouse may move so far between press and release of a click; farther drags a box."""


class MarkOperator(WorldOperator):
    """Waits for a click on the thing, or for a box around it; marks made before with Shift or Ctrl count too."""

    hint = ""

    x: bpy.props.FloatProperty(name="X", description="Column in the traced picture", min=0)
    y: bpy.props.FloatProperty(name="Y", description="Row in the traced picture, from the top", min=0)
    more: bpy.props.StringProperty(
        name="More Clicks",
        description="Columns and rows of what belongs to it too, or with a minus first, does not: 9 9, -5 2",
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

    def prompts(self) -> list[api.Box | api.Click]:
        """What was marked."""
        marks = [api.Box(*self.box)] if any(self.box) else [api.Click(self.x, self.y)]
        for click in filter(None, map(str.strip, self.more.split(","))):
            x, y = map(float, click.removeprefix("-").split())
            marks.append(api.Click(x, y, positive=not click.startswith("-")))
        return marks

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        world = active_world(context)
        if world is None or not ViewportClicks.possible(context):
            return self.execute(context)
        try:
            self.boxed_part(context, world)
        except WorldTracingError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._clicks, self._overlay = ViewportClicks(context, self.hint), BoxOverlay(context.area)
        self._region = self._start = None
        self.more, self.box = "", (0, 0, 0, 0)
        context.window_manager.modal_handler_add(self)
        context.window.cursor_modal_set("EYEDROPPER")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        world = active_world(context)
        if event.type in {"ESC", "RIGHTMOUSE"} or world is None or not is_open(self._clicks.area):
            self.cancel(context)
            return {"CANCELLED"}
        if self._start is None:
            self._region = self._clicks.region(event)
            if event.type != "LEFTMOUSE" or event.value != "PRESS" or self._region is None:
                return {"PASS_THROUGH"}  # the viewport can be turned meanwhile
            self._start = self._clicks.place(event, self._region)
            return {"RUNNING_MODAL"}
        end = self._clicks.place(event, self._region)
        dragged = hypot(end[0] - self._start[0], end[1] - self._start[1]) > DRAG_PIXELS
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            start, self._start = self._start, None
            self._overlay.remove()
            return self._boxed(context, world, start, end) if dragged else self._clicked(context, world, event)
        if dragged:
            self._overlay.show(self._start, end)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Also called by Blender, when it ends the operator to load a file or to quit."""
        self._overlay.remove()
        self._clicks.end(context)
        context.window.cursor_modal_restore()

    def _clicked(self, context: bpy.types.Context, world: WorldObjects, event: bpy.types.Event) -> set[str]:
        found = self._clicks.pick(event, world)
        if found is not None and (event.shift or event.ctrl):
            self.more += f"{', ' if self.more else ''}{'-' if event.ctrl else ''}{found.pixel[0]} {found.pixel[1]}"
            return {"RUNNING_MODAL"}
        self.cancel(context)
        if found is None:
            return self._nothing()
        refusal = self.answer(context, world, found)
        if refusal:
            self.report({"INFO"}, refusal)
            return {"FINISHED"}
        self.x, self.y = found.pixel
        return self.execute(context)

    def _boxed(self, context: bpy.types.Context, world: WorldObjects, start, end) -> set[str]:
        self.cancel(context)
        part = self.boxed_part(context, world)
        box = part and self._clicks.box(part, self._region, start, end)
        if box is None:
            return self._nothing()
        self.box = box.x0, box.y0, box.x1, box.y1
        return self.execute(context)

    def _nothing(self) -> set[str]:
        self.report({"WARNING"}, "There is no point of the traced world there")
        return {"CANCELLED"}
