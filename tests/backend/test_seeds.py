"""Several seeds of an engine that draws noise but knows one seed at a time."""

import numpy as np
import pytest

from worldtracing import LayeredWorld, WorldTracingError
from worldtracing.engines.base import EngineInfo
from worldtracing.seeds import read_seeds
from worldtracing.tracing import TraceRequest, trace_photo


class NoisyEngine:
    """A flat layer, whose depth is the seed's last digit."""

    info = EngineInfo("noisy", "Noisy", "For tests.", draws_noise=True)

    def trace(self, image, mask, camera, options, on_progress):
        on_progress("Guessing", 0, 2)
        points = camera.rays()[None] * np.float32(options.seed % 10)
        return LayeredWorld(points, mask[None], image, camera.K, "relative")


class FixedEngine(NoisyEngine):
    info = EngineInfo("fixed", "Fixed", "For tests.")

    def trace(self, image, mask, camera, options, on_progress):
        self.options = options
        return super().trace(image, mask, camera, options, on_progress)


def test_every_seed_is_kept_and_the_middle_one_is_suggested(photo, tmp_path):
    steps = []
    request = TraceRequest(photo, seed=2, extra={"seeds": [2, 9, 3], "keep_seeds": str(tmp_path / "box")})
    world = trace_photo(request, NoisyEngine(), lambda *step: steps.append(step))
    assert world.metadata["seed"] == 3 and world.metadata["seeds"] == [2, 9, 3]
    assert world.metadata["seed_disagreement"] == pytest.approx([1 / 3, 2, 0])
    assert world.metadata["seed_files"] == ["box_seed2.safetensors", "box_seed9.safetensors", "box_seed3.safetensors"]
    assert world.metadata["settings"] == {
        "seed": 2,
        "resolution": 504,
        "fov_degrees": None,
        "extra": {"seeds": [2, 9, 3]},
    }
    for seed, name in zip([2, 9, 3], world.metadata["seed_files"], strict=True):
        kept = LayeredWorld.load(tmp_path / name)
        assert kept.metadata["seed"] == seed and kept.points[0, 20, 30, 2] == seed
        assert kept.metadata["image"] == "box.png" and "seed_files" not in kept.metadata
    assert (world.confidence[world.valid] == 1).all(), "the guesses differ in scale alone, which is nobody's fault"
    assert ("Seed 2 of 3: Guessing", 0, 2) in steps and ("Writing the seeds", 2, 3) in steps


def test_one_seed_writes_nothing_more(photo, tmp_path):
    request = TraceRequest(photo, seed=7, extra={"seeds": 1, "keep_seeds": str(tmp_path / "box")})
    world = trace_photo(request, NoisyEngine())
    assert world.confidence is None and "seed_files" not in world.metadata
    assert not list(tmp_path.glob("*seed*"))


def test_a_cancel_leaves_no_file(photo, tmp_path):
    def stop(stage, k, n):
        if stage.startswith("Seed 2"):
            raise KeyboardInterrupt

    request = TraceRequest(photo, extra={"seeds": 3, "keep_seeds": str(tmp_path / "box")})
    with pytest.raises(KeyboardInterrupt):
        trace_photo(request, NoisyEngine(), stop)
    assert not list(tmp_path.glob("*seed*"))


def test_an_engine_without_noise_gets_its_options_as_they_are(photo):
    engine = FixedEngine()
    trace_photo(TraceRequest(photo, extra={"seeds": 4, "model": "a/b"}), engine)
    assert engine.options.extra == {"seeds": 4, "model": "a/b"}


@pytest.mark.parametrize("value", [0, 17, 10**15, -3, 2.0, "4", True, {}, [1, 1], [-1], [2**32], [True]])
def test_impossible_seeds(value):
    with pytest.raises(WorldTracingError) as caught:
        read_seeds(value, 42)
    assert caught.value.code == "WT-MODEL-SEEDS"


def test_seeds_wrap_around():
    assert read_seeds(3, 2**32 - 2) == (2**32 - 2, 2**32 - 1, 0)
