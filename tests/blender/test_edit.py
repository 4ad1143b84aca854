"""Lifting, putting back, arranging and commanding objects of a world whose every point is known."""

import sys
from math import radians
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from rendering import render

sys.path.append(str(Path(__file__).resolve().parents[2] / "backend"))  # what `editing_world` imports

import editing_world as room


@pytest.fixture
def modules(submodule):
    class Modules:
        lifting = submodule("worldtracing_addon.scene.lifting")
        objects = submodule("worldtracing_addon.scene.objects")
        picking = submodule("worldtracing_addon.scene.picking")
        points = submodule("worldtracing_addon.scene.points")
        read = staticmethod(submodule("worldtracing_addon.scene.attributes").read_attribute)
        world_data = submodule("worldtracing_addon.scene.world_data")
        build = submodule("worldtracing_addon.scene.build")
        worlds = submodule("worldtracing_addon.scene.worlds")
        world_class = submodule("backend.worldtracing.world").LayeredWorld

    return Modules


@pytest.fixture
def build(modules):
    """build(name, objects) -> (world, owners): the room in the scene."""

    def make(name="room", things=(room.BALL, room.CRATE, room.TABLE, room.CUP), scale="metric"):
        traced, owners = room.room(things)
        metadata = {"mode": "scene", "engine": "toy"}
        traced = modules.world_class(
            traced.points.copy(), traced.valid.copy(), traced.rgb.copy(), traced.K.copy(), scale, metadata=metadata
        )
        world = modules.build.build_world(bpy.context.scene, traced, name=name, photo=None, source="")
        bpy.context.view_layer.update()
        return world, owners

    return make


def click(api, owners, thing):
    """A click in the middle of what is seen of a thing."""
    rows, columns = np.nonzero(owners[0] == thing)
    middle = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
    return api.Click(columns[middle] + 0.5, rows[middle] + 0.5)


def lift(api, world, owners, thing, name):
    item = api.lift_object(world, [click(api, owners, thing)], name=name)
    bpy.context.view_layer.update()
    return item


def places(modules, item):
    """(N, 3) layer, row and column of an object's points."""
    pixels = np.floor(modules.read(item.data, modules.points.PIXEL)).astype(int)
    return np.c_[modules.read(item.data, modules.points.LAYER), pixels[:, 1], pixels[:, 0]]


def in_scene(modules, item):
    """(N, 3) an object's points in scene coordinates."""
    points = np.c_[modules.read(item.data, modules.points.POSITION), np.ones(len(item.data.vertices))]
    return (points @ np.array(item.matrix_world).T)[:, :3]


def layer_state(modules, world):
    """What the layers show: owner and color of every point."""
    state = []
    for part in world.layers:
        owner = modules.read(part.data, modules.points.OWNER)
        owner = np.zeros(len(part.data.vertices), int) if owner is None else owner
        state.append((owner.tolist(), np.round(modules.read(part.data, modules.points.COLOR), 5).tolist()))
    return state


def test_every_point_is_in_exactly_one_place(api, modules, build):
    world, owners = build()
    items = [lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CUP, room.CRATE)]
    data = modules.world_data.read_world(world)
    count = data.remaining.astype(int)
    for item in items:
        at = tuple(places(modules, item).T)
        np.add.at(count, at, 1)
        assert (data.owner[at] == item[modules.objects.NUMBER]).all()
        expected = data.world.points[at][:, [0, 2, 1]] * (1, 1, -1) + np.array(world.root.location)
        np.testing.assert_allclose(in_scene(modules, item), expected, atol=1e-4)
    np.testing.assert_array_equal(count, data.world.valid.astype(int))


@pytest.mark.parametrize(("thing", "share"), [(room.BALL, 0.9), (room.CRATE, 0.9), (room.CUP, 0.8)])
def test_an_object_takes_its_hidden_layers_and_nothing_else(api, modules, build, thing, share):
    world, owners = build()
    taken = owners[tuple(places(modules, lift(api, world, owners, thing, "it")).T)] == thing
    assert taken.sum() >= share * (owners == thing).sum()
    assert (~taken).mean() <= 0.05


