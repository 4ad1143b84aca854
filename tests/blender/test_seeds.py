"""Several guesses of one photo: all are kept, the suggested one is built, and a click shows another."""

import json
import threading

import bpy
import numpy as np
import pytest
from fake_window import LIMIT, FakeWindow
from trace_help import disk_image


@pytest.fixture
def traced(api, settings, tmp_path):
    """A world of the bundled engine's three guesses, in one step each."""
    bpy.context.scene.world_tracing.image, _ = disk_image()
    chosen = settings.TraceSettings(engine="wt-bundled", resolution=96, seed=5, extra={"steps": 1, "seeds": 3})
    return api.trace_world(disk_image()[0], settings=chosen, output=tmp_path / "out" / "disk.safetensors")


def positions(world):
    found = []
    for layer in world.layers:
        values = np.empty(len(layer.data.vertices) * 3, np.float32)
        layer.data.attributes["position"].data.foreach_get("vector", values)
        found.append(values)
    return np.concatenate(found)


def test_all_seeds_are_kept_and_one_is_suggested(api, traced, tmp_path):
    seeds = api.seeds(traced)
    assert [seed.number for seed in seeds] == [5, 6, 7]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "disk.safetensors",
        *(f"disk_seed{number}.safetensors" for number in (5, 6, 7)),
    ]
    assert sum(seed.suggested for seed in seeds) == 1 and [s.shown for s in seeds] == [s.suggested for s in seeds]
    assert json.loads(traced.root["wt_settings"])["extra"] == {"seeds": 3, "steps": 1}


def test_a_click_shows_another_seed_and_leaves_the_rest_alone(api, traced):
    root, camera = traced.root, traced.camera
    root.location, root.rotation_euler = (1, 2, 3), (0, 0, 1)
    api.set_layers(traced, Display="Surface")
    suggested = next(seed for seed in api.seeds(traced) if seed.suggested)
    other = next(seed for seed in api.seeds(traced) if not seed.suggested)
    before = positions(traced)
    assert bpy.ops.wt.pick_seed(seed=str(other.number)) == {"FINISHED"}
    assert len(api.worlds(bpy.context.scene)) == 1 and traced.root == root and traced.camera == camera
    assert tuple(root.location) == (1, 2, 3) and root.world_tracing.display == "Surface"
    assert next(seed for seed in api.seeds(traced) if seed.shown).number == other.number
    saved = api.LayeredWorld.load(other.path)
    assert [len(layer.data.vertices) for layer in traced.layers] == saved.valid.sum((1, 2)).tolist()
    api.pick_seed(traced, suggested.number)
    np.testing.assert_array_equal(positions(traced), before)


