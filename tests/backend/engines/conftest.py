"""Tiny models in the place of the released ones, their weights converted from a checkpoint into a weights folder."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from worldtracing.camera import Camera  # noqa: E402
from worldtracing.engines.base import TraceOptions  # noqa: E402
from worldtracing.engines.wt_dit import WTDiTEngine  # noqa: E402
from worldtracing.model import config as model_config  # noqa: E402
from worldtracing.model.config import EncoderConfig, ModelConfig  # noqa: E402
from worldtracing.progress import silent  # noqa: E402
from worldtracing.weights import catalogue  # noqa: E402
from worldtracing.weights.catalogue import ReleasedModel  # noqa: E402
from worldtracing.weights.convert import convert_checkpoint  # noqa: E402
from worldtracing.weights.network import build_on_meta  # noqa: E402
from worldtracing.weights.store import WeightStore  # noqa: E402

OBJECT = ModelConfig(
    image_size=42,
    layers=3,
    width=24,
    heads=2,
    blocks=3,
    head_blocks=3,
    steps=3,
    encoder=EncoderConfig(width=16, depth=4, heads=2, pos_grid=3),
)
SCENE = dataclasses.replace(OBJECT, name="r69l", mode="scene", layer_adaln=True, xyz_norm="median_log_global")
CLIP = dataclasses.replace(OBJECT, name="r76", mode="dynamic", temporal=True, frames=3, noise_correlation=0.5)
TINY = {config.name: config for config in (OBJECT, SCENE, CLIP)}


@pytest.fixture(autouse=True)
def store(monkeypatch, tmp_path):
    """The weights folder that the engine finds, empty."""
    for name, config in TINY.items():
        releases = {"2026-06": 0.0, "2026-09": 0.5} if config.temporal else {}
        monkeypatch.setitem(model_config.MODELS, name, config)
        monkeypatch.setitem(catalogue.RELEASED, name, ReleasedModel(name, "tiny", f"a/{name}", releases=releases))
    monkeypatch.setenv("WORLDTRACING_WEIGHTS", str(tmp_path / "weights"))
    return WeightStore()


@pytest.fixture
def make_weights(store, tmp_path):
    """A function that converts a new checkpoint of a model into the weights folder; the file."""

    def make(name="r75b", precision="fp32", release=None, change=lambda state: None):
        generator = torch.Generator().manual_seed(0)
        # As wide as initializations are; norms near 1, so that every block matters and nothing overflows.
        state = {
            key: torch.randn(tensor.shape, generator=generator) * 0.1 + ("norm" in key or "std" in key)
            for key, tensor in build_on_meta(TINY[name]).state_dict().items()
        }
        change(state)
        checkpoint = tmp_path / f"{name}.pt"
        torch.save({"model_state_dict": state}, checkpoint)
        target = store.weights_path(name, precision)
        convert_checkpoint(checkpoint, target, catalogue.RELEASED[name], precision, release)
        return target

    return make


@pytest.fixture
def engine():
    engine = WTDiTEngine()
    yield engine
    engine.free_memory()


@pytest.fixture
def disk():
    """A photo of 90 x 60 pixels and the mask of the object in it."""
    rows, columns = np.mgrid[:60, :90] + 0.5
    mask = (rows - 31) ** 2 + (columns - 52) ** 2 < 18**2
    image = np.full((60, 90, 3), 230, np.uint8)
    image[mask] = (170, 60, 40)
    return image, mask


@pytest.fixture
def trace(engine, disk):
    """A function that traces the disk; its keywords beyond those named are the engine's options."""

    def trace(mode="object", seed=42, on_progress=silent, mask=None, **extra):
        image, drawn = disk
        if mask is None:
            mask = drawn if mode == "object" else np.ones_like(drawn)
        camera = Camera.from_fov(90, 60, 50, "default")
        return engine.trace(image, mask, camera, TraceOptions(mode, seed, extra=extra), on_progress)

    return trace