def test_the_origin_is_the_bottom_center_on_the_support(api, build):
    world, owners = build()
    api.align_ground(world)
    bpy.context.view_layer.update()
    ball = lift(api, world, owners, room.BALL, "ball")
    (x, _, z), _ = room.SPHERES[room.BALL]
    place = ball.matrix_world.translation - world.camera.matrix_world.translation
    assert tuple(place) == pytest.approx((x, z, -room.EYE_HEIGHT), abs=0.05)
    assert ball.name == "ball" and ball.name in world.sub_collection("objects").objects


def psnr(a, b):
    return 10 * np.log10(1 / np.mean((a[..., :3] - b[..., :3]) ** 2))


@pytest.mark.parametrize("display", ["Points", "Surface"])
def test_lifting_changes_no_picture_and_removing_shows_what_is_behind(api, build, tmp_path, display):
    world, owners = build()
    empty, _ = build("empty", (room.CRATE, room.TABLE, room.CUP))
    for shown in (world, empty):
        api.set_layers(shown, Display=display)
    api.set_match_photo(bpy.context.scene, True)

    def picture(shown, name):
        for other in (world, empty):
            for part in [*other.layers, *other.items]:
                part.hide_render = other != shown or bool(part.get("wt_removed"))
        return render(tmp_path / name, shown.camera, longer_side=96)

    before = picture(world, "before.png")
    ball = lift(api, world, owners, room.BALL, "ball")
    assert psnr(picture(world, "lifted.png"), before) > 30
    api.remove_object(world, ball)
    removed = picture(world, "removed.png")
    assert psnr(removed, picture(empty, "truth.png")) > 25
    assert psnr(removed, before) < 22


def test_putting_back_leaves_the_layers_as_they_were(api, modules, build):
    world, owners = build()
    before, names = layer_state(modules, world), sorted(part.name for part in bpy.data.objects)
    ball = lift(api, world, owners, room.BALL, "ball")
    crate = lift(api, world, owners, room.CRATE, "crate")
    assert layer_state(modules, world) != before
    api.put_back(world, ball)
    assert crate.name in bpy.data.objects and (modules.world_data.read_world(world).owner > 0).any()
    api.put_back(world, crate)
    assert layer_state(modules, world) == before
    assert sorted(part.name for part in bpy.data.objects) == names


def test_deleted_objects_can_be_put_back_too(api, modules, build):
    world, owners = build()
    before = layer_state(modules, world)
    bpy.data.objects.remove(lift(api, world, owners, room.BALL, "ball"))
    api.put_all_back(world)
    assert layer_state(modules, world) == before and not modules.objects.shown_objects(world)


def test_what_was_lifted_cannot_be_lifted_again(api, build):
    world, owners = build()
    place = click(api, owners, room.CUP)
    api.lift_object(world, [place])
    with pytest.raises(api.WorldTracingError) as caught:
        api.lift_object(world, [place])
    assert caught.value.code == "WT-SCENE-LIFTED"


def test_merged_layers_lose_and_regain_the_points(api, modules, build):
    world, owners = build()

    def shown():
        geometry = world.merged.evaluated_get(bpy.context.evaluated_depsgraph_get()).evaluated_geometry()
        return len(geometry.pointcloud.points)

    api.merge_layers(world)
    if bpy.app.version < (4, 5, 0):
        pytest.skip("4.2 cannot tell what nodes make")
    everything = shown()
    ball = lift(api, world, owners, room.BALL, "ball")
    assert shown() == everything - len(ball.data.vertices)
    api.put_back(world, ball)
    assert shown() == everything


def test_lifted_objects_follow_the_display_of_the_layers(api, modules, build):
    world, owners = build()
    ball = lift(api, world, owners, room.BALL, "ball")
    api.set_layers(world, Display="Surface")
    mesh = ball.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert len(mesh.polygons) == len(ball.data.vertices)
    corners = np.array([vertex.co for vertex in mesh.vertices])
    assert np.abs(corners[:, :2]).max() < 0.6 and corners[:, 2].min() > -0.05 and corners[:, 2].max() < 0.95


