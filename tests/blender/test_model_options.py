"""The options of the engine with a model: from the panel into the request, and its errors back into the panel."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import bpy
import numpy as np
import pytest


@pytest.fixture
def photo():
    image = bpy.data.images.new("square", 64, 64, alpha=True)
    pixels = np.zeros((64, 64, 4), np.float32)
    pixels[20:44, 16:48] = (0.8, 0.2, 0.1, 1.0)
    image.pixels.foreach_set(pixels.reshape(-1))
    return image


@pytest.fixture
def settings(photo):
    settings = bpy.context.scene.world_tracing
    settings.image = photo
    return settings


def test_the_panels_choices_become_the_engines_options(settings):
    settings.engine = "silhouette"
    settings.model, settings.steps, settings.seeds, settings.precision = "r75b", 8, 4, "fast"
    assert settings.trace_settings().extra == {}  # the engine without noise or a model has none of them
    settings.engine = "wt-bundled"
    assert settings.trace_settings().extra == {"steps": 8, "seeds": 4}
    settings.engine = "wt-dit"
    assert settings.trace_settings().extra == {"model": "r75b", "steps": 8, "seeds": 4, "precision": "fast"}
    settings.model = settings.precision = "auto"
    assert settings.trace_settings().extra == {"steps": 8, "seeds": 4}
    settings.steps, settings.seeds = 0, 1
    assert settings.trace_settings().extra == {}  # as many as the model is meant for


def test_models_of_clips_are_not_offered(settings):
    offered = settings.bl_rna.properties["model"].enum_items.keys()
    assert {"auto", "r75b", "r69l"} <= set(offered)
    assert "r76" not in offered


def test_what_is_missing_is_said_in_the_panel(settings, submodule, monkeypatch, tmp_path):
    """Without PyTorch that it is missing, and with it that there are no weights."""
    monkeypatch.setenv("WORLDTRACING_WEIGHTS", str(tmp_path))
    settings.engine = "wt-dit"
    try:
        with pytest.raises(RuntimeError, match=r"WT-ENV-TORCH|WT-MODEL-MISSING"):
            bpy.ops.wt.trace_world()
    finally:
        submodule("worldtracing_addon.client.session").shutdown()
    assert bpy.context.window_manager.world_tracing_job.error_fix
    assert not bpy.data.objects


@pytest.mark.skipif(
    not all(map(find_spec, ("torch", "einops", "cv2", "scipy"))),
    reason="Blender's Python is no backend environment here",
)
def test_a_network_traces_from_the_panel_to_the_scene(settings, submodule, monkeypatch, tmp_path):
    program = Path(__file__).resolve().parents[1] / "support" / "tiny_weights.py"
    subprocess.run([sys.executable, str(program), "r75b", str(tmp_path)], check=True)
    monkeypatch.setenv("WORLDTRACING_WEIGHTS", str(tmp_path))
    api = submodule("worldtracing_addon.api")
    settings.engine, settings.seeds, settings.steps = "wt-dit", 2, 3
    try:
        world = api.trace_world(
            settings.image, settings=settings.trace_settings(), output=tmp_path / "out" / "square.safetensors"
        )
    finally:
        submodule("worldtracing_addon.client.session").shutdown()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["square.safetensors", "square_seed42.safetensors", "square_seed43.safetensors"]
    saved = api.LayeredWorld.load(tmp_path / "out" / "square.safetensors")
    assert [len(layer.data.vertices) for layer in world.layers] == saved.valid.sum((1, 2)).tolist()
    assert saved.metadata["crop"] == [8, 8, 56, 56]
    assert tuple(world.camera["wt_frame"]) == (64, 64)  # the matched camera takes the whole photo, not the crop
    other = api.build_from_file(tmp_path / "out" / "square_seed43.safetensors")
    assert other.layers


def test_an_engine_of_another_machine_stays_chosen(settings):
    settings.engine_name = "theirs"
    assert settings.engine == "theirs" and settings.trace_settings().engine == "theirs"
    settings.engine = "silhouette"
    assert settings.engine_name == "silhouette"
