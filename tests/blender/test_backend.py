"""Set Up Backend, models and preferences inside Blender: nothing at enabling, drawing, polls offline, a real set-up."""

import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from backend_help import make_wheel
from layout import Layout, context
from trace_help import disk_image

MODULE = "bl_ext.user_default.world_tracing"


@pytest.fixture
def preferences(addon):
    chosen = bpy.context.preferences.addons[MODULE].preferences
    names = [name for name in chosen.bl_rna.properties.keys() if not chosen.is_property_readonly(name)]  # noqa: SIM118
    before = {name: getattr(chosen, name) for name in names}
    yield chosen
    for name, value in before.items():
        setattr(chosen, name, value)


@pytest.fixture
def background(submodule, api):
    module = submodule("worldtracing_addon.background")
    yield module
    module.unregister()


def drawn(submodule, preferences):
    layout = Layout()
    backend = submodule("worldtracing_addon.backend")
    backend._shown = (float("-inf"), None)  # as a second later
    submodule("worldtracing_addon.ui.preferences").draw_preferences(layout, preferences, context())
    return layout.texts


def test_the_preferences_draw_in_every_state(submodule, preferences, api, background, tmp_path):
    preferences.backend_folder = str(tmp_path / "backend")
    preferences.models_folder = str(tmp_path / "models")
    api.models()
    texts = drawn(submodule, preferences)
    assert any(text.startswith("Not set up") for text in texts)
    assert {"Set Up Backend", "Memory Limit (GB)", "Copy Diagnostics", "Folder of Wheels"} <= set(texts)
    assert sum("504 pixels" in text for text in texts) >= 2, "the models are listed"

    api.plan_backend()
    texts = drawn(submodule, preferences)
    assert any("GB to download" in text for text in texts) and f"Into{tmp_path / 'backend'}" in "".join(texts).replace(
        " ", ""
    )
    assert "Blender is set to stay offline" in texts

    bpy.ops.wt.dismiss_backend()
    (tmp_path / "backend" / "WorldTracingBackend" / "environment").mkdir(parents=True)
    assert any("not finished" in text for text in drawn(submodule, preferences))
    with pytest.raises(Exception, match="WT-ENV-NO-WHEEL"):
        api.plan_backend(wheels=tmp_path / "nothing")
    assert "WT-ENV-NO-WHEEL" in drawn(submodule, preferences)


def test_without_online_access_nothing_is_downloaded(preferences, api, background, errors, tmp_path):
    preferences.backend_folder = str(tmp_path)
    assert not bpy.app.online_access
    assert not bpy.ops.wt.download_model.poll() and not bpy.ops.wt.set_up_backend.poll()
    assert bpy.ops.wt.plan_backend.poll() and bpy.ops.wt.list_models.poll()
    plan = api.plan_backend()
    assert plan.needs_network and not bpy.ops.wt.set_up_backend.poll()
    for action in (lambda: api.set_up_backend(plan), lambda: api.download_model("r75b", accept_licence=True)):
        with pytest.raises(errors.WorldTracingError) as caught:
            action()
        assert caught.value.code == "WT-ENV-OFFLINE" and caught.value.fix
    assert not any(tmp_path.iterdir())


def test_models_need_a_backend_and_an_accepted_licence(preferences, api, background, errors, monkeypatch, tmp_path):
    preferences.backend_folder, preferences.models_folder = str(tmp_path / "backend"), str(tmp_path / "models")
    with pytest.raises(errors.WorldTracingError) as caught:
        api.convert_model("r75b", tmp_path / "model.pt")
    assert caught.value.code == "WT-ENV-NO-BACKEND"

    preferences.python = sys.executable
    with pytest.raises(errors.WorldTracingError) as caught:
        api.convert_model("r75b", tmp_path / "model.pt")
    assert caught.value.code in ("WT-MODEL-MISSING", "WT-ENV-PACKAGE"), caught.value
    assert background.error().code == caught.value.code

    monkeypatch.setattr(background, "require_online", lambda: None)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.download_model("r75b", accept_licence=False)
    assert caught.value.code == "WT-MODEL-LICENCE"


def test_the_buttons_of_a_model(preferences, api, background, submodule, tmp_path):
    preferences.backend_folder, preferences.models_folder = str(tmp_path / "backend"), str(tmp_path / "models")
    part = tmp_path / "models" / "downloads" / "haoz19--object-model-6layer" / "model.pt"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"a download")
    assert {state.model.name: state.other for state in api.models()}["r75b"] == 10
    assert bpy.ops.wt.delete_model(model="r75b") == {"FINISHED"}
    while background.task() is not None:
        time.sleep(0.05)
    assert not part.exists()

    with pytest.raises(RuntimeError, match="WT-ENV-NO-BACKEND"):
        bpy.ops.wt.convert_model(model="r76", filepath=str(tmp_path / "model.pt"), release="2026-06")
    operator = submodule("worldtracing_addon.ops.models").WT_OT_download_model
    layout, rna = Layout(), bpy.ops.wt.download_model.get_rna_type()
    operator.draw(SimpleNamespace(layout=layout, model="r75b", bl_rna=rna), context())
    assert "About 6.8 GB to download, half of that is kept" in layout.texts
    assert "non-commercial research only" in " ".join(layout.texts)