def test_saved_and_opened_again_all_is_there(api, modules, build, tmp_path):
    world, owners = build()
    before = layer_state(modules, world)
    lift(api, world, owners, room.BALL, "ball").location.x += 1
    lifted = layer_state(modules, world)
    api.save_blend(tmp_path / "scene.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    (world,) = api.worlds(bpy.context.scene)
    (ball,) = api.lifted_objects(world)
    assert layer_state(modules, world) == lifted
    api.put_back(world, ball)
    assert layer_state(modules, world) == before


def test_a_retrace_keeps_what_was_lifted(api, modules, build):
    world, owners = build()
    ball = lift(api, world, owners, room.BALL, "ball")
    ball.location.x += 1
    lifted = layer_state(modules, world)
    assert build()[0] == world  # the same photo again
    assert layer_state(modules, world) == lifted
    api.put_back(world, ball)
    assert not (modules.world_data.read_world(world).owner > 0).any()


def test_a_retrace_of_another_size_leaves_a_copy(api, modules, build):
    world, owners = build()
    ball = lift(api, world, owners, room.BALL, "ball")
    world.root["wt_size"] = [48, 48]  # as if the trace before had been smaller
    build()
    assert not api.lifted_objects(world) and ball.name in bpy.data.objects
    assert modules.world_data.read_world(world).remaining.sum() == (owners >= 0).sum()
    assert [item["wt_kind"] for item in world.items] == ["copy"]


def test_removed_objects_know_their_place_in_a_file_that_is_opened_again(api, build, tmp_path):
    world, owners = build()
    ball = lift(api, world, owners, room.BALL, "ball")
    before = ball.matrix_world.translation.copy()
    api.remove_object(world, ball)
    api.save_blend(tmp_path / "scene.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    (world,) = api.worlds(bpy.context.scene)
    api.run_command(world, "move the ball right 1 m")
    api.run_command(world, "show the ball")
    bpy.context.view_layer.update()
    assert tuple(bpy.data.objects["ball"].matrix_world.translation - before) == pytest.approx((1, 0, 0), abs=1e-3)


def test_a_click_in_the_view_finds_the_pixel(api, modules, build, submodule):
    world, owners = build()
    coverage = submodule("worldtracing_addon.scene.coverage")
    view = coverage.camera_view(world, world.camera) @ np.array(world.root.matrix_world.inverted())
    wanted = click(api, owners, room.CUP)
    found = modules.picking.pick_in_view(world, view, (960, 960), (wanted.x * 10, 960 - wanted.y * 10))
    assert found.pixel == pytest.approx((wanted.x, wanted.y), abs=1.01) and found.layer == 0
    cup = lift(api, world, owners, room.CUP, "cup")
    again = modules.picking.pick_in_view(world, view, (960, 960), (wanted.x * 10, 960 - wanted.y * 10))
    assert again.part == cup and (again.place - found.place).length < 0.05


def viewed_from(world, item):
    return world.camera.matrix_world.inverted() @ item.matrix_world.translation


COMMANDS = {
    "move the ball left 0.5 m": lambda before, after: after.x - before.x == pytest.approx(-0.5, abs=1e-3),
    "move the ball 20 cm up": lambda before, after: (after - before).length == pytest.approx(0.2, abs=1e-3),
    "move the ball closer by 1": lambda before, after: after.z - before.z == pytest.approx(0.94, abs=0.02),
    "scale the ball by 2": lambda before, after: (after - before).length < 1e-5,
    "rotate the ball right 30 degrees": lambda before, after: (after - before).length < 1e-5,
}


@pytest.mark.parametrize("text", COMMANDS)
def test_commands_move_as_the_viewer_sees_it_and_are_one_undo_step(api, modules, build, text):
    world, owners = build()
    world.root.rotation_euler.z = 0.8
    bpy.context.view_layer.update()
    ball = lift(api, world, owners, room.BALL, "ball")
    before, turned = viewed_from(world, ball), ball.matrix_world.to_quaternion()
    matrix = ball.matrix_world.copy()
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.wt.run_command(text=text) == {"FINISHED"}
    bpy.ops.ed.undo_push(message="command")
    bpy.context.view_layer.update()
    ball = bpy.data.objects["ball"]
    assert COMMANDS[text](before, viewed_from(world, ball))
    assert ball.matrix_world.to_scale().x == pytest.approx(2 if text.startswith("scale") else 1, rel=1e-4)
    angle = turned.rotation_difference(ball.matrix_world.to_quaternion()).angle
    assert angle == pytest.approx(radians(30) if text.startswith("rotate") else 0, abs=1e-3)
    assert in_scene(modules, ball)[:, 2].min() > -0.1 + min(0, (ball.matrix_world.translation - matrix.translation).z)
    bpy.ops.ed.undo()
    bpy.context.view_layer.update()
    np.testing.assert_allclose(bpy.data.objects["ball"].matrix_world, matrix, atol=1e-6)


def test_commands_lift_what_they_speak_of(api, build):
    world, _ = build()
    names = api.find_objects(world)
    assert len(names) >= 3
    assert names[0] in api.run_command(world, f"remove {names[0]}")
    (item,) = api.lifted_objects(world)
    assert item.name == names[0] and item.hide_render and item.hide_viewport
    assert names[0] not in api.find_objects(world)
    api.run_command(world, f"show {names[0]}")
    assert not item.hide_render
    api.run_command(world, f"hide {names[0]}")
    assert item.hide_viewport
    assert "duplicate" in api.run_command(world, f"duplicate {names[0]} right 1 m").lower()
    assert len(api.lifted_objects(world)) == 1 and len(world.items) == 3  # with the fill
    api.run_command(world, f"put back {names[0]}")
    assert not api.lifted_objects(world) and names[0] in api.find_objects(world)


def test_commands_select(api, build):
    world, owners = build()
    ball = lift(api, world, owners, room.BALL, "ball")
    lift(api, world, owners, room.CUP, "cup")
    api.run_command(world, "select the ball")
    assert bpy.context.selected_objects == [ball] and bpy.context.view_layer.objects.active == ball
    before = ball.matrix_world.translation.copy()
    api.run_command(world, "move it right 1 m")
    assert (ball.matrix_world.translation - before).length == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("text", ["fly to the moon", "remove the unicorn", "move"])
def test_commands_that_are_not_understood_change_nothing_and_say_what_would_be(api, build, text):
    build()
    names = sorted(part.name for part in bpy.data.objects)
    with pytest.raises(RuntimeError, match="Write"):
        bpy.ops.wt.run_command(text=text)
    assert "Write" in bpy.context.window_manager.world_tracing_edit.answer
    assert sorted(part.name for part in bpy.data.objects) == names


def box(size, place=(5, 5, 5)):
    mesh = bpy.data.meshes.new("box")
    corners = [(x, y, z) for x in (0, size[0]) for y in (0, size[1]) for z in (0, size[2])]  # origin at a corner
    mesh.from_pydata(corners, [], [])
    part = bpy.data.objects.new("box", mesh)
    part.location, part.rotation_euler.x = place, 0.7
    bpy.context.scene.collection.objects.link(part)
    bpy.context.view_layer.update()
    return part


def test_replace_stands_there_as_large_upright_and_facing_the_same_way(api, build):
    world, owners = build()
    api.align_ground(world)
    bpy.context.view_layer.update()
    ball = lift(api, world, owners, room.BALL, "ball")
    other = box((1, 1, 4))
    copy = api.replace_object(world, ball, other)
    corners = np.array([copy.matrix_world @ Vector(corner) for corner in copy.bound_box])
    assert np.ptp(corners[:, 2]) == pytest.approx(0.8, abs=0.06)  # the ball's diameter
    bottom = (*corners[:, :2].mean(0), corners[:, 2].min())
    assert bottom == pytest.approx(tuple(ball.matrix_world.translation), abs=0.01)
    away = (ball.matrix_world.translation - world.camera.matrix_world.translation).xy.normalized()
    assert (copy.matrix_world.to_3x3() @ Vector((0, 1, 0))).xy.normalized().dot(away) > 0.99
    assert ball.hide_render and other.matrix_world.translation == Vector((5, 5, 5))
    assert "box" in api.run_command(world, f"select {copy.name}")


def test_replace_takes_a_lifted_object_too(api, modules, build):
    world, owners = build()
    ball, crate = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CRATE))
    copy = api.replace_object(world, crate, ball)
    assert (copy.matrix_world.translation - crate.matrix_world.translation).length < 1e-3
    assert not ball.hide_render and copy.data == ball.data
    assert np.ptp(in_scene(modules, copy), axis=0).max() > np.ptp(in_scene(modules, ball), axis=0).max()


