"""Replacing and inserting objects, and levelling the ground."""

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import box, in_scene, lift, places
from mathutils import Vector


def test_replace_stands_there_as_large_upright_and_facing_the_same_way(api, build_room):
    world, owners = build_room()
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


def test_replace_takes_a_lifted_object_too(api, edit_modules, build_room):
    world, owners = build_room()
    ball, crate = (lift(api, world, owners, thing, str(thing)) for thing in (room.BALL, room.CRATE))
    copy = api.replace_object(world, crate, ball)
    assert (copy.matrix_world.translation - crate.matrix_world.translation).length < 1e-3
    assert not ball.hide_render and copy.data == ball.data
    assert np.ptp(in_scene(edit_modules, copy), axis=0).max() > np.ptp(in_scene(edit_modules, ball), axis=0).max()


@pytest.mark.parametrize(("scale", "size"), [("metric", 2.0), ("relative", 3.0)])
def test_insert_keeps_real_sizes_or_else_the_height_of_the_camera(api, edit_modules, build_room, scale, size):
    source, owners = build_room("source", scale=scale)
    target, _ = build_room("target", scale=scale)
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


def test_insert_by_click_stands_upright_on_the_floor(api, build_room):
    world, owners = build_room()
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


def test_align_ground_levels_the_floor_and_keeps_the_rest(api, edit_modules, build_room):
    world, owners = build_room()
    world.root.location, world.root.scale, world.root.rotation_euler.z = (3, 4, 5), (2, 2, 2), 0.5
    bpy.context.view_layer.update()
    ahead = (world.root.matrix_world.to_3x3() @ Vector((0, 1, 0))).xy.normalized()
    assert api.align_ground(world) == "floor"
    bpy.context.view_layer.update()
    heights = []
    for part in world.layers:
        floor = owners[tuple(places(edit_modules, part).T)] == room.FLOOR
        heights.append(in_scene(edit_modules, part)[floor, 2])
    assert np.abs(np.concatenate(heights)).max() < 0.02
    eye = world.camera.matrix_world
    assert tuple(eye.translation) == pytest.approx((3, 4, 2 * room.EYE_HEIGHT), abs=0.02)
    assert (eye.to_3x3() @ Vector((0, 0, -1))).xy.normalized().dot(ahead) > 0.9999


def test_without_a_floor_nothing_is_levelled(api, build_room, edit_modules):
    world, _ = build_room()
    world.root["wt_mode"] = "object"
    with pytest.raises(api.WorldTracingError) as caught:
        api.align_ground(world)
    assert caught.value.code == "WT-SCENE-GROUND"
