"""Saved traces: found, built again, their settings taken over, deleted."""

from dataclasses import replace

import bpy
import pytest
from trace_help import disk_image, until


@pytest.fixture
def folder(tmp_path):
    """The results folder of a saved file."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    return tmp_path / "shot worlds"


@pytest.fixture
def chosen(settings):
    return settings.TraceSettings(
        engine="wt-bundled", resolution=96, seed=8, fov_degrees=40.0, extra={"steps": 1, "seeds": 2}
    )


def test_a_trace_is_built_again_with_its_camera_and_photo(api, folder, chosen):
    image, _ = disk_image()
    world = api.trace_world(image, settings=chosen)
    path, lens = world.root["wt_file"], world.camera.data.lens
    counts = [len(layer.data.vertices) for layer in world.layers]
    api.remove_world(world)
    assert [trace.path for trace in api.saved_traces()] == [folder / path.split("/")[-1]]
    rebuilt = api.build_from_file(path)
    assert [len(layer.data.vertices) for layer in rebuilt.layers] == counts
    assert rebuilt.camera.data.lens == pytest.approx(lens) and bpy.context.scene.camera == rebuilt.camera
    assert rebuilt.camera.data.background_images[0].image == image
    assert len(api.seeds(rebuilt)) == 2 and api.seeds(rebuilt)[0].path.is_file()


def test_an_earlier_trace_takes_the_place_of_the_later_one(api, folder, chosen, settings):
    image, _ = disk_image()
    first = api.trace_world(image, settings=chosen)
    file = first.root["wt_file"]
    second = api.trace_world(image, settings=settings.TraceSettings(engine="silhouette", resolution=96))
    assert second.id == first.id and second.root["wt_file"] != file
    bpy.data.images.remove(image)
    rebuilt = api.build_from_file(file)  # the photo is gone, the world is known by its name
    assert rebuilt.id == first.id and rebuilt.root["wt_engine"] == "wt-bundled"
    assert len(api.worlds(bpy.context.scene)) == 1


def test_the_settings_of_a_trace_are_taken_over(api, folder, chosen):
    image, _ = disk_image()
    world = api.trace_world(image, settings=chosen)
    panel = bpy.context.scene.world_tracing
    panel.engine, panel.mode, panel.precision = "silhouette", "scene", "fast"
    assert api.use_settings(bpy.context.scene, world.root["wt_file"]) == []
    taken = panel.trace_settings()
    assert taken.fov_degrees == pytest.approx(40, abs=1e-4)  # Blender's numbers are of single precision
    assert replace(taken, fov_degrees=40.0) == chosen and panel.image == image and panel.precision == "auto"


def test_settings_that_the_panel_does_not_have_are_told(api, chosen):
    panel = bpy.context.scene.world_tracing
    extra = {"seeds": [3, 9], "model": "of the future", "device": "cuda", "steps": 4}
    left = panel.use({"engine": "wt-dit", "mode": "object", "seed": 2**32 - 1, "fov_degrees": None, "extra": extra})
    assert sorted(left) == ["model", "seed", "seeds"]
    assert (panel.engine_name, panel.steps, panel.seed, panel.use_fov) == ("wt-dit", 4, 42, False)


def test_settings_of_damaged_files_are_left_alone(api):
    shown = bpy.context.scene.world_tracing
    assert shown.use({"extra": {}, "fov_degrees": "wide"}) == [] and not shown.use_fov


def test_the_panels_list_and_its_buttons(api, submodule, folder, chosen):
    image, _ = disk_image()
    api.trace_world(image, settings=chosen)
    history = submodule("worldtracing_addon.history")
    history.show(api.saved_traces())
    listed = bpy.context.window_manager.world_tracing_history
    assert [trace.name for trace in listed.traces] == ["disk.png"]
    assert listed.traces[0].label.endswith("best of 2") and "object" in listed.traces[0].label
    bpy.context.scene.world_tracing.engine = "silhouette"
    assert bpy.ops.wt.use_trace_settings() == {"FINISHED"}
    assert bpy.context.scene.world_tracing.engine == "wt-bundled"
    assert bpy.ops.wt.rebuild_trace() == {"FINISHED"}
    assert len(api.worlds(bpy.context.scene)) == 1
    assert bpy.ops.wt.remove_trace() == {"FINISHED"}
    assert not list(folder.iterdir()), "with its seeds"
    with pytest.raises(RuntimeError, match="WT-IO-READ"):
        bpy.ops.wt.rebuild_trace()


def test_a_file_of_another_kind_is_not_deleted(api, errors, tmp_path):
    foreign = tmp_path / "mine.safetensors"
    foreign.write_bytes(b"precious")
    with pytest.raises(errors.WorldTracingError):
        api.remove_saved(foreign)
    assert foreign.exists()


def test_the_list_is_read_beside_the_main_thread(api, submodule, folder, chosen):
    """As the timer does in a window: nothing is listed before the thread is done."""
    api.trace_world(disk_image()[0], settings=chosen)
    history = submodule("worldtracing_addon.history")
    listed = bpy.context.window_manager.world_tracing_history
    history.refresh()
    until(lambda: history._read() is None)
    assert len(listed.traces) == 1
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    assert len(bpy.context.window_manager.world_tracing_history.traces) == 0


def test_a_trace_saved_while_the_list_is_read_is_listed(api, submodule, folder, chosen):
    history = submodule("worldtracing_addon.history")
    history.refresh()
    history._read()
    until(lambda: history._reading.done())
    api.trace_world(disk_image()[0], settings=chosen)
    history.refresh()
    until(lambda: history._read() is None)
    assert len(bpy.context.window_manager.world_tracing_history.traces) == 1


def test_thumbnails_are_made_beside_the_main_thread(api, submodule, folder, chosen):
    world = api.trace_world(disk_image()[0], settings=chosen)
    thumbnails = submodule("worldtracing_addon.thumbnails")
    path = api.seeds(world)[0].path
    assert thumbnails.icon(path) == 0
    until(lambda: thumbnails._collect() is None)
    picture = thumbnails._previews[str(path)]  # without a window, Blender numbers no icons
    assert tuple(picture.image_size) == (128, 128) and max(picture.image_pixels_float) > 0.2
    thumbnails.forget([path])
    assert str(path) not in thumbnails._previews
    thumbnails.icon(path)
    thumbnails._collect()
    thumbnails.forget([path])  # written anew while its picture is made
    thumbnails.icon(path)
    until(lambda: thumbnails._collect() is None)
    assert str(path) in thumbnails._previews
    missing = path.with_name("missing.safetensors")
    assert thumbnails.icon(missing) == 0
    until(lambda: thumbnails._collect() is None)
    assert str(missing) not in thumbnails._previews
