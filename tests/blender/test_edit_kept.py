"""What was lifted survives saving and opening, and another trace of the photo."""

from dataclasses import replace

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import layer_state, lift


def test_saved_and_opened_again_all_is_there(api, edit_modules, build_room, tmp_path):
    world, owners = build_room()
    before = layer_state(edit_modules, world)
    lift(api, world, owners, room.BALL, "ball").location.x += 1
    lifted = layer_state(edit_modules, world)
    api.save_blend(tmp_path / "scene.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    (world,) = api.worlds(bpy.context.scene)
    (ball,) = api.lifted_objects(world)
    assert layer_state(edit_modules, world) == lifted
    api.put_back(world, ball)
    assert layer_state(edit_modules, world) == before


def test_removed_objects_know_their_place_in_a_file_that_is_opened_again(api, build_room, tmp_path):
    world, owners = build_room()
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


def test_a_retrace_keeps_what_was_lifted(api, edit_modules, build_room):
    world, owners = build_room()
    ball = lift(api, world, owners, room.BALL, "ball")
    ball.location.x += 1
    lifted = layer_state(edit_modules, world)
    assert build_room()[0] == world  # the same photo again
    assert layer_state(edit_modules, world) == lifted
    api.put_back(world, ball)
    assert not (edit_modules.world_data.read_world(world).owner > 0).any()


def test_a_retrace_takes_the_division_that_was_computed_before(
    api, submodule, edit_modules, build_room, scene_modules, monkeypatch
):
    """Also of an engine that always writes six layers."""
    world, owners = build_room()
    ball = lift(api, world, owners, room.BALL, "ball")
    lifted = layer_state(edit_modules, world)
    traced = edit_modules.world_data.read_world(world).world
    more = ((0, 6 - traced.layers),) + ((0, 0),) * 2
    six = replace(
        traced, points=np.pad(traced.points, (*more, (0, 0))), valid=np.pad(traced.valid, more), confidence=None
    )
    retraced = submodule("worldtracing_addon.scene.lifted_retrace")
    assert retraced.Retrace.prepared(six, (48, 48)).division is None, "nothing stays lifted"
    prepared = retraced.Retrace.prepared(six, retraced.size_of_lifted(world))
    segmenter = submodule("backend.worldtracing.editing.graph_segmenter").GraphSegmenter
    monkeypatch.setattr(segmenter, "segment", None)  # it must not be asked again
    options = scene_modules.build.BuildOptions(division=prepared.division)
    built = scene_modules.build.build_world(
        bpy.context.scene, prepared.world, name="room", photo=None, source="", options=options
    )
    assert built == world and layer_state(edit_modules, world) == lifted and api.lifted_objects(world) == [ball]


def test_a_retrace_of_another_size_leaves_a_copy(api, edit_modules, build_room):
    world, owners = build_room()
    ball = lift(api, world, owners, room.BALL, "ball")
    world.root["wt_size"] = [48, 48]  # as if the trace before had been smaller
    build_room()
    assert not api.lifted_objects(world) and ball.name in bpy.data.objects
    assert edit_modules.world_data.read_world(world).remaining.sum() == (owners >= 0).sum()
    assert [item["wt_kind"] for item in world.items] == ["copy"]
