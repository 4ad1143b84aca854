"""An object that a mesh stands for is edited as any other: what is shown of it moves, goes and comes back."""

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import lift


@pytest.fixture
def ball(api, build_room):
    """A lifted ball of which a mesh is shown: world, ball and mesh."""
    world, owners = build_room()
    ball = lift(api, world, owners, room.BALL, "ball")
    mesh = api.make_mesh(ball, api.MeshSettings(faces=500, texture_size=64, resolution=24))
    bpy.context.view_layer.update()
    return world, ball, mesh


def hidden(*parts):
    return [(part.hide_viewport, part.hide_render) for part in parts]


YES, NO = (True, True), (False, False)


def test_commands_move_what_is_shown(api, ball):
    world, ball, mesh = ball
    before = mesh.matrix_world.copy()
    api.run_command(world, "move the ball left 0.5 m")
    api.run_command(world, "rotate the ball 30 degrees")
    api.run_command(world, "scale the ball by 2")
    bpy.context.view_layer.update()
    api.show_points(ball)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(mesh.matrix_basis, ball.matrix_basis, atol=1e-5)
    assert (ball.matrix_world.translation - before.translation).length == pytest.approx(0.5, abs=1e-3)


def test_remove_hides_the_mesh_too_and_show_shows_it_again(api, ball):
    world, ball, mesh = ball
    assert hidden(ball, mesh) == [YES, NO]
    for command in ("remove", "hide"):
        api.run_command(world, f"{command} the ball")
        assert hidden(ball, mesh) == [YES, YES]
        api.run_command(world, "show the ball")
        assert hidden(ball, mesh) == [YES, NO]
    api.show_points(ball)
    api.run_command(world, "remove the ball")
    api.run_command(world, "show the ball")
    assert hidden(ball, mesh) == [NO, YES]


def test_the_buttons_take_the_mesh_for_its_object(api, ball):
    world, ball, mesh = ball
    api.run_command(world, "select the ball")
    assert bpy.context.selected_objects == [mesh] and bpy.context.view_layer.objects.active == mesh
    assert "ball" in api.run_command(world, "hide it")
    for show_and_select in ("show the ball", "select the ball"):
        api.run_command(world, show_and_select)
        bpy.context.view_layer.update()
    assert bpy.ops.wt.remove_object() == {"FINISHED"}
    assert hidden(ball, mesh) == [YES, YES] and ball["wt_removed"]
    for show_and_select in ("show the ball", "select the ball"):
        api.run_command(world, show_and_select)
        bpy.context.view_layer.update()
    assert bpy.ops.wt.put_back() == {"FINISHED"}
    assert not api.lifted_objects(world) and hidden(mesh) == [YES]


def test_copies_and_replacements_look_as_what_is_shown(api, ball):
    world, ball, mesh = ball
    api.run_command(world, "duplicate the ball right 1 m")
    assert [part.data for part in world.items if part["wt_kind"] == "copy"] == [mesh.data]
    bpy.ops.mesh.primitive_cube_add(location=(9, 9, 9))
    mesh.select_set(True)
    bpy.context.view_layer.objects.active = mesh
    assert bpy.ops.wt.replace_object() == {"FINISHED"}
    assert hidden(ball, mesh) == [YES, YES] and "Cube.001" in bpy.data.objects


def test_a_command_that_fails_leaves_the_mesh_where_it_was(api, ball, submodule, monkeypatch):
    world, ball, mesh = ball
    place = mesh.matrix_basis.copy()
    commanding = submodule("worldtracing_addon.scene.commanding")

    def fail(*_):
        mesh.matrix_basis.translation.x += 1
        raise api.WorldTracingError("WT-SCENE-EMPTY", "No.", "None.")

    monkeypatch.setattr(commanding, "follow", fail)
    with pytest.raises(api.WorldTracingError):
        api.run_command(world, "move the ball left 1 m")
    assert mesh.matrix_basis == place
