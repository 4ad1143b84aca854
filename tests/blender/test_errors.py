"""Errors of Blender's side that no other test comes across, each provoked for real."""

import shutil

import bpy
import pytest
from trace_help import disk_image, snapshot


def code_of(errors, function, *arguments, **options):
    with pytest.raises(errors.WorldTracingError) as caught:
        function(*arguments, **options)
    assert caught.value.message and caught.value.fix
    return caught.value.code


def test_a_still_without_cycles(api, errors, tmp_path):
    scene = bpy.context.scene
    api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")
    bpy.ops.preferences.addon_disable(module="cycles")
    try:
        assert code_of(errors, api.render_still, scene, tmp_path / "still.png") == "WT-SCENE-CYCLES"
    finally:
        bpy.ops.preferences.addon_enable(module="cycles")
    assert not (tmp_path / "still.png").exists()


def test_a_folder_that_goes_away_during_the_render(api, errors, tmp_path):
    scene = bpy.context.scene
    api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")
    folder = tmp_path / "stick"
    folder.mkdir()
    before = scene.render.filepath, scene.render.engine

    def pull_out(*_):
        shutil.rmtree(folder)

    bpy.app.handlers.render_post.append(pull_out)
    try:
        assert code_of(errors, api.render_still, scene, folder / "still.png", samples=1) == "WT-IO-WRITE"
    finally:
        bpy.app.handlers.render_post.remove(pull_out)
    assert (scene.render.filepath, scene.render.engine) == before


def test_a_defect_while_building_keeps_the_scene_and_the_result(api, errors, submodule, monkeypatch, tmp_path):
    image, _ = disk_image()
    before = snapshot()
    monkeypatch.setattr(submodule("worldtracing_addon.scene.build"), "match_camera", lambda *_: 1 / 0)
    output = tmp_path / "disk.safetensors"
    assert code_of(errors, api.trace_world, image, output=output) == "WT-SCENE-FAILED"
    assert snapshot() == before
    monkeypatch.undo()
    assert api.build_from_file(output).layers


def test_a_file_that_does_not_tell_its_settings(api, errors, submodule, tmp_path):
    api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")
    world = api.LayeredWorld.load(tmp_path / "disk.safetensors")
    bare = api.LayeredWorld(world.points, world.valid, world.rgb, world.K, world.scale)
    bare.save(tmp_path / "bare.safetensors")
    assert code_of(errors, api.use_settings, bpy.context.scene, tmp_path / "bare.safetensors") == "WT-SCENE-NO-SETTINGS"


def test_a_still_that_is_too_small_for_blender(api, errors, tmp_path):
    scene = bpy.context.scene
    api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")
    scene.render.resolution_x = scene.render.resolution_y = 4
    scene.render.resolution_percentage = 1
    assert code_of(errors, api.render_still, scene, tmp_path / "still.png", samples=1) == "WT-SCENE-RENDER"
    assert not list(tmp_path.glob("*still*"))