@pytest.mark.parametrize(("scale", "size"), [("metric", 2.0), ("relative", 3.0)])
def test_insert_keeps_real_sizes_or_else_the_height_of_the_camera(api, modules, build, scale, size):
    source, owners = build("source", scale=scale)
    target, _ = build("target", scale=scale)
    target.root.scale = (2, 2, 2)
    for world in (source, target):
        api.align_ground(world)
    bpy.context.view_layer.update()
    cup = lift(api, source, owners, room.BALL, "ball")
    place = Vector((0.5, 1, -0.5 * room.EYE_HEIGHT * 2))  # lower than the floor: 1.5 times as far below the camera
    copy = api.insert_object(target, cup, place)
    bpy.context.view_layer.update()
    assert (copy.matrix_world.translation - place).length < 1e-4
    assert copy.matrix_world.to_scale().x == pytest.approx(size, rel=0.02)
    assert copy.parent == target.root and cup.matrix_world.to_scale().x == pytest.approx(1)


def test_align_ground_levels_the_floor_and_keeps_the_rest(api, modules, build):
    world, owners = build()
    world.root.location, world.root.scale, world.root.rotation_euler.z = (3, 4, 5), (2, 2, 2), 0.5
    bpy.context.view_layer.update()
    ahead = (world.root.matrix_world.to_3x3() @ Vector((0, 1, 0))).xy.normalized()
    assert api.align_ground(world) == "floor"
    bpy.context.view_layer.update()
    heights = []
    for part in world.layers:
        floor = owners[tuple(places(modules, part).T)] == room.FLOOR
        heights.append(in_scene(modules, part)[floor, 2])
    assert np.abs(np.concatenate(heights)).max() < 0.02
    eye = world.camera.matrix_world
    assert tuple(eye.translation) == pytest.approx((3, 4, 2 * room.EYE_HEIGHT), abs=0.02)
    assert (eye.to_3x3() @ Vector((0, 0, -1))).xy.normalized().dot(ahead) > 0.9999


