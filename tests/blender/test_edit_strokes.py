"""Strokes drawn with the mouse over the room lift what they are drawn over: from the events to the undo step."""

from types import SimpleNamespace

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import layer_state, places


@pytest.fixture
def drawing(api, submodule, build_room):
    """The room in a viewport; draw(spots, **keys) moves the pressed mouse through pixels of the picture."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    world, owners = build_room()
    marking, viewport = (submodule(f"worldtracing_addon.ops.{name}") for name in ("marking", "viewport"))
    picking, coverage = (submodule(f"worldtracing_addon.scene.{name}") for name in ("picking", "coverage"))
    area = next(area for area in bpy.context.window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    zoom = min(region.width, region.height) / room.SIZE
    size = round(zoom * room.SIZE)
    view = coverage.camera_view(world, world.camera) @ np.array(world.root.matrix_world.inverted())

    class Clicks(viewport.ViewportClicks):
        def picks(self, spots, _region, world):  # without a window the viewport's own matrix is not there
            return picking.picks_in_view(world, view, (size, size), spots)

        def box(self, part, _region, start, end):
            return picking.box_in_view(part, view, (size, size), start, end)

    class Operator(marking.MarkOperator):
        x = y = 0.0
        more, box = "", (0.0, 0.0, 0.0, 0.0)

        def boxed_part(self, _context, world):
            return world.layers[0]

        def preparation(self, _context, _world):
            return None

        def change(self, _context, _world):
            assert bpy.ops.wt.lift_object(x=self.x, y=self.y, more=self.more, box=self.box) == {"FINISHED"}

        def report(self, _kind, text):
            raise AssertionError(text)

    operator = Operator()
    context = SimpleNamespace(
        area=area, scene=bpy.context.scene, view_layer=bpy.context.view_layer, workspace=bpy.context.workspace,
        window=SimpleNamespace(cursor_modal_restore=lambda: None), mode="OBJECT",
    )  # fmt: skip
    operator._clicks, operator._overlay = Clicks(context, ""), marking.MarkOverlay(area)
    operator._region, operator._path, operator._mouse = None, [], None

    def send(kind, value, spot=(0, 0), **keys):
        at = {"mouse_x": region.x + zoom * spot[0], "mouse_y": region.y + size - zoom * spot[1]}
        keys = {"shift": False, "ctrl": False, **keys}
        return operator.modal(context, SimpleNamespace(type=kind, value=value, **keys, **at))

    def draw(spots, **keys):
        send("LEFTMOUSE", "PRESS", spots[0], **keys)
        for spot in spots[1:]:
            send("MOUSEMOVE", "NOTHING", spot, **keys)
        return send("LEFTMOUSE", "RELEASE", spots[-1], **keys)

    return SimpleNamespace(world=world, owners=owners, operator=operator, send=send, draw=draw)


def across(owners, thing):
    """Three pixels on a line through what is seen of a thing."""
    rows, columns = np.nonzero(owners[0] == thing)
    row = round(rows.mean())
    own = np.sort(columns[rows == row])
    return [(column + 0.5, row + 0.5) for column in own[[1, len(own) // 2, -2]]]


def test_strokes_lift_what_they_are_drawn_over_in_one_undo_step(api, edit_modules, drawing):
    before = layer_state(edit_modules, drawing.world)
    bpy.ops.ed.undo_push(message="before")
    for thing in (room.BALL, room.CUP):
        assert drawing.draw(across(drawing.owners, thing), shift=True) == {"RUNNING_MODAL"}
    assert drawing.draw(across(drawing.owners, room.CRATE), ctrl=True) == {"RUNNING_MODAL"}
    assert drawing.send("RET", "PRESS") == {"FINISHED"}
    bpy.ops.ed.undo_push(message="lifted")
    (item,) = api.lifted_objects(drawing.world)
    taken = drawing.owners[tuple(places(edit_modules, item).T)]
    assert {room.BALL, room.CUP} == {thing for thing in range(6) if (taken == thing).mean() > 0.02}
    bpy.ops.ed.undo()
    assert not api.lifted_objects(drawing.world) and layer_state(edit_modules, drawing.world) == before


def test_a_stroke_that_erases_takes_something_out_of_a_box(api, edit_modules, drawing):
    """The ball stands before the crate, so a box around both means both."""
    rows, columns = np.nonzero(np.isin(drawing.owners[0], (room.BALL, room.CRATE)))
    corners = [(columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)]
    drawing.draw(across(drawing.owners, room.CRATE), ctrl=True)
    assert drawing.draw(corners) == {"FINISHED"}
    (item,) = api.lifted_objects(drawing.world)
    assert (drawing.owners[tuple(places(edit_modules, item).T)] == room.BALL).mean() > 0.95
    api.put_back(drawing.world, item)
    drawing.operator.more = ""
    assert drawing.draw(corners) == {"FINISHED"}
    (item,) = api.lifted_objects(drawing.world)
    assert (drawing.owners[tuple(places(edit_modules, item).T)] == room.CRATE).mean() > 0.3
