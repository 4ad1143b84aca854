"""A worker on another computer, from Blender: a real server on localhost, started as an artist would start it."""

import os
import subprocess

import bpy
import numpy as np
import pytest
from layout import Layout, context, draw_panels
from trace_help import disk_image, poll_until, snapshot, until

MODULE = "bl_ext.user_default.world_tracing"
TOKEN = "a token for tests only"


@pytest.fixture
def preferences(addon):
    chosen = bpy.context.preferences.addons[MODULE].preferences
    yield chosen
    for name in ("remote_worker", "remote_token", "device", "generators"):
        chosen.property_unset(name)


@pytest.fixture
def server(api, preferences, submodule, tmp_path):
    """The command that Copy Server Command gives, in a shell; the preferences name it."""
    command = api.server_command("127.0.0.1:0")
    environment = {**os.environ, "WORLDTRACING_TOKEN": TOKEN, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    shell = command if os.name == "nt" else f"exec env {command}"
    process = subprocess.Popen(shell, shell=True, stdout=subprocess.PIPE, env=environment, text=True)
    preferences.remote_worker = process.stdout.readline().split()[5].rstrip(".")
    preferences.remote_token = TOKEN
    yield process
    submodule("worldtracing_addon.client.session").shutdown()
    process.terminate()
    process.communicate(timeout=60)


def code_of(errors, action):
    with pytest.raises(errors.WorldTracingError) as caught:
        action()
    assert caught.value.fix
    return caught.value.code


def drawn(submodule, preferences):
    layout = Layout()
    submodule("worldtracing_addon.ui.remote").draw_remote(layout, context(), preferences)
    return " ".join(layout.texts)


def test_a_trace_is_that_of_this_computer(api, preferences, server, submodule, tmp_path):
    image, _ = disk_image()
    there = api.trace_world(image, output=tmp_path / "there.safetensors")
    assert len(api.worlds(bpy.context.scene)) == 1 and there.camera == bpy.context.scene.camera
    assert submodule("worldtracing_addon.client.session")._worker.hello["address"] == preferences.remote_worker
    assert f"Runs on {preferences.remote_worker}" in draw_panels(MODULE)["WT_PT_trace"]
    text = api.diagnostics()
    assert preferences.remote_worker in text and TOKEN not in text
    preferences.remote_worker = ""
    assert not any(text.startswith("Runs on") for text in draw_panels(MODULE)["WT_PT_trace"])
    api.trace_world(image, output=tmp_path / "here.safetensors")
    load = submodule("backend.worldtracing.world").LayeredWorld.load
    here, there = (load(tmp_path / f"{name}.safetensors") for name in ("here", "there"))
    np.testing.assert_allclose(here.points, there.points, atol=1e-5)  # the two count their threads differently
    assert (here.valid == there.valid).all() and (here.rgb == there.rgb).all() and here.metadata == there.metadata


def test_seeds_and_meshes_come_back(api, server, tmp_path):
    settings = api.TraceSettings(seed=3, extra={"seeds": 2, "steps": 1})
    world = api.trace_world(disk_image()[0], settings=settings, output=tmp_path / "disk.safetensors")
    assert [seed.number for seed in api.seeds(world)] == [3, 4]
    assert all(seed.path.is_file() and seed.path.parent == tmp_path for seed in api.seeds(world))
    mesh = api.make_mesh(world, api.MeshSettings(faces=300, texture_size=64, resolution=24))
    points = np.empty(len(mesh.data.vertices) * 3, np.float32)
    mesh.data.vertices.foreach_get("co", points)
    assert len(points) > 100 and np.isfinite(points).all()


def test_the_connection_is_tested_by_a_button(api, preferences, server, submodule, errors):
    background = submodule("worldtracing_addon.background")
    assert api.check_remote_worker().version == submodule("backend.worldtracing.version").__version__
    assert bpy.ops.wt.check_remote_worker() == {"FINISHED"}
    assert "Connecting to" in drawn(submodule, preferences) or background.task() is None
    until(lambda: background.task() is None)
    background._poll()
    assert "answers, with" in drawn(submodule, preferences) and "silhouette" in drawn(submodule, preferences)
    preferences.remote_token = "a token that is another one"
    assert "answers" not in drawn(submodule, preferences), "that was another token"
    assert code_of(errors, api.check_remote_worker) == "WT-WORKER-REMOTE-TOKEN"
    assert "WT-WORKER-REMOTE-TOKEN" in drawn(submodule, preferences)
    background.unregister()


def test_a_wrong_token_is_told_in_the_panel(api, preferences, server):
    preferences.remote_token = "a token that is another one"
    bpy.context.scene.world_tracing.image = disk_image()[0]
    before = snapshot()
    with pytest.raises(RuntimeError, match="WT-WORKER-REMOTE-TOKEN"):
        bpy.ops.wt.trace_world()
    assert snapshot() == before
    texts = draw_panels(MODULE)["WT_PT_trace"]
    assert "WT-WORKER-REMOTE-TOKEN" in texts and "Remote Worker" in texts, "and its fix"


def test_a_server_that_dies_leaves_the_scene_as_it_was(api, server, tmp_path):
    image, _ = disk_image()
    before = snapshot()
    settings = api.TraceSettings(extra={"seeds": 8, "steps": 20})
    trace = api.start_trace(image, settings=settings, output=tmp_path / "out" / "disk.safetensors")
    poll_until(trace, lambda state: state.stage.startswith("Seed"))
    server.kill()
    poll_until(trace, lambda state: state.finished)
    assert (trace.state.status, trace.state.error.code) == ("failed", "WT-WORKER-REMOTE-LOST")
    assert snapshot() == before and not any((tmp_path / "out").iterdir())


def test_offline_blender_leaves_other_computers_alone(api, preferences, submodule, errors, tmp_path, monkeypatch):
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: pytest.fail("it has tried"))
    assert not bpy.ops.wt.check_remote_worker.poll()
    preferences.remote_worker, preferences.remote_token = "workstation", TOKEN
    assert not bpy.app.online_access
    assert code_of(errors, api.check_remote_worker) == "WT-ENV-OFFLINE"
    trace = lambda: api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")  # noqa: E731
    assert code_of(errors, trace) == "WT-ENV-OFFLINE"
    preferences.remote_worker = "http://workstation/"
    assert code_of(errors, trace) == "WT-WORKER-REMOTE-ADDRESS"


def test_what_belongs_to_this_computer_stays_here(api, preferences, submodule):
    module = submodule("worldtracing_addon.preferences")
    preferences.device = "cpu"
    settings = api.TraceSettings(engine="wt-dit")
    machine_options = submodule("worldtracing_addon.mesh_properties").machine_options
    known = next(known for known in api.mesh_generators() if known.info.name == "pixal3d")
    machine_options(known)  # which has Blender know of it
    preferences.generators.options_pixal3d.python = "/a/python"
    assert machine_options(known) == {"python": "/a/python"}
    assert module.with_network_options(settings).extra["device"] == "cpu"
    preferences.remote_worker = "workstation"
    assert "device" not in module.with_network_options(settings).extra
    assert machine_options(known) == {}
    assert module.worker_settings().variables.get("WORLDTRACING_TOKEN") is None
    preferences.remote_token = f" {TOKEN} "
    assert module.worker_settings().variables["WORLDTRACING_TOKEN"] == TOKEN