def test_models_that_select_are_downloaded_after_their_license_is_accepted(
    preferences, api, background, errors, submodule, monkeypatch, tmp_path
):
    """Up to the request itself: the tests of the weights have a hub of their own for what follows."""
    preferences.backend_folder, preferences.models_folder = str(tmp_path / "backend"), str(tmp_path / "models")
    with pytest.raises(errors.WorldTracingError) as caught:
        api.fetch_model("sam2", accept_licence=True)
    assert caught.value.code == "WT-ENV-OFFLINE" and not bpy.ops.wt.fetch_model.poll()
    operator = submodule("worldtracing_addon.ops.models").WT_OT_fetch_model
    layout, rna = Layout(), bpy.ops.wt.fetch_model.get_rna_type()
    operator.draw(SimpleNamespace(layout=layout, model="sam3", bl_rna=rna), context())
    assert "SAM 3: about 3.4 GB to download" in layout.texts and "SAM License" in " ".join(layout.texts)
    assert "HF_TOKEN" in " ".join(layout.texts)

    monkeypatch.setattr(background, "require_online", lambda: None)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.fetch_model("sam2", accept_licence=False)
    assert caught.value.code == "WT-MODEL-LICENCE"
    with pytest.raises(errors.WorldTracingError) as caught:
        api.fetch_model("sam2", accept_licence=True)
    assert caught.value.code == "WT-ENV-NO-BACKEND"
    preferences.python = sys.executable
    preferences.hub_mirror = "http://127.0.0.1:9"  # where nobody answers
    with pytest.raises(errors.WorldTracingError) as caught:
        api.fetch_model("sam2", accept_licence=True)
    assert caught.value.code in ("WT-NET-UNREACHABLE", "WT-ENV-PACKAGE"), caught.value


def test_what_was_downloaded_for_selecting_is_listed_and_deleted(preferences, api, background, submodule, tmp_path):
    models = submodule("worldtracing_addon.models")
    preferences.models_folder, preferences.python = str(tmp_path / "models"), sys.executable
    weights = tmp_path / "models" / "downloads" / "facebook--sam2.1-hiera-tiny" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    api.models()
    assert models.fetched() == frozenset() and models.can_fetch("sam2") and not models.can_fetch("graph")
    weights.with_name("model.safetensors.abc.partial").write_bytes(bytes(3_000_000))
    api.models()
    assert models.unfinished("sam2") == 3_000_000 and models.can_fetch("sam2")
    assert "unfinished, 3 MB" in drawn(submodule, preferences)
    api.delete_model("sam2")
    assert not weights.parent.exists()
    api.models()
    assert "unfinished, 3 MB" not in drawn(submodule, preferences)
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    api.models()
    assert models.fetched() == {"sam2"} and not models.can_fetch("sam2") and models.unfinished("sam2") == 0
    api.delete_model("sam2")
    assert not weights.parent.exists()
    api.models()
    assert models.fetched() == frozenset()


def test_a_set_up_from_a_folder_without_any_network(preferences, api, background, submodule, tmp_path):
    """The whole way through the API, in Blender's own Python: environment, packages, doctor, worker; then removal.

    What the chosen folder had in it before is neither used nor deleted.
    """
    make_wheel(tmp_path / "wheels")
    preferences.backend_folder = str(tmp_path / "bäckend folder")
    (tmp_path / "bäckend folder" / "environment").mkdir(parents=True)
    (tmp_path / "bäckend folder" / "environment" / "studio.hdr").write_bytes(b"an artist's")
    assert api.backend_state().status == "absent"
    plan = replace(api.plan_backend(wheels=tmp_path / "wheels"), requirements=("torch==1.0",), pip="", disk_gb=0)
    stages = set()
    state = api.set_up_backend(plan, on_progress=lambda state: stages.add(state.stage))
    assert state.status == "ready" and stages
    settings = submodule("worldtracing_addon.preferences").worker_settings()
    assert settings.python == state.python and str(tmp_path) in str(settings.python)
    world = api.trace_world(
        disk_image()[0], settings=api.TraceSettings(engine="silhouette"), output=tmp_path / "w.safetensors"
    )
    assert world.layers
    text = api.diagnostics()
    assert "ready cpu" in text and "[ok] torch: 1.0" in text and str(Path.home()) not in text
    api.remove_backend()
    assert api.backend_state().status == "absent"
    assert [path.name for path in (tmp_path / "bäckend folder").rglob("*")] == ["environment", "studio.hdr"]


