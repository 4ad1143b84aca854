"""Merging lifted objects, and splitting one."""

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import click, in_scene, layer_state, lift, places


def everywhere(edit_modules, world):
    """How often each traced point is in the layers or in a lifted object."""
    data = edit_modules.world_data.read_world(world)
    count = data.remaining.astype(int)
    for item in edit_modules.objects.lifted_objects(world):
        np.add.at(count, tuple(places(edit_modules, item).T), 1)
        assert (data.owner[tuple(places(edit_modules, item).T)] == item[edit_modules.objects.NUMBER]).all()
    return count, data.world.valid.astype(int)


def test_merged_objects_are_one_with_their_points_where_they_were(api, edit_modules, build_room):
    world, owners = build_room()
    before, names = layer_state(edit_modules, world), sorted(part.name for part in bpy.data.objects)
    ball, cup, crate = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CUP, room.CRATE))
    cup.location.x += 0.5
    ball.rotation_euler.z = 0.3
    bpy.context.view_layer.update()
    shown = np.concatenate([in_scene(edit_modules, item) for item in (ball, cup)])
    assert api.merge_objects(world, [ball, cup]) == ball
    bpy.context.view_layer.update()
    np.testing.assert_allclose(in_scene(edit_modules, ball), shown, atol=1e-4)
    assert api.lifted_objects(world) == [ball, crate]
    np.testing.assert_array_equal(*everywhere(edit_modules, world))
    api.put_back(world, ball)
    api.put_back(world, crate)
    assert layer_state(edit_modules, world) == before
    assert sorted(part.name for part in bpy.data.objects) == names


def test_a_part_that_is_split_off_is_an_object_with_its_own_origin(api, edit_modules, build_room):
    world, owners = build_room()
    before, names = layer_state(edit_modules, world), sorted(part.name for part in bpy.data.objects)
    ball, cup = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CUP))
    origin, count = cup.matrix_world.translation.copy(), len(cup.data.vertices)
    shown = in_scene(edit_modules, cup)
    api.merge_objects(world, [ball, cup])
    with pytest.raises(api.WorldTracingError) as caught:
        api.split_object(world, ball, [api.Box(0, 0, room.SIZE, room.SIZE)])
    assert caught.value.code == "WT-SCENE-SPLIT"
    made = api.split_object(world, ball, [click(api, owners, room.CUP)], name="cup")
    bpy.context.view_layer.update()
    assert made.name == "cup" and len(made.data.vertices) == pytest.approx(count, rel=0.03)
    np.testing.assert_array_equal(*everywhere(edit_modules, world))
    assert (made.matrix_world.translation - origin).length < 0.02
    np.testing.assert_allclose(in_scene(edit_modules, made).mean(0), shown.mean(0), atol=0.01)
    api.put_back(world, made)
    assert api.lifted_objects(world) == [ball]
    np.testing.assert_array_equal(*everywhere(edit_modules, world))
    api.put_back(world, ball)
    assert layer_state(edit_modules, world) == before
    assert sorted(part.name for part in bpy.data.objects) == names


def test_only_lifted_objects_are_merged_and_split(api, build_room):
    world, owners = build_room()
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


def test_merge_and_split_are_buttons_and_one_undo_step_each(api, edit_modules, build_room):
    world, owners = build_room()
    ball, cup = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CUP))
    for part in bpy.context.view_layer.objects:
        part.select_set(part in (ball, cup))
    bpy.context.view_layer.objects.active = ball
    bpy.ops.ed.undo_push(message="lifted")
    two = layer_state(edit_modules, world)
    assert bpy.ops.wt.merge_objects() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="merged")
    place = click(api, owners, room.CUP)
    assert bpy.ops.wt.split_object(x=place.x, y=place.y) == {"FINISHED"}
    bpy.ops.ed.undo_push(message="split")
    assert len(api.lifted_objects(world)) == 2
    bpy.ops.ed.undo()
    assert len(api.lifted_objects(world)) == 1
    bpy.ops.ed.undo()
    assert len(api.lifted_objects(world)) == 2 and layer_state(edit_modules, world) == two
