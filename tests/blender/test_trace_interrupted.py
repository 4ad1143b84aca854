"""In the middle of a trace: cancel, a killed worker, deleted data, another file, a switched-off add-on."""

import gc
import os
import signal
from pathlib import Path

import bpy
import pytest
from trace_help import SIZE, disk_image, poll_until, snapshot, until


@pytest.mark.parametrize("in_process", [False, True])
def test_cancel_leaves_the_file_as_it_was(api, settings, tmp_path, in_process, monkeypatch, submodule):
    preferences = submodule("worldtracing_addon.preferences")
    monkeypatch.setattr(preferences, "worker_settings", lambda: settings.WorkerSettings(in_process=in_process))
    image, _ = disk_image(size=1024)
    before = snapshot()
    trace = api.start_trace(image, settings=api.TraceSettings(resolution=1024), output=tmp_path / "disk.safetensors")
    poll_until(trace, lambda state: state.status == "running")
    trace.cancel()
    assert trace.wait().status == "cancelled"
    assert snapshot() == before
    assert list(tmp_path.iterdir()) == []
    small = api.trace_world(disk_image("small.png")[0], output=tmp_path / "small.safetensors")
    assert len(small.layers) == 2, "the next trace works"


def test_two_traces_at_once_are_refused_and_the_first_goes_on(api, errors, tmp_path):
    trace = api.start_trace(disk_image()[0], output=tmp_path / "first.safetensors")
    with pytest.raises(errors.WorldTracingError) as second:
        api.start_trace(disk_image("other.png")[0], output=tmp_path / "second.safetensors")
    assert second.value.code == "WT-WORKER-BUSY"
    assert trace.wait().status == "done"


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_a_killed_worker_is_reported_and_the_next_trace_starts_another(api, submodule, tmp_path):
    session = submodule("worldtracing_addon.client.session")
    image, _ = disk_image(size=1024)
    before = snapshot()
    trace = api.start_trace(image, settings=api.TraceSettings(resolution=1024), output=tmp_path / "disk.safetensors")
    poll_until(trace, lambda state: state.status == "running")
    os.kill(session._worker.pid, signal.SIGKILL)
    state = trace.wait()
    assert (state.status, state.error.code) == ("failed", "WT-WORKER-DIED")
    assert snapshot() == before and list(tmp_path.iterdir()) == []
    assert api.trace_world(disk_image("small.png")[0], output=tmp_path / "small.safetensors").layers


def test_an_image_deleted_during_its_trace_loses_nothing(api, tmp_path):
    image, _ = disk_image()
    trace = api.start_trace(image, output=tmp_path / "disk.safetensors")
    bpy.data.images.remove(image)
    assert trace.wait().status == "done"
    assert [warning.code for warning in trace.warnings] == ["WT-SCENE-IMAGE-GONE"]
    background = trace.world.camera.data.background_images[0].image
    assert tuple(background.size) == (SIZE, SIZE) and background.packed_file


def test_a_scene_deleted_during_its_trace_keeps_the_result(api, tmp_path):
    image, _ = disk_image()
    scene = bpy.data.scenes.new("other")
    trace = api.start_trace(image, scene=scene, output=tmp_path / "disk.safetensors")
    bpy.data.scenes.remove(scene)
    state = trace.wait()
    assert (state.status, state.error.code) == ("failed", "WT-SCENE-GONE")
    assert api.build_from_file(tmp_path / "disk.safetensors").layers


def test_a_trace_that_nobody_polls_any_more_does_not_block_the_next(api, tmp_path):
    image, _ = disk_image(size=1024)
    trace = api.start_trace(image, settings=api.TraceSettings(resolution=1024), output=tmp_path / "disk.safetensors")
    poll_until(trace, lambda state: state.status == "running")
    trace.abandon()
    assert trace.state.status == "cancelled"
    assert api.trace_world(disk_image("small.png")[0], output=tmp_path / "small.safetensors").layers