def test_without_a_floor_nothing_is_levelled(api, build, modules):
    world, _ = build()
    world.root["wt_mode"] = "object"
    with pytest.raises(api.WorldTracingError) as caught:
        api.align_ground(world)
    assert caught.value.code == "WT-SCENE-GROUND"


def test_buttons_need_a_selection(build):
    build()
    for operator in (bpy.ops.wt.put_back, bpy.ops.wt.remove_object, bpy.ops.wt.replace_object):
        with pytest.raises(RuntimeError, match="WT-SCENE-SELECT"):
            operator()


def test_the_buttons_do_what_the_api_does(api, build):
    world, owners = build()
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


def test_more_clicks_add_and_leave_out(api, modules, build):
    world, owners = build()
    ball, crate, cup = (click(api, owners, thing) for thing in (room.BALL, room.CRATE, room.CUP))
    more = f"{cup.x} {cup.y}, -{crate.x} {crate.y}"
    assert bpy.ops.wt.lift_object(x=ball.x, y=ball.y, more=more) == {"FINISHED"}
    (item,) = api.lifted_objects(world)
    taken = owners[tuple(places(modules, item).T)]
    assert {room.BALL, room.CUP} == {thing for thing in range(6) if (taken == thing).mean() > 0.02}


def everywhere(modules, world):
    """How often each traced point is in the layers or in a lifted object."""
    data = modules.world_data.read_world(world)
    count = data.remaining.astype(int)
    for item in modules.objects.lifted_objects(world):
        np.add.at(count, tuple(places(modules, item).T), 1)
        assert (data.owner[tuple(places(modules, item).T)] == item[modules.objects.NUMBER]).all()
    return count, data.world.valid.astype(int)


