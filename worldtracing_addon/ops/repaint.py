"""Painting what lifted objects hid: the choice of painter, and the button."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

import bpy

from ...backend.worldtracing.editing.painters import PainterInfo
from ...backend.worldtracing.errors import Cancelled
from .. import api, assistants
from ..plugin_enum import plugin_enum
from ..scene.objects import lifted_objects
from ..scene.repainting import BUILT_IN, known_painters
from ..scene.stand_ins import is_selected
from ..scene.worlds import WorldObjects
from .waiting import WaitsForWork, begin
from .world import WorldOperator

NOTHING = "Nothing was painted: what these objects hid cannot be seen, or nothing is left that shows how it looks"


def _items(world: WorldObjects) -> list[bpy.types.Object]:
    return [item for item in lifted_objects(world) if is_selected(world, item)]


class _Painting:
    """A painting under way, which its thread tells of; the operator may be gone before that ends."""

    def __init__(self) -> None:
        self.text = ""
        self._stopped = threading.Event()
        _under_way.append(self)

    def on_progress(self, stage: str, k: int, n: int) -> None:
        if self._stopped.is_set():
            raise Cancelled
        steps = f": {k + 1} of {n}" if n > 1 else ""
        self.text = f"{stage[:1].upper()}{stage[1:]}{steps}. ESC: cancel"

    def stop(self) -> None:
        self._stopped.set()
        if self in _under_way:
            _under_way.remove(self)


_under_way: list[_Painting] = []


class WT_OT_repaint(WaitsForWork, WorldOperator, bpy.types.Operator):
    """Paint what the selected lifted objects hid, or all if none is selected, instead of continuing colors smoothly.

    Painters that invent things also paint the objects' backs"""

    bl_idname = "wt.repaint"
    bl_label = "Repaint"
    bl_options = {"UNDO"}  # no panel to do it again with another seed: that would paint while Blender waits
    waiting_text = "Painting. ESC: cancel"
    noun = "painting"

    _painting: _Painting | None = None

    def about(self, context: bpy.types.Context) -> Hashable:
        world, choice = self.world(context), context.window_manager.world_tracing_repaint
        return world, tuple(item.name for item in _items(world)) if world else (), choice.painter_name, choice.seed

    def preparation(self, context: bpy.types.Context, world: WorldObjects) -> Callable[[], object] | None:
        choice = context.window_manager.world_tracing_repaint
        self._end_painting()
        self._painting = _Painting()
        return api.prepare_repaint(world, _items(world), choice.painter_name, choice.seed, self._painting.on_progress)

    def follow(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        result = WaitsForWork.follow(self, context, event)
        if self.waits and event.type == "TIMER":
            self.show(context, self._painting.text or self.waiting_text)
        return result

    def end_wait(self, context: bpy.types.Context) -> None:
        self._end_painting()
        WaitsForWork.end_wait(self, context)

    def _end_painting(self) -> None:
        if self._painting is not None:
            self._painting.stop()

    def change(self, context: bpy.types.Context, world: WorldObjects) -> None:
        choice = context.window_manager.world_tracing_repaint
        count = api.repaint(world, _items(world), choice.painter_name, choice.seed)
        self.report({"INFO"}, f"{count} points were painted" if count else NOTHING)


def _painters() -> list[PainterInfo]:
    return [info for info, _ in known_painters()]


def _ask_for_it(choice: WT_Repaint, _context: bpy.types.Context) -> None:
    if choice.painter_name != BUILT_IN:
        begin(assistants.inquiry("painter"))  # the panel then tells whether the backend has it


class WT_Repaint(bpy.types.PropertyGroup):
    """WindowManager.world_tracing_repaint: what to paint with."""

    painter_name: bpy.props.StringProperty(
        name="Painter",
        description="The chosen painter by name",
        default=BUILT_IN,
        options={"HIDDEN"},
        update=_ask_for_it,
    )
    painter: plugin_enum(_painters, "painter_name", "Paint With", "What makes up what the photo does not show")
    seed: bpy.props.IntProperty(
        name="Seed", description="Another seed, another picture of what is not known", min=0, max=2**31 - 1
    )


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((WT_Repaint, WT_OT_repaint))


def register() -> None:
    _register_classes()
    bpy.types.WindowManager.world_tracing_repaint = bpy.props.PointerProperty(type=WT_Repaint, options={"SKIP_SAVE"})


def unregister() -> None:
    while _under_way:
        _under_way[-1].stop()
    del bpy.types.WindowManager.world_tracing_repaint
    _unregister_classes()