def start_big(api, folder):
    """A trace in which the worker is busy for a while, and its hand-off's folder."""
    image, _ = disk_image(size=1024)
    trace = api.start_trace(image, settings=api.TraceSettings(resolution=1024), output=folder / "disk.safetensors")
    poll_until(trace, lambda state: state.status == "running")
    return trace


def handoffs():
    return list(Path(bpy.app.tempdir).glob("world-tracing-*"))


def test_switching_the_add_on_off_and_on_in_mid_trace(api, submodule, tmp_path):
    trace = start_big(api, tmp_path)
    worker = submodule("worldtracing_addon.client.session")._worker
    bpy.context.window_manager.world_tracing_job.running = True
    module = submodule("worldtracing_addon").__package__.rpartition(".")[0]
    bpy.ops.preferences.addon_disable(module=module)
    try:
        assert trace.state.status == "cancelled" and handoffs() == []
        until(lambda: not worker.alive)
    finally:
        bpy.ops.preferences.addon_enable(module=module)
    assert not bpy.context.window_manager.world_tracing_job.running
    api = submodule("worldtracing_addon.api")
    assert api.trace_world(disk_image("small.png")[0], output=tmp_path / "small.safetensors").layers


def test_another_file_opened_in_mid_trace(api, tmp_path):
    bpy.context.window_manager.world_tracing_job.running = True
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    trace = start_big(api, tmp_path)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"), load_ui=True)
    assert trace.poll().status == "cancelled" and handoffs() == []
    assert not bpy.context.window_manager.world_tracing_job.running
    assert not (tmp_path / "disk.safetensors").exists()
    assert api.trace_world(disk_image("small.png")[0], output=tmp_path / "small.safetensors").layers


def test_abandoned_before_the_hand_off_is_written(api, tmp_path):
    trace = api.start_trace(disk_image(size=2048)[0], output=tmp_path / "disk.safetensors")
    trace.abandon()
    until(lambda: trace._handoff.done() and handoffs() == [])
    assert api.trace_world(disk_image("small.png")[0], output=tmp_path / "small.safetensors").layers


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_an_error_in_on_progress_ends_the_trace(api, tmp_path, raised):
    def on_progress(_state):
        raise raised

    with pytest.raises(raised):
        api.trace_world(disk_image(size=512)[0], output=tmp_path / "disk.safetensors", on_progress=on_progress)
    assert api.trace_world(disk_image("small.png")[0], output=tmp_path / "small.safetensors").layers


def test_a_trace_that_nobody_holds_does_not_block_the_next(api, tmp_path):
    start_big(api, tmp_path)
    gc.collect()
    assert api.trace_world(disk_image("small.png")[0], output=tmp_path / "small.safetensors").layers


def test_the_world_waits_for_the_end_of_edit_mode(api, tmp_path):
    mesh = bpy.data.objects.new("cube", bpy.data.meshes.new("cube"))
    bpy.context.collection.objects.link(mesh)
    bpy.context.view_layer.objects.active = mesh
    bpy.ops.object.mode_set(mode="EDIT")
    trace = api.start_trace(disk_image()[0], output=tmp_path / "disk.safetensors")
    poll_until(trace, lambda state: state.stage == "Waiting for the end of Edit Mode")
    assert not api.worlds(bpy.context.scene)
    bpy.ops.object.mode_set(mode="OBJECT")
    poll_until(trace, lambda state: state.finished)
    assert trace.state.status == "done" and trace.world.layers


def test_a_cancel_after_the_worker_is_done(api, submodule, monkeypatch, tmp_path):
    monkeypatch.setattr(submodule("worldtracing_addon.trace"), "obstacle", lambda: "Waiting for the render to end")
    trace = api.start_trace(disk_image()[0], output=tmp_path / "disk.safetensors")
    poll_until(trace, lambda state: state.stage == "Waiting for the render to end")
    trace.cancel()
    assert trace.poll().status == "cancelled" and list(tmp_path.iterdir()) == []
    assert not bpy.data.objects