def test_merged_objects_are_one_with_their_points_where_they_were(api, modules, build):
    world, owners = build()
    before, names = layer_state(modules, world), sorted(part.name for part in bpy.data.objects)
    ball, cup, crate = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CUP, room.CRATE))
    cup.location.x += 0.5
    ball.rotation_euler.z = 0.3
    bpy.context.view_layer.update()
    shown = np.concatenate([in_scene(modules, item) for item in (ball, cup)])
    assert api.merge_objects(world, [ball, cup]) == ball
    bpy.context.view_layer.update()
    np.testing.assert_allclose(in_scene(modules, ball), shown, atol=1e-4)
    assert api.lifted_objects(world) == [ball, crate]
    np.testing.assert_array_equal(*everywhere(modules, world))
    api.put_back(world, ball)
    api.put_back(world, crate)
    assert layer_state(modules, world) == before
    assert sorted(part.name for part in bpy.data.objects) == names


def test_a_part_that_is_split_off_is_an_object_with_its_own_origin(api, modules, build):
    world, owners = build()
    before, names = layer_state(modules, world), sorted(part.name for part in bpy.data.objects)
    ball, cup = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CUP))
    origin, count = cup.matrix_world.translation.copy(), len(cup.data.vertices)
    shown = in_scene(modules, cup)
    api.merge_objects(world, [ball, cup])
    with pytest.raises(api.WorldTracingError) as caught:
        api.split_object(world, ball, [api.Box(0, 0, room.SIZE, room.SIZE)])
    assert caught.value.code == "WT-SCENE-SPLIT"
    made = api.split_object(world, ball, [click(api, owners, room.CUP)], name="cup")
    bpy.context.view_layer.update()
    assert made.name == "cup" and len(made.data.vertices) == pytest.approx(count, rel=0.03)
    np.testing.assert_array_equal(*everywhere(modules, world))
    assert (made.matrix_world.translation - origin).length < 0.02
    np.testing.assert_allclose(in_scene(modules, made).mean(0), shown.mean(0), atol=0.01)
    api.put_back(world, made)
    assert api.lifted_objects(world) == [ball]
    np.testing.assert_array_equal(*everywhere(modules, world))
    api.put_back(world, ball)
    assert layer_state(modules, world) == before
    assert sorted(part.name for part in bpy.data.objects) == names


def test_only_lifted_objects_are_merged_and_split(api, build):
    world, owners = build()
    ball = lift(api, world, owners, room.BALL, "ball")
    api.run_command(world, "duplicate ball")
    for call in (
        lambda: api.merge_objects(world, [ball]),
        lambda: api.merge_objects(world, [ball, bpy.data.objects["ball.001"]]),
        lambda: api.split_object(world, bpy.data.objects["ball.001"], [click(api, owners, room.BALL)]),
    ):
        with pytest.raises(api.WorldTracingError) as caught:
            call()
        assert caught.value.code == "WT-SCENE-SELECT"


def test_merge_and_split_are_buttons_and_one_undo_step_each(api, modules, build):
    world, owners = build()
    ball, cup = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CUP))
    for part in bpy.context.view_layer.objects:
        part.select_set(part in (ball, cup))
    bpy.context.view_layer.objects.active = ball
    bpy.ops.ed.undo_push(message="lifted")
    two = layer_state(modules, world)
    assert bpy.ops.wt.merge_objects() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="merged")
    place = click(api, owners, room.CUP)
    assert bpy.ops.wt.split_object(x=place.x, y=place.y) == {"FINISHED"}
    bpy.ops.ed.undo_push(message="split")
    assert len(api.lifted_objects(world)) == 2
    bpy.ops.ed.undo()
    assert len(api.lifted_objects(world)) == 1
    bpy.ops.ed.undo()
    assert len(api.lifted_objects(world)) == 2 and layer_state(modules, world) == two


def test_commands_know_an_object_by_the_name_it_was_given_in_blender(api, build):
    world, owners = build()
    lift(api, world, owners, room.BALL, "ball").name = "Beach Toy"
    assert "Beach Toy" in api.run_command(world, "remove the beach toy")
    with pytest.raises(api.WorldTracingError) as caught:
        api.run_command(world, "remove the ball")
    assert caught.value.code == "WT-SCENE-NAME"


