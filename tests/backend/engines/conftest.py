"""Tiny models in the place of the released ones, their weights converted from a checkpoint into a weights folder."""

import numpy as np
import pytest
from PIL import Image
from tiny_weights import TINY, write_checkpoint

from worldtracing.camera import Camera
from worldtracing.engines.base import TraceOptions
from worldtracing.engines.wt_dit import WTDiTEngine
from worldtracing.model import config as model_config
from worldtracing.progress import silent
from worldtracing.weights import catalogue
from worldtracing.weights.catalogue import ReleasedModel
from worldtracing.weights.convert import convert_checkpoint
from worldtracing.weights.store import WeightStore


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
        checkpoint = write_checkpoint(tmp_path / f"{name}.pt", TINY[name], change)
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
def photo(tmp_path, disk):
    """The disk as a file, with its mask as alpha."""
    image, mask = disk
    path = tmp_path / "disk.png"
    Image.fromarray(np.dstack([image, mask * np.uint8(255)])).save(path)
    return path


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
