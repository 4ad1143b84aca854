"""The buttons of scene editing, and what is picked in a view."""

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import box, click, lift, places
from scene_help import census


def test_buttons_need_a_selection(build_room):
    build_room()
    for operator in (bpy.ops.wt.put_back, bpy.ops.wt.remove_object, bpy.ops.wt.replace_object):
        with pytest.raises(RuntimeError, match="WT-SCENE-SELECT"):
            operator()


def test_the_buttons_do_what_the_api_does(api, build_room):
    world, owners = build_room()
    place = click(api, owners, room.BALL)
    assert bpy.ops.wt.lift_object(x=place.x, y=place.y) == {"FINISHED"}
    (ball,) = api.lifted_objects(world)
    assert bpy.context.selected_objects == [ball]
    assert bpy.ops.wt.find_objects() == {"FINISHED"}
    assert "Object" in bpy.context.window_manager.world_tracing_edit.answer
    other = box((1, 2, 1))
    other.select_set(True)
    assert bpy.ops.wt.replace_object() == {"FINISHED"}
    assert ball.hide_render and bpy.data.objects["box.001"].parent == world.root
    bpy.context.scene.cursor.location = (1, 2, 3)
    bpy.context.view_layer.objects.active = other
    assert bpy.ops.wt.insert_object() == {"FINISHED"}
    assert bpy.ops.wt.align_ground() == {"FINISHED"}
    assert bpy.ops.wt.put_back(everything=True) == {"FINISHED"}
    assert not api.lifted_objects(world)


def test_more_clicks_add_and_leave_out(api, edit_modules, build_room):
    world, owners = build_room()
    ball, crate, cup = (click(api, owners, thing) for thing in (room.BALL, room.CRATE, room.CUP))
    more = f"{cup.x} {cup.y}, -{crate.x} {crate.y}"
    assert bpy.ops.wt.lift_object(x=ball.x, y=ball.y, more=more) == {"FINISHED"}
    (item,) = api.lifted_objects(world)
    taken = owners[tuple(places(edit_modules, item).T)]
    assert {room.BALL, room.CUP} == {thing for thing in range(6) if (taken == thing).mean() > 0.02}


def test_a_box_lifts_what_is_in_it(api, edit_modules, build_room):
    world, owners = build_room()
    rows, columns = np.nonzero(owners[0] == room.BALL)
    box = columns.min() - 1, rows.min() - 1, columns.max() + 2, rows.max() + 2
    assert bpy.ops.wt.lift_object(box=box) == {"FINISHED"}
    (item,) = api.lifted_objects(world)
    assert (owners[tuple(places(edit_modules, item).T)] == room.BALL).mean() > 0.95


def test_a_click_in_the_view_finds_the_pixel(api, edit_modules, build_room, submodule):
    world, owners = build_room()
    coverage = submodule("worldtracing_addon.scene.coverage")
    view = coverage.camera_view(world, world.camera) @ np.array(world.root.matrix_world.inverted())
    wanted = click(api, owners, room.CUP)
    found = edit_modules.picking.pick_in_view(world, view, (960, 960), (wanted.x * 10, 960 - wanted.y * 10))
    assert found.pixel == pytest.approx((wanted.x, wanted.y), abs=1.01) and found.layer == 0
    cup = lift(api, world, owners, room.CUP, "cup")
    again = edit_modules.picking.pick_in_view(world, view, (960, 960), (wanted.x * 10, 960 - wanted.y * 10))
    assert again.part == cup and (again.place - found.place).length < 0.05


def test_a_box_in_the_view_is_one_in_the_picture(api, edit_modules, build_room, submodule):
    world, _ = build_room()
    coverage = submodule("worldtracing_addon.scene.coverage")
    view = coverage.camera_view(world, world.camera) @ np.array(world.root.matrix_world.inverted())
    found = edit_modules.picking.box_in_view(world.layers[0], view, (960, 960), (200, 960 - 300), (400, 960 - 100))
    assert (found.x0, found.y0, found.x1, found.y1) == pytest.approx((20, 10, 40, 30), abs=1.01)
    assert edit_modules.picking.box_in_view(world.layers[0], view, (960, 960), (-9, -9), (-5, -5)) is None


def test_the_segmenter_is_a_choice_of_the_scene(api, build_room):
    world, owners = build_room()
    states = {info.name: problem for info, problem in api.segmenters()}
    assert states["graph"] == "" and api.segmenter_in_use(bpy.context.scene) == "graph"
    edit = bpy.context.window_manager.world_tracing_edit
    assert edit.segmenter == "graph"
    edit.segmenter = "sam2"
    assert api.segmenter_in_use(bpy.context.scene) == "sam2"
    if states["sam2"]:
        with pytest.raises(api.WorldTracingError) as caught:
            lift(api, world, owners, room.BALL, "ball")
        assert caught.value.code in ("WT-ENV-PACKAGE", "WT-MODEL-MISSING")
    bpy.context.scene["wt_segmenter"] = "of another machine"
    lift(api, world, owners, room.BALL, "ball")
    with pytest.raises(api.WorldTracingError) as caught:
        api.use_segmenter(bpy.context.scene, "nothing")
    assert caught.value.code == "WT-MODEL-UNKNOWN"


def test_what_has_no_place_in_a_flat_world_says_so(api, build_room):
    world, _ = build_room()
    other = box((1, 1, 1))
    world.root.scale.z = 0
    bpy.context.view_layer.update()
    before = census()
    for change in (
        lambda: api.insert_object(world, other, on_support=True),
        lambda: api.add_rig(world, "orbit"),
        lambda: api.suggested_range(world),
    ):
        with pytest.raises(api.WorldTracingError, match="scaled to nothing") as caught:
            change()
        assert caught.value.code == "WT-SCENE-FLAT" and census() == before
