"""Clicks into a 3D viewport while an operator runs in it, which the sidebar's button may have started."""

from __future__ import annotations

import bpy
import numpy as np

from ...backend.worldtracing.editing.base import Box
from ..scene.picking import Pick, box_in_view, picks_in_region
from ..scene.worlds import WorldObjects
from ..ui.overlay import is_open, remove_all
from .status import set_status

_asking: list[ViewportClicks] = []


class ViewportClicks:
    """Says what is clicked in the viewport that an operator was started in."""

    def __init__(self, context: bpy.types.Context, text: str) -> None:
        """
        Args:
            context: in a 3D viewport, its sidebar included.
            text: what to do, for the status line.
        """
        self.area = context.area
        set_status(context, text)
        _asking.append(self)

    @staticmethod
    def possible(context: bpy.types.Context) -> bool:
        """Whether there is a 3D viewport to click into; scripts run without one."""
        return context.window is not None and context.area is not None and context.area.type == "VIEW_3D"

    def region(self, event: bpy.types.Event) -> bpy.types.Region | None:
        """The viewport itself, if the mouse is in it and not in a sidebar over it."""
        under = [
            region
            for region in (self.area.regions if is_open(self.area) else ())
            if 0 <= event.mouse_x - region.x < region.width and 0 <= event.mouse_y - region.y < region.height
        ]
        return under[0] if [region.type for region in under] == ["WINDOW"] else None

    def pick(self, event: bpy.types.Event, world: WorldObjects) -> Pick | None:
        """The point of the world under the mouse."""
        region = self.region(event)
        return region and self.picks([self.place(event, region)], region, world)[0]

    def picks(self, places, region: bpy.types.Region, world: WorldObjects) -> list[Pick | None]:
        """The points of the world under places of a region, (x, y) each."""
        return picks_in_region(world, region, self.area.spaces.active.region_3d, places)

    def place(self, event: bpy.types.Event, region: bpy.types.Region) -> tuple[float, float]:
        """Where the mouse is in a region, in pixels from its bottom left, also beyond it."""
        return event.mouse_x - region.x, event.mouse_y - region.y

    def box(self, part: bpy.types.Object, region: bpy.types.Region, start, end) -> Box | None:
        """The rectangle of the traced picture that a box dragged over a part of the world means."""
        view = np.array(self.area.spaces.active.region_3d.perspective_matrix)
        return box_in_view(part, view, (region.width, region.height), start, end)

    def end(self, context: bpy.types.Context) -> None:
        """Ask no more."""
        set_status(context, None)
        if self in _asking:
            _asking.remove(self)


def register() -> None:
    """There is nothing to register."""


def unregister() -> None:
    """Take away what operators show that wait for clicks: Blender leaves it when the add-on is switched off."""
    remove_all()
    if _asking:
        set_status(bpy.context, None)
        for window in bpy.context.window_manager.windows:
            window.cursor_modal_restore()
    _asking.clear()