@pytest.mark.parametrize("text", ["move all left 1 m", "duplicate all right 1 m", "scale all by 2"])
def test_a_command_that_fails_midway_changes_nothing(api, modules, build, submodule, monkeypatch, text):
    world, owners = build()
    ball = lift(api, world, owners, room.BALL, "ball")
    bpy.context.view_layer.update()
    before, names = layer_state(modules, world), sorted(part.name for part in bpy.data.objects)
    place = ball.matrix_basis.copy()
    arranging = submodule("worldtracing_addon.scene.arranging")
    for name in ("move", "resize"):
        change, calls = getattr(arranging, name), []

        def fail_second(*arguments, change=change, calls=calls):
            calls.append(1)
            if len(calls) == 2:
                raise api.WorldTracingError("WT-SCENE-EMPTY", "No.", "None.")
            change(*arguments)

        monkeypatch.setattr(arranging, name, fail_second)
    with pytest.raises(api.WorldTracingError):
        api.run_command(world, text)
    assert layer_state(modules, world) == before and ball.matrix_basis == place
    assert sorted(part.name for part in bpy.data.objects) == names


def test_a_box_lifts_what_is_in_it(api, modules, build):
    world, owners = build()
    rows, columns = np.nonzero(owners[0] == room.BALL)
    box = columns.min() - 1, rows.min() - 1, columns.max() + 2, rows.max() + 2
    assert bpy.ops.wt.lift_object(box=box) == {"FINISHED"}
    (item,) = api.lifted_objects(world)
    assert (owners[tuple(places(modules, item).T)] == room.BALL).mean() > 0.95


def test_a_box_in_the_view_is_one_in_the_picture(api, modules, build, submodule):
    world, _ = build()
    coverage = submodule("worldtracing_addon.scene.coverage")
    view = coverage.camera_view(world, world.camera) @ np.array(world.root.matrix_world.inverted())
    found = modules.picking.box_in_view(world.layers[0], view, (960, 960), (200, 960 - 300), (400, 960 - 100))
    assert (found.x0, found.y0, found.x1, found.y1) == pytest.approx((20, 10, 40, 30), abs=1.01)
    assert modules.picking.box_in_view(world.layers[0], view, (960, 960), (-9, -9), (-5, -5)) is None


def test_insert_by_click_stands_upright_on_the_floor(api, build):
    world, owners = build()
    other = box((1, 1, 4))
    bpy.context.scene.camera = world.camera
    data = owners[0] == room.FLOOR
    row, column = np.argwhere(data)[-1]
    ray = room.CAMERA.rays()[row, column].astype(float)
    depth = room.EYE_HEIGHT / (room.TO_LEVEL @ ray)[1]
    place = world.root.matrix_world @ Vector((ray[0] * depth, ray[2] * depth, -ray[1] * depth))
    bpy.context.view_layer.objects.active = other
    assert bpy.ops.wt.insert_on_support(place=place) == {"FINISHED"}
    copy = bpy.data.objects["box.001"]
    up = world.root.matrix_world.to_3x3() @ Vector((0, *(-room.TO_LEVEL[1][[2, 1]] * (1, -1))))
    assert (copy.matrix_world.to_3x3() @ Vector((0, 0, 1))).normalized().dot(up.normalized()) > 0.999
    corners = np.array([copy.matrix_world @ Vector(corner) for corner in copy.bound_box])
    assert (corners @ np.array(up)).min() == pytest.approx(place.dot(up), abs=0.01)


def test_the_segmenter_is_a_choice_of_the_scene(api, build):
    world, owners = build()
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


def test_removing_the_world_removes_what_was_lifted(api, build):
    names = sorted(part.name for part in bpy.data.objects)
    world, owners = build()
    lift(api, world, owners, room.BALL, "ball")
    api.run_command(world, "duplicate ball")
    api.remove_world(world)
    assert sorted(part.name for part in bpy.data.objects) == names
    assert not [mesh for mesh in bpy.data.meshes if mesh.users == 0]