def test_a_retrace_after_a_pick_belongs_to_the_whole_trace(api, settings, tmp_path):
    """Not to the file of the picked seed."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    image, _ = disk_image()
    chosen = settings.TraceSettings(engine="wt-bundled", resolution=96, extra={"steps": 1, "seeds": 2})
    world = api.trace_world(image, settings=chosen)
    api.pick_seed(world, next(seed.number for seed in api.seeds(world) if not seed.suggested))
    before = {file: file.read_bytes() for file in (tmp_path / "shot worlds").iterdir()}
    api.trace_world(image, settings=chosen)
    files = set((tmp_path / "shot worlds").iterdir())
    assert len(files) == 2 * len(before), "files of its own, although it has the same settings"
    assert {file: file.read_bytes() for file in before} == before
    other = settings.TraceSettings(engine="wt-bundled", resolution=96, extra={"steps": 2})
    again = api.trace_world(image, settings=other)
    assert len(set((tmp_path / "shot worlds").iterdir()) - files) == 1 and again.id == world.id
    assert api.seeds(again) == [], "of the trace before"


def test_a_missing_seed_is_told_in_a_sentence(api, errors, traced):
    other = next(seed for seed in api.seeds(traced) if not seed.suggested)
    other.path.unlink()
    before = positions(traced)
    with pytest.raises(RuntimeError, match="WT-IO-READ"):
        bpy.ops.wt.pick_seed(seed=str(other.number))
    np.testing.assert_array_equal(positions(traced), before)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.pick_seed(traced, 99)
    assert caught.value.code == "WT-SCENE-SEED"


def test_a_cancelled_trace_leaves_no_seeds(api, settings, tmp_path):
    chosen = settings.TraceSettings(engine="wt-bundled", resolution=96, extra={"steps": 1, "seeds": 2})
    output = tmp_path / "disk.safetensors"
    trace = api.start_trace(disk_image()[0], settings=chosen, output=output)

    def stop(state):
        if state.stage == "Writing the seeds" or state.stage.startswith("Seed 2"):
            trace.cancel()

    trace.wait(stop)
    assert trace.state.status == "cancelled"
    assert not list(tmp_path.glob("*.safetensors"))


def test_quality_presets_set_what_the_engine_has(api):
    chosen = bpy.context.scene.world_tracing
    chosen.engine = "wt-bundled"
    bpy.ops.wt.set_quality(quality="BEST")
    assert (chosen.steps, chosen.seeds) == (0, 4)
    chosen.engine = "silhouette"
    bpy.ops.wt.set_quality(quality="DRAFT")
    assert chosen.resolution == 256 and chosen.seeds == 4, "not this engine's"


@pytest.fixture
def divided(submodule, monkeypatch):
    """The threads in which a world was divided into objects, one for each time."""
    segmenter = submodule("backend.worldtracing.editing.graph_segmenter").GraphSegmenter
    divide, threads = segmenter.segment, []

    def told(*args):
        threads.append(threading.current_thread())
        return divide(*args)

    monkeypatch.setattr(segmenter, "segment", told)
    return threads


def lift_disk(api, world):
    width, height = world.root["wt_size"]
    return api.lift_object(world, [api.Click(width / 2, height / 2)], name="disk")


def test_a_click_with_lifted_objects_does_not_stop_blender(api, traced, submodule, divided):
    window = FakeWindow(submodule)
    first, second, third = (str(seed.number) for seed in api.seeds(traced))
    for number in (first, second):
        assert window.start("world", "WT_OT_pick_seed", seed=number) == {"FINISHED"}, "nothing is lifted"
    item = lift_disk(api, traced)
    divided.clear()
    assert window.start("world", "WT_OT_pick_seed", seed=third) == {"RUNNING_MODAL"}
    assert window.finish() == {"FINISHED"} and len(divided) == 1 and divided[0] is not threading.main_thread()
    assert api.lifted_objects(traced) == [item]
    assert [str(seed.number) for seed in api.seeds(traced) if seed.shown] == [third]

    assert window.start("world", "WT_OT_pick_seed", seed=first) == {"RUNNING_MODAL"}
    left = window.operator
    assert window.send("ESC") == {"CANCELLED"} and not window.timers
    assert [str(seed.number) for seed in api.seeds(traced) if seed.shown] == [third]

    assert window.start("world", "WT_OT_pick_seed", seed=first) == {"RUNNING_MODAL"}
    earlier = window.operator
    assert window.start("world", "WT_OT_pick_seed", seed=second) == {"RUNNING_MODAL"}
    latest, window.operator = window.operator, earlier
    for operator in (left, earlier, latest):
        operator._work.exception(LIMIT)
    assert window.send("TIMER") == {"CANCELLED"}, "the last click counts, whichever is read first"
    window.operator = latest
    assert window.finish() == {"FINISHED"}
    assert [str(seed.number) for seed in api.seeds(traced) if seed.shown] == [second]


def test_a_retrace_with_lifted_objects_does_not_stop_blender(api, traced, settings, divided, tmp_path):
    item, photo = lift_disk(api, traced), bpy.data.images[traced.collection["wt_name"]]
    divided.clear()
    chosen = settings.TraceSettings(engine="wt-bundled", resolution=96, seed=1, extra={"steps": 1})
    assert api.trace_world(photo, settings=chosen, output=tmp_path / "again.safetensors") == traced
    assert len(divided) == 1 and divided[0] is not threading.main_thread() and api.lifted_objects(traced) == [item]
    api.build_from_file(tmp_path / "out" / "disk.safetensors")
    assert divided[1:] == [threading.main_thread()], "a script waits for it"


def test_a_trace_is_rebuilt_around_lifted_objects_beside_blender(api, traced, submodule, divided, tmp_path):
    window, path = FakeWindow(submodule), str(tmp_path / "out" / "disk.safetensors")
    assert window.start("history", "WT_OT_rebuild_trace", path=path) == {"FINISHED"}, "nothing is lifted"
    api.pick_seed(traced, next(seed.number for seed in api.seeds(traced) if not seed.shown))
    item = lift_disk(api, traced)
    divided.clear()
    assert window.start("history", "WT_OT_rebuild_trace", path=path) == {"RUNNING_MODAL"}
    assert window.finish() == {"FINISHED"} and len(divided) == 1 and divided[0] is not threading.main_thread()
    assert api.lifted_objects(traced) == [item] and traced.root["wt_file"].endswith("disk.safetensors")
    assert window.start("history", "WT_OT_rebuild_trace", path=path + "x") == {"CANCELLED"}
    assert "WT-IO-READ" in window.said[-1][1]
