"""The engine with tiny networks: modes, options, metadata, several seeds, and what it keeps in memory."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from worldtracing.camera import Camera  # noqa: E402
from worldtracing.engines import wt_dit_network  # noqa: E402
from worldtracing.engines.base import TraceOptions  # noqa: E402
from worldtracing.errors import Cancelled, WorldTracingError  # noqa: E402
from worldtracing.progress import silent  # noqa: E402
from worldtracing.weights.tensorfile import read_header  # noqa: E402
from worldtracing.world import LayeredWorld  # noqa: E402


@pytest.fixture
def loads(monkeypatch):
    """The files that were loaded, in order."""
    seen = []
    load = wt_dit_network.load_model
    monkeypatch.setattr(wt_dit_network, "load_model", lambda *a, **k: seen.append(a[0]) or load(*a, **k))
    return seen


def test_the_engine_is_listed_without_torch():
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'einops', 'cv2', 'scipy', 'PIL']))\n"
        "from worldtracing.engines.base import ENGINES\n"
        "print(ENGINES.load('wt-dit').info.needs)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "torch" in result.stdout


def test_an_object_is_traced_on_its_crop(trace, make_weights):
    weights = make_weights()
    world = trace()
    assert world.points.shape == (3, 42, 42, 3)
    assert world.scale == "metric"
    assert world.confidence is None
    x0, y0, x1, y1 = world.metadata["crop"]
    assert x1 - x0 == y1 - y0 == 54  # 36 pixels of object over 2/3
    assert (x0 + x1) / 2 == pytest.approx(52, abs=1)
    assert tuple(world.rgb[0, 0]) == (128, 128, 128)  # outside the object the network sees grey
    assert world.valid.any()
    assert not world.valid[:, 0].any()
    expected = {
        "engine": "wt-dit",
        "model": "r75b",
        "weights_sha256": read_header(weights).source_sha256,
        "steps": 3,
        "seed": 42,
        "seeds": [42],
        "precision": "fp32",
        "device": "cpu",
    }
    if wt_dit_network.choose_device("auto") == "cpu":
        assert {key: world.metadata[key] for key in expected} == expected


def test_a_scene_is_stretched_or_padded(trace, make_weights):
    make_weights("r69l")
    stretched, padded = trace("scene"), trace("scene", pad=True)
    assert stretched.scale == padded.scale == "relative"
    assert stretched.metadata["crop"] == [0, 0, 90, 60]
    assert stretched.valid[0].all()
    assert padded.metadata["crop"] == [0, -15, 90, 75]
    assert padded.valid[0, 7:35].all()  # 60 of 90 rows
    assert not padded.valid[:, :7].any()
    assert not padded.valid[:, 35:].any()


def test_a_mask_leaves_parts_of_a_scene_out(trace, make_weights):
    make_weights("r69l")
    mask = np.ones((60, 90), bool)
    mask[:20] = False
    world = trace("scene", mask=mask)
    assert not world.valid[:, :14].any()
    assert world.valid[0, 14:].all()


def test_clear_sky_is_told_and_left_out_on_request(engine, make_weights):
    make_weights("r69l")
    image = np.full((60, 90, 3), (90, 120, 60), np.uint8)
    image[:30] = (120, 170, 235)
    options = [TraceOptions("scene", extra=extra) for extra in ({}, {"mask_sky": True})]
    camera, everything = Camera.from_fov(90, 60, 50), np.ones((60, 90), bool)
    kept, masked = (engine.trace(image, everything, camera, option, silent) for option in options)
    assert "sky" in kept.metadata["notes"][0]
    assert kept.valid[0, :18].all()
    assert "left out" in masked.metadata["notes"][0]
    assert not masked.valid[:, :18].any()
    assert masked.valid[0, 24:].all()


def test_the_same_seed_gives_the_same_world_and_another_does_not(trace, make_weights):
    make_weights()
    first, again, other = trace(seed=7), trace(seed=7), trace(seed=8)
    np.testing.assert_array_equal(first.points, again.points)
    assert (first.points != other.points).any()


def test_several_seeds_are_those_traced_alone(trace, make_weights, tmp_path):
    make_weights()
    best = trace(seed=5, seeds=3, keep_seeds=str(tmp_path / "cup"))
    names = [f"cup_seed{seed}.safetensors" for seed in (5, 6, 7)]
    assert best.metadata["seed_files"] == names
    assert sorted(path.name for path in tmp_path.glob("cup*")) == names
    assert best.metadata["seeds"] == [5, 6, 7]
    assert len(best.metadata["seed_disagreement"]) == 3
    kept = {seed: LayeredWorld.load(tmp_path / name) for seed, name in zip((5, 6, 7), names, strict=True)}
    for seed, world in kept.items():
        alone = trace(seed=seed)
        both = world.valid & alone.valid
        assert both.sum() > 0.99 * alone.valid.sum()
        np.testing.assert_allclose(world.points[both], alone.points[both], atol=1e-4)
        assert world.metadata["seed"] == seed
    np.testing.assert_array_equal(best.points, kept[best.metadata["seed"]].points)
    assert best.confidence.shape == best.valid.shape
    assert 0 < best.confidence[best.valid].mean() < 1
    np.testing.assert_array_equal(trace(seeds=[6]).points, trace(seed=6).points)


def test_a_preview_is_written_and_the_result_follows(trace, make_weights, tmp_path):
    make_weights()
    file = tmp_path / "now.safetensors"
    seen = []
    world = trace(
        preview=str(file), preview_every=1, on_progress=lambda *_: seen.append(file.exists() and file.read_bytes())
    )
    assert len(set(seen)) == 3  # none, after the first and after the second of three steps
    assert LayeredWorld.load(file).metadata["preview"]
    assert "preview" not in world.metadata


def test_flyers_are_dropped_from_objects_unless_forbidden(trace, make_weights):
    make_weights()
    filtered, whole = trace(), trace(flyers=False)
    assert filtered.metadata["flyers_dropped"] == whole.valid.sum() - filtered.valid.sum() > 0
    assert whole.metadata["flyers_dropped"] == 0
    assert (filtered.valid <= whole.valid).all()


def test_both_precisions_run_from_either_file(trace, make_weights):
    worlds = {}
    for stored in ("fp32", "bf16"):
        model = str(make_weights(precision=stored))
        for precision in ("fp32", "fast"):
            worlds[stored, precision] = trace(model=model, precision=precision, device="cpu", flyers=False)
            assert worlds[stored, precision].metadata["precision"] == precision
    reference = worlds["fp32", "fp32"]
    for world in worlds.values():
        both = world.valid[0] & reference.valid[0]
        assert np.abs(world.points[0] - reference.points[0])[both].mean() < 0.1


def test_progress_counts_every_step_of_every_stage(trace, make_weights):
    make_weights()
    calls = []
    trace(seeds=2, on_progress=lambda *call: calls.append(call))
    assert [call[1:] for call in calls if call[0] == "Denoising"] == [(0, 3), (1, 3), (2, 3)]
    stages = list(dict.fromkeys(stage for stage, *_ in calls))
    assert stages == [
        "Preparing the picture",
        "Loading weights",
        "Encoding the picture",
        "Denoising",
        "Finishing the layers",
    ]


@pytest.mark.parametrize("stop", [("Loading weights", 3), ("Denoising", 1)])
def test_cancel_stops_at_once_and_the_next_trace_works(trace, make_weights, stop):
    make_weights()
    calls = []

    def cancel(stage, k, n):
        calls.append((stage, k))
        if (stage, k) == stop:
            raise Cancelled

    with pytest.raises(Cancelled):
        trace(on_progress=cancel)
    assert calls[-1] == stop
    assert trace().valid.any()


def test_weights_stay_loaded_until_they_are_freed_or_others_are_needed(engine, trace, make_weights, loads):
    first, second = make_weights(), make_weights("r69l")
    trace()
    trace(seeds=2)
    assert loads == [first]
    trace("scene")
    trace()
    assert loads == [first, second, first]
    engine.free_memory()
    trace()
    assert loads[3:] == [first]
    make_weights(change=lambda state: state["layer_embed.weight"].mul_(2))  # converted anew in the meantime
    trace()
    assert len(loads) == 5


def test_without_a_name_the_first_model_that_is_there_is_used(trace, make_weights, store):
    moved = make_weights("r69l").rename(store.folder / "elsewhere.safetensors")
    with pytest.raises(WorldTracingError, match="worldtracing weights download r69l"):
        trace("scene")
    assert trace("scene", model=str(moved)).metadata["model"] == "r69l"
    make_weights("r69l", "bf16")
    assert trace("scene").metadata["model"] == "r69l"


def test_the_official_draw_is_another(trace, make_weights):
    """Its equality with recorded runs is the parity tests' affair."""
    make_weights()
    portable, official = trace(flyers=False), trace(flyers=False, official_noise=True)
    assert (portable.points != official.points).any()
