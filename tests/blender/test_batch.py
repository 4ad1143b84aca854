"""A folder of photos: a world each, the last one shown; failures are told with their codes."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from trace_help import disk_image


@pytest.fixture
def folder(tmp_path):
    """Three photos, one of them without a foreground, and what is no picture."""
    Image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, color in (("a.png", (200, 30, 30)), ("c.png", (30, 30, 200))):
        picture = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
        picture.paste((*color, 255), (16, 12, 48, 36))
        picture.save(folder / name)
    Image.new("RGBA", (64, 48), (0, 0, 0, 0)).save(folder / "b.png")
    (folder / "d.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("none either")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    return folder


@pytest.fixture
def quick(settings):
    return settings.TraceSettings(engine="silhouette", resolution=64)


def shown(world):
    bpy.context.view_layer.update()
    return any(part.name in bpy.context.view_layer.objects for part in world.layers)


def test_a_folder_becomes_worlds_and_a_report(api, folder, quick):
    stages = set()
    worlds, failures = api.trace_folder(folder, settings=quick, on_progress=lambda state: stages.add(state.stage))
    assert [world.name for world in worlds] == ["a.png", "c.png"]
    assert [(failure.path.name, failure.error.code) for failure in failures] == [
        ("b.png", "WT-IMG-EMPTY-MASK"),
        ("d.jpg", "WT-SCENE-NO-PIXELS"),
    ]
    assert any(stage.startswith("Photo 1 of 4: ") for stage in stages)
    assert [shown(world) for world in worlds] == [False, True]
    assert tuple(worlds[0].root.location) == pytest.approx(tuple(worlds[1].root.location)), "not beside what is hidden"
    assert bpy.context.scene.camera == worlds[1].camera
    assert "d.jpg" not in bpy.data.images
    photo = bpy.data.images["a.png"]
    assert not photo.has_data and photo.packed_file, "the pixels are read again when they are needed"
    assert tuple(photo.size) == (64, 48)


def test_another_world_is_shown_alone(api, folder, quick):
    worlds, _ = api.trace_folder(folder, settings=quick)
    assert bpy.ops.wt.show_world(world_id=worlds[0].id) == {"FINISHED"}
    assert [shown(world) for world in worlds] == [True, False]
    assert bpy.context.scene.camera == worlds[0].camera and api.active_world(bpy.context).id == worlds[0].id


def test_the_operator_lists_the_failures_in_the_panel(api, folder):
    bpy.context.scene.world_tracing.engine = "silhouette"
    bpy.context.scene.world_tracing.resolution = 64
    assert bpy.ops.wt.trace_folder(directory=str(folder)) == {"FINISHED"}
    job = bpy.context.window_manager.world_tracing_job
    assert [(failure.photo, failure.code) for failure in job.failures] == [
        ("b.png", "WT-IMG-EMPTY-MASK"),
        ("d.jpg", "WT-SCENE-NO-PIXELS"),
    ]
    assert not job.running and len(api.worlds(bpy.context.scene)) == 2
    bpy.ops.wt.clear_failures()
    assert not job.failures


class Breaking:
    """Work in which a defect shows."""

    abandoned = False

    def poll(self):
        raise KeyError("a defect")

    wait = poll

    def abandon(self):
        self.abandoned = True


def test_a_defect_while_tracing_does_not_leave_the_panel_busy(submodule, api):
    running = submodule("worldtracing_addon.ops.running")

    class Operator(running.RunsWork):
        bl_idname = "wt.test"

        def begin(self, context):
            return Breaking()

        def report(self, level, text):
            self.said = level, text

    job, operator = bpy.context.window_manager.world_tracing_job, Operator()
    with pytest.raises(KeyError):
        operator.run_and_wait(bpy.context)
    assert not job.running
    assert operator._begin(bpy.context) and job.running
    assert operator.modal(bpy.context, SimpleNamespace(type="TIMER", value="")) == {"CANCELLED"}
    assert not job.running and operator._work.abandoned
    assert job.error_code == "WT-SCENE-FAILED" and "a defect" in operator.said[1]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is text")
def test_a_photo_whose_name_is_no_text_can_be_told_of(folder):
    (folder / "b.png").rename(Path(os.fsdecode(os.fsencode(folder) + b"/b\xff.png")))
    bpy.context.scene.world_tracing.engine = "silhouette"
    assert bpy.ops.wt.trace_folder(directory=str(folder)) == {"FINISHED"}
    failures = bpy.context.window_manager.world_tracing_job.failures
    assert (failures[0].photo, failures[0].code) == ("b?.png", "WT-IMG-EMPTY-MASK")


def test_a_cancel_keeps_what_is_done(api, folder, quick):
    batch = api.start_batch(sorted(folder.glob("[ac].png")), settings=quick)
    batch.wait(lambda _: batch.cancel() if batch.worlds else None)
    assert batch.state.status == "cancelled" and [world.name for world in batch.worlds] == ["a.png"]
    assert shown(batch.worlds[0])


def test_a_cancel_between_two_photos_counts(api, folder, quick):
    batch = api.start_batch(sorted(folder.glob("[ac].png")), settings=quick)
    while not batch.worlds:
        batch.poll()
    batch.cancel()  # the next photo has not begun
    assert batch.wait().status == "cancelled" and len(batch.worlds) == 1


def test_a_folder_again_shows_its_last_world(api, folder, quick):
    api.trace_folder(folder, settings=quick)
    worlds, _ = api.trace_folder(folder, settings=quick)
    assert [shown(world) for world in worlds] == [False, True] and len(api.worlds(bpy.context.scene)) == 2


def test_trouble_that_all_photos_would_have_ends_the_batch(api, folder, quick, submodule, settings, monkeypatch):
    missing = settings.WorkerSettings(python=folder / "no" / "python")
    monkeypatch.setattr(submodule("worldtracing_addon.preferences"), "worker_settings", lambda: missing)
    worlds, failures = api.trace_folder(folder, settings=quick)
    assert not worlds and [failure.error.code for failure in failures] == ["WT-WORKER-NO-PYTHON"]


def test_a_folder_without_pictures(api, errors, tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(errors.WorldTracingError) as caught:
            api.trace_folder(path)
        assert caught.value.code == "WT-IMG-NO-PICTURES"


def test_a_batch_waits_for_no_trace(api, errors, folder, quick):
    trace = api.start_trace(disk_image()[0], settings=quick)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.start_batch([folder / "a.png"], settings=quick)
    assert caught.value.code == "WT-WORKER-BUSY"
    trace.abandon()