def test_the_worker_ends_when_it_is_idle_and_before_a_render(preferences, api, submodule, tmp_path):
    session, memory = submodule("worldtracing_addon.client.session"), submodule("worldtracing_addon.memory")
    settings = api.TraceSettings(engine="silhouette")
    api.trace_world(disk_image()[0], settings=settings, output=tmp_path / "w.safetensors")
    worker = session._worker
    preferences.idle_minutes = 0
    memory._end_when_idle()
    assert worker.alive and session._worker is worker
    preferences.idle_minutes = 1
    assert session.idle_seconds() < 60
    memory._end_when_idle()
    assert session._worker is worker
    session._used_at -= 61
    memory._end_when_idle()
    assert session._worker is None
    end = time.monotonic() + 60
    while not worker._gone.is_set():
        assert time.monotonic() < end
        time.sleep(0.05)

    api.trace_world(disk_image()[0], settings=settings, output=tmp_path / "w.safetensors")
    preferences.free_before_render = False
    memory._before_render()
    assert session._worker is not None
    preferences.free_before_render = True
    assert memory._before_render in bpy.app.handlers.render_init
    memory._before_render()
    assert session._worker is None


def test_preferences_reach_the_worker_and_the_engine(preferences, api, submodule, tmp_path):
    module = submodule("worldtracing_addon.preferences")
    preferences.models_folder = str(tmp_path)
    preferences.memory_limit, preferences.log_level = 6.5, "detailed"
    assert module.worker_settings().variables == {
        "WORLDTRACING_WEIGHTS": str(tmp_path),
        "WORLDTRACING_MEMORY_GB": "6.5",
        "WORLDTRACING_LOG": "detailed",
        "WORLDTRACING_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
    }
    preferences.device, preferences.precision = "cpu", "fp32"
    settings = api.TraceSettings(engine="wt-dit", extra={"precision": "fast"})
    assert module.with_network_options(settings).extra == {"device": "cpu", "precision": "fast"}
    other = api.TraceSettings(engine="silhouette")
    assert module.with_network_options(other) == other


def test_every_preference_and_operator_has_a_tooltip(preferences):
    own = list(preferences.__annotations__)
    assert len(own) > 15
    for name in own:
        description = preferences.bl_rna.properties[name].description
        assert description and not description.endswith("."), name
    for name in dir(bpy.ops.wt):
        assert getattr(bpy.ops.wt, name).get_rna_type().description, name


ENABLE = """
import os, socket, subprocess, sys, time
from pathlib import Path
import bpy
import addon_utils

def files():
    return {str(path) for path in Path(os.environ["BLENDER_USER_RESOURCES"]).rglob("*")}

def refuse(*arguments, **options):
    raise AssertionError(f"not while enabling: {arguments}")

module = "bl_ext.user_default.world_tracing"
before = files()
socket.socket.connect = socket.getaddrinfo = subprocess.Popen.__init__ = refuse
start = time.process_time()
addon_utils.enable(module)
seconds = time.process_time() - start
assert addon_utils.check(module)[1]
heavy = [name for name in ("torch", "cv2", "scipy", "PIL", "huggingface_hub", "OpenEXR") if name in sys.modules]
by_blender = (os.sep + "__pycache__", os.sep + ".local" + os.sep)  # it unpacks the wheels of an extension
written = sorted(path for path in files() - before if not any(part in path for part in by_blender))
print("RESULT", heavy, written, round(seconds, 3))
"""


def test_enabling_writes_nothing_starts_nothing_and_imports_nothing_heavy(addon, tmp_path):
    """In a Blender of its own, which has the extension already. A module that takes a second would be noticed."""
    shutil.copytree(os.environ["BLENDER_USER_RESOURCES"], tmp_path / "user")
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    done = subprocess.run([sys.executable, "-c", ENABLE], capture_output=True, text=True, env=environment)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    assert line, done.stdout + done.stderr
    assert line.startswith("RESULT [] [] "), line
    assert float(line.split()[-1]) < 1.0, line


def test_blender_does_not_wait_for_a_folder_that_does_not_answer(background, submodule, errors):
    tasks, answers = submodule("worldtracing_addon.core.tasks"), threading.Event()

    class Listing(tasks.Task):
        brief = True

        def _work(self):
            answers.wait(30)

    first = background.start(Listing())
    try:
        with pytest.raises(errors.WorldTracingError, match="WT-ENV-BUSY"):
            background.start(Listing())
        assert not answers.is_set() and background.task() == first
    finally:
        answers.set()
        first.wait(10)
