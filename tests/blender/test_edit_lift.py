"""Lifting objects out of a world whose every point is known, and putting them back."""

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import click, in_scene, layer_state, lift, places
from rendering import render
from scene_help import census


def test_every_point_is_in_exactly_one_place(api, edit_modules, build_room):
    world, owners = build_room()
    items = [lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CUP, room.CRATE)]
    data = edit_modules.world_data.read_world(world)
    count = data.remaining.astype(int)
    for item in items:
        at = tuple(places(edit_modules, item).T)
        np.add.at(count, at, 1)
        assert (data.owner[at] == item[edit_modules.objects.NUMBER]).all()
        expected = data.world.points[at][:, [0, 2, 1]] * (1, 1, -1) + np.array(world.root.location)
        np.testing.assert_allclose(in_scene(edit_modules, item), expected, atol=1e-4)
    np.testing.assert_array_equal(count, data.world.valid.astype(int))


@pytest.mark.parametrize(("thing", "share"), [(room.BALL, 0.9), (room.CRATE, 0.9), (room.CUP, 0.8)])
def test_an_object_takes_its_hidden_layers_and_nothing_else(api, edit_modules, build_room, thing, share):
    world, owners = build_room()
    taken = owners[tuple(places(edit_modules, lift(api, world, owners, thing, "it")).T)] == thing
    assert taken.sum() >= share * (owners == thing).sum()
    assert (~taken).mean() <= 0.05


def test_the_origin_is_the_bottom_center_on_the_support(api, build_room):
    world, owners = build_room()
    api.align_ground(world)
    bpy.context.view_layer.update()
    ball = lift(api, world, owners, room.BALL, "ball")
    (x, _, z), _ = room.SPHERES[room.BALL]
    place = ball.matrix_world.translation - world.camera.matrix_world.translation
    assert tuple(place) == pytest.approx((x, z, -room.EYE_HEIGHT), abs=0.05)
    assert ball.name == "ball" and ball.name in world.sub_collection("objects").objects


def psnr(a, b):
    """In dB; infinite for pictures that are the same."""
    error = np.mean((a[..., :3] - b[..., :3]) ** 2)
    return 10 * np.log10(1 / error) if error else np.inf


@pytest.mark.parametrize("display", ["Points", "Surface"])
def test_lifting_changes_no_picture_and_removing_shows_what_is_behind(api, build_room, tmp_path, display):
    world, owners = build_room()
    empty, _ = build_room("empty", (room.CRATE, room.TABLE, room.CUP))
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


def test_putting_back_leaves_the_layers_as_they_were(api, edit_modules, build_room):
    world, owners = build_room()
    before, names = layer_state(edit_modules, world), sorted(part.name for part in bpy.data.objects)
    ball = lift(api, world, owners, room.BALL, "ball")
    crate = lift(api, world, owners, room.CRATE, "crate")
    assert layer_state(edit_modules, world) != before
    api.put_back(world, ball)
    assert crate.name in bpy.data.objects and (edit_modules.world_data.read_world(world).owner > 0).any()
    api.put_back(world, crate)
    assert layer_state(edit_modules, world) == before
    assert sorted(part.name for part in bpy.data.objects) == names


def test_deleted_objects_can_be_put_back_too(api, edit_modules, build_room):
    world, owners = build_room()
    before = layer_state(edit_modules, world)
    bpy.data.objects.remove(lift(api, world, owners, room.BALL, "ball"))
    api.put_all_back(world)
    assert layer_state(edit_modules, world) == before and not edit_modules.objects.shown_objects(world)


def test_what_was_lifted_cannot_be_lifted_again(api, build_room):
    world, owners = build_room()
    place = click(api, owners, room.CUP)
    api.lift_object(world, [place])
    with pytest.raises(api.WorldTracingError) as caught:
        api.lift_object(world, [place])
    assert caught.value.code == "WT-SCENE-LIFTED"


def test_merged_layers_lose_and_regain_the_points(api, edit_modules, build_room):
    world, owners = build_room()

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


def test_what_cannot_be_merged_anew_is_not_lifted_either(api, edit_modules, build_room, submodule, monkeypatch):
    world, owners = build_room()
    cup = lift(api, world, owners, room.CUP, "cup")
    api.merge_layers(world)
    before = census(), layer_state(edit_modules, world)

    def fail(*_):
        raise MemoryError("no memory")

    monkeypatch.setattr(submodule("worldtracing_addon.scene.lifting"), "merge_layers", fail)
    for change in (
        lambda: lift(api, world, owners, room.BALL, "ball"),
        lambda: api.put_back(world, cup),
        lambda: api.put_all_back(world),
    ):
        with pytest.raises(MemoryError):
            change()
        after = census(), layer_state(edit_modules, world)
        np.testing.assert_equal(after, before)


def test_lifted_objects_follow_the_display_of_the_layers(api, edit_modules, build_room):
    world, owners = build_room()
    ball = lift(api, world, owners, room.BALL, "ball")
    api.set_layers(world, Display="Surface")
    mesh = ball.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    assert len(mesh.polygons) == len(ball.data.vertices)
    corners = np.array([vertex.co for vertex in mesh.vertices])
    assert np.abs(corners[:, :2]).max() < 0.6 and corners[:, 2].min() > -0.05 and corners[:, 2].max() < 0.95


@pytest.mark.parametrize("display", ["Points", "Surface"])
def test_moving_evaluates_no_points_anew(api, build_room, display):
    """So it is as fast as moving any other object."""
    world, owners = build_room()
    ball = lift(api, world, owners, room.BALL, "ball")
    api.set_layers(world, Display=display)
    bpy.context.view_layer.update()
    geometry = {}

    def note(_scene, graph):
        for update in graph.updates:
            if isinstance(update.id, bpy.types.Object):
                geometry[update.id.name] = update.is_updated_geometry

    bpy.app.handlers.depsgraph_update_post.append(note)
    try:
        ball.location.x += 0.1
        ball.rotation_euler.z, ball.scale = 0.5, (2, 2, 2)
        bpy.context.view_layer.update()
        assert geometry == {"ball": False}
        ball.data.update_tag()
        bpy.context.view_layer.update()
        assert geometry == {"ball": True}
    finally:
        bpy.app.handlers.depsgraph_update_post.remove(note)


def test_removing_the_world_removes_what_was_lifted(api, build_room):
    names = sorted(part.name for part in bpy.data.objects)
    world, owners = build_room()
    lift(api, world, owners, room.BALL, "ball")
    api.run_command(world, "duplicate ball")
    api.remove_world(world)
    assert sorted(part.name for part in bpy.data.objects) == names
    assert not [mesh for mesh in bpy.data.meshes if mesh.users == 0]
