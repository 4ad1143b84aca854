"""Text commands on the objects of a world."""

from math import radians

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import in_scene, layer_state, lift


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
def test_commands_move_as_the_viewer_sees_it_and_are_one_undo_step(api, edit_modules, build_room, text):
    world, owners = build_room()
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
    assert in_scene(edit_modules, ball)[:, 2].min() > -0.1 + min(
        0, (ball.matrix_world.translation - matrix.translation).z
    )
    bpy.ops.ed.undo()
    bpy.context.view_layer.update()
    np.testing.assert_allclose(bpy.data.objects["ball"].matrix_world, matrix, atol=1e-6)


def test_commands_lift_what_they_speak_of(api, build_room):
    world, _ = build_room()
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


def test_commands_select(api, build_room):
    world, owners = build_room()
    ball = lift(api, world, owners, room.BALL, "ball")
    lift(api, world, owners, room.CUP, "cup")
    api.run_command(world, "select the ball")
    assert bpy.context.selected_objects == [ball] and bpy.context.view_layer.objects.active == ball
    before = ball.matrix_world.translation.copy()
    api.run_command(world, "move it right 1 m")
    assert (ball.matrix_world.translation - before).length == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("text", ["fly to the moon", "remove the unicorn", "move"])
def test_commands_that_are_not_understood_change_nothing_and_say_what_would_be(api, build_room, text):
    build_room()
    names = sorted(part.name for part in bpy.data.objects)
    with pytest.raises(RuntimeError, match="Write"):
        bpy.ops.wt.run_command(text=text)
    assert "Write" in bpy.context.window_manager.world_tracing_edit.answer
    assert sorted(part.name for part in bpy.data.objects) == names


def test_commands_know_an_object_by_the_name_it_was_given_in_blender(api, build_room):
    world, owners = build_room()
    lift(api, world, owners, room.BALL, "ball").name = "Beach Toy"
    assert "Beach Toy" in api.run_command(world, "remove the beach toy")
    with pytest.raises(api.WorldTracingError) as caught:
        api.run_command(world, "remove the ball")
    assert caught.value.code == "WT-SCENE-NAME"


@pytest.mark.parametrize("text", ["move all left 1 m", "duplicate all right 1 m", "scale all by 2"])
def test_a_command_that_fails_midway_changes_nothing(api, edit_modules, build_room, submodule, monkeypatch, text):
    world, owners = build_room()
    ball = lift(api, world, owners, room.BALL, "ball")
    bpy.context.view_layer.update()
    before, names = layer_state(edit_modules, world), sorted(part.name for part in bpy.data.objects)
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
    assert layer_state(edit_modules, world) == before and ball.matrix_basis == place
    assert sorted(part.name for part in bpy.data.objects) == names
