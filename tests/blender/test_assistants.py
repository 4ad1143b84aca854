"""Segmenters and detectors that Blender's Python lacks and the backend's has: they are asked through the worker."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import bpy
import editing_world as room
import numpy as np
import pytest
from editing_scene import places
from layout import draw_panels
from trace_help import disk_image

MODULE = "bl_ext.user_default.world_tracing"
PLUGIN = Path(__file__).resolve().parents[1] / "support/plugin"


@pytest.fixture(scope="session")
def backend(tmp_path_factory):
    """A Python of its own in which a third party's segmenter and detector are installed."""
    folder = tmp_path_factory.mktemp("backend") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = [path for path in folder.rglob("site-packages") if path.parent.parent.name != "lib64"]
    (site / "plugin.pth").write_text(str(PLUGIN))
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


@pytest.fixture
def session(api, submodule):
    session = submodule("worldtracing_addon.client.session")
    session.set_assistants(None)
    yield session
    session.set_assistants(None)


@pytest.fixture
def preferences(session, backend):
    preferences = bpy.context.preferences.addons[MODULE].preferences
    preferences.python = str(backend)
    yield preferences
    preferences.python = ""


def until(condition):
    """Wait until the condition holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def states(listed):
    return {info.name: problem for info, problem in listed}


def test_nothing_is_started_to_say_what_there_is(api, session, preferences):
    problems = states(api.detectors())
    assert set(problems) == {"sam3", "grounding-dino"} and all("first used" in text for text in problems.values())
    assert session.idle_seconds() == 0 and session.worker_assistants() is None
    preferences.python = ""
    assert all("Set Up Backend" in text for text in states(api.detectors()).values())


def test_a_command_finds_by_description_what_the_backend_can(api, build_room, edit_modules, session, preferences):
    world, owners = build_room()
    with pytest.raises(api.WorldTracingError, match="no object called 'unicorn'"):
        api.run_command(world, "remove the unicorn")
    problems = states(api.detectors())
    assert problems["blue"] == "" and problems["sam3"] and "first used" not in problems["sam3"]
    assert api.run_command(world, "lift the blue thing") == "Lift: Blue thing"
    (item,) = api.lifted_objects(world)
    layers, rows, columns = places(edit_modules, item).T
    assert (owners[layers, rows, columns] == room.CRATE).mean() > 0.9


def test_a_search_asks_the_worker_in_a_thread_first_and_then_looks(api, build_room, session, preferences):
    world, _ = build_room()
    api.prepare_objects(world)()
    steps = []
    while (work := api.command_search(world, "remove the unicorn")) is not None:
        steps.append(work.func.__name__)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(60)
    assert steps == ["ask", "_look"] and not session.is_busy()


def test_who_was_told_what_lacks_is_asked_about_anew(api, build_room, session, preferences, monkeypatch):
    world, _ = build_room()
    session.set_assistants([{"kind": "detector", "name": "grounding-dino", "problem": "It lacks its weights."}])
    with pytest.raises(api.WorldTracingError) as caught:
        api.run_command(world, "remove the blue thing")
    assert "Grounding DINO" in caught.value.fix and "it lacks its weights" in caught.value.fix
    assert api.run_command(world, "remove the blue thing") == "Remove: Blue thing"


def test_a_trace_waits_for_the_end_of_a_search(api, submodule, tmp_path):
    errands = submodule("worldtracing_addon.client.errands")
    with errands._turn():
        trace = api.start_trace(disk_image()[0], output=tmp_path / "world.safetensors")
        until(lambda: trace.poll().stage == errands.WAITING)
        assert trace.poll().status == "starting"
    assert trace.wait().status == "done" and trace.world


def test_while_a_trace_has_the_worker_the_sentence_says_so(api, session, preferences, submodule):
    assistants = submodule("worldtracing_addon.assistants")
    assistants.inquiry("detector")()
    worker = session.get_worker(submodule("worldtracing_addon.preferences").worker_settings())
    worker.claim()
    assert assistants.inquiry("detector") is None
    detector, picture = assistants.detector("blue"), np.full((20, 20, 3), 255, np.uint8)
    with pytest.raises(api.WorldTracingError) as caught:
        detector.find(picture, "blue")
    assert caught.value.code == "WT-WORKER-BUSY"
    worker.busy = False
    assert detector.find(picture, "blue")
    folder = submodule("worldtracing_addon.preferences").own_folder("questions")
    assert list(folder.iterdir()) == [], "the files that went to and fro are gone"


def test_a_thread_that_outlives_the_add_on_starts_no_worker(api, session, preferences, submodule):
    inquiry = submodule("worldtracing_addon.assistants").inquiry("detector")
    session.unregister()
    try:
        with pytest.raises(submodule("backend.worldtracing.errors").Cancelled):
            inquiry()
        assert session._worker is None
    finally:
        session.register()
    inquiry()
    assert session._worker.alive


def test_a_segmenter_of_the_backend_selects_in_a_thread(api, build_room, edit_modules, session, preferences, submodule):
    world, _ = build_room()
    submodule("worldtracing_addon.assistants").inquiry("segmenter")()
    assert states(api.segmenters())["half"] == ""
    api.use_segmenter(bpy.context.scene, "half")
    api.prepare_objects(world)()
    assert api.prepare_objects(world) is None
    assert api.find_objects(world)[0] == "Object 1", "all objects at once are those of the geometry"
    prompts, threads = [api.Click(room.SIZE * 0.25, room.SIZE / 2)], 0
    while (work := api.prepare_lift(world, prompts)) is not None:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(60)
        threads += 1
    assert threads and not session.is_busy()
    session.shutdown()
    layers, _, columns = places(edit_modules, api.lift_object(world, prompts)).T
    assert columns[layers == 0].max() < room.SIZE / 2
    assert session.idle_seconds() == 0, "what was selected is known"


def test_what_the_backend_s_segmenter_lacks_is_told_and_nothing_changes(api, build_room, session, preferences):
    world, _ = build_room()
    session.set_assistants([{"kind": "segmenter", "name": "sam2", "problem": "It lacks its weights."}])
    assert states(api.segmenters())["sam2"] == "It lacks its weights."
    api.use_segmenter(bpy.context.scene, "sam2")
    with pytest.raises(api.WorldTracingError) as caught:
        api.lift_object(world, [api.Click(10, 10)])
    assert caught.value.code == "WT-ENV-PACKAGE" and not api.lifted_objects(world)
    assert "lacks the packages" in states(api.segmenters())["sam2"], "the worker was asked again"


def test_choosing_a_segmenter_in_the_panel_asks_the_backend(api, build_room, session, preferences, submodule):
    build_room()
    edit = bpy.context.window_manager.world_tracing_edit
    edit.segmenter = "graph"
    assert session.idle_seconds() == 0, "the built-in one needs no worker"
    edit.segmenter = "sam2"
    until(lambda: session.worker_assistants() is not None and not session.is_busy())
    assert "lacks the packages" in states(api.segmenters())["sam2"]
    assert "Download Model" in draw_panels(MODULE)["WT_PT_edit"]
    edit.segmenter = "graph"
    assert "Download Model" not in draw_panels(MODULE)["WT_PT_edit"]


def test_a_painter_in_the_worker_paints_the_same(session, preferences, submodule):
    assistants = submodule("worldtracing_addon.assistants")
    known = next(one for one in assistants.known("painter") if one.info.name == "patches")
    rows, columns = np.mgrid[:32, :40]
    rgb = np.repeat((100 + 50 * ((rows + columns) % 4 < 2))[..., None], 3, -1).astype(np.uint8)
    unknown = (abs(rows - 16) < 4) & (abs(columns - 20) < 4)
    painted = assistants.WorkerPainter(known).paint(rgb, unknown)
    assert np.array_equal(painted, assistants.painter("patches").paint(rgb, unknown))
    assert np.array_equal(painted[~unknown], rgb[~unknown])
