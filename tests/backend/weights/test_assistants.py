"""Models that select and find: fetched with their small files, the weights last, and found by what loads them."""

import json

import pytest

from worldtracing.cli import main
from worldtracing.editing.sam2_segmenter import Sam2Segmenter
from worldtracing.errors import Cancelled, WorldTracingError
from worldtracing.weights.assistants import (
    ASSISTANT_MODELS,
    WEIGHTS,
    fetch,
    is_fetched,
    own_folder,
    remove,
    unfinished_bytes,
)

pytest.importorskip("huggingface_hub")

FILES = ["README.md", "config.json", "model.safetensors", "pytorch_model.bin", "onnx/config.json", "vocab.txt"]
FILES += ["..\\..\\config.json", "C:config.json", ".json"]  # one of which would be elsewhere on Windows


@pytest.fixture
def hub(hub):
    hub.files = FILES
    return hub


def fetched(hub):
    return [path.rpartition("/")[2] for _, path, _ in hub.gets() if "/resolve/" in path]


def test_what_is_needed_is_fetched_and_the_weights_last(hub, tmp_path):
    folder = fetch(tmp_path, "grounding-dino", True, endpoint=hub.endpoint)
    assert fetched(hub) == ["config.json", "vocab.txt", "model.safetensors"]
    assert folder == own_folder(ASSISTANT_MODELS["grounding-dino"].repo, tmp_path)
    assert (folder / "model.safetensors").read_bytes() == hub.content and not (folder / "onnx").exists()
    fetch(tmp_path, "grounding-dino", True, endpoint=hub.endpoint)
    assert len(fetched(hub)) == 3, "what is there is not fetched again"


def test_nothing_is_asked_for_before_the_license_is_accepted(hub, tmp_path, capsys):
    with pytest.raises(WorldTracingError) as caught:
        fetch(tmp_path, "sam2", False, endpoint=hub.endpoint)
    assert caught.value.code == "WT-MODEL-LICENCE" and "Apache-2.0" in caught.value.message
    command = ["weights", "--folder", str(tmp_path), "fetch", "sam2", "--json", "--endpoint", hub.endpoint]
    assert main(command) == 1 and hub.requests == []
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "WT-MODEL-LICENCE"
    assert main([*command, "--accept-licence"]) == 0
    stages = [json.loads(line)["progress"][0] for line in capsys.readouterr().out.splitlines()]
    assert any(stage.startswith("Downloading sam2") for stage in stages)


def test_failures_have_their_codes_and_speak_of_no_conversion(hub, tmp_path):
    for status, error_code, code in ((401, "GatedRepo", "WT-MODEL-GATED"), (404, "RepoNotFound", "WT-MODEL-NOT-FOUND")):
        hub.status, hub.error_code = status, error_code
        with pytest.raises(WorldTracingError) as caught:
            fetch(tmp_path, "sam3", True, endpoint=hub.endpoint)
        assert caught.value.code == code and "convert" not in caught.value.fix
    assert not own_folder(ASSISTANT_MODELS["sam3"].repo, tmp_path).exists()


def test_what_was_fetched_is_found_by_what_loads_it(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLDTRACING_WEIGHTS", str(tmp_path))
    segmenter = Sam2Segmenter()
    assert segmenter.source() == Sam2Segmenter.model
    folder = fetch(None, "sam2", True, endpoint=hub.endpoint)
    assert segmenter.source() == str(folder)
    (folder / "model.safetensors").unlink()
    assert segmenter.source() == Sam2Segmenter.model, "a download that was left in the middle"


def test_what_a_stopped_download_has_left_is_counted_and_removed(hub, tmp_path):
    def stop(stage, k, n):
        if stage.startswith("Downloading") and own_folder(repo, tmp_path).joinpath("config.json").is_file():
            raise Cancelled

    repo = ASSISTANT_MODELS["sam2"].repo
    assert unfinished_bytes(tmp_path, "sam2") == 0
    with pytest.raises(Cancelled):
        fetch(tmp_path, "sam2", True, stop, endpoint=hub.endpoint)
    files = list(own_folder(repo, tmp_path).iterdir())
    assert unfinished_bytes(tmp_path, "sam2") == sum(path.stat().st_size for path in files) > 0
    remove(tmp_path, "sam2")
    assert not own_folder(repo, tmp_path).exists()
    fetch(tmp_path, "sam2", True, endpoint=hub.endpoint)
    assert unfinished_bytes(tmp_path, "sam2") == 0 and is_fetched(tmp_path, "sam2")


def test_what_is_removed_is_gone_or_all_there(hub, tmp_path):
    folder = fetch(tmp_path, "sam2", True, endpoint=hub.endpoint)
    remove(tmp_path, "sam2")
    assert not folder.exists()
    remove(tmp_path, "sam2")  # nothing to do
    fetch(tmp_path, "sam2", True, endpoint=hub.endpoint)
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).mkdir()  # cannot be unlinked, as weights that are in use on Windows
    with pytest.raises(WorldTracingError) as caught:
        remove(tmp_path, "sam2")
    assert caught.value.code == "WT-IO-WRITE" and (folder / "config.json").is_file()
    assert not is_fetched(tmp_path, "sam2")


def test_the_models_are_those_of_the_plug_ins():
    from worldtracing.editing import DETECTORS, SEGMENTERS

    for name, model in ASSISTANT_MODELS.items():
        plugins = [registry.load(name) for registry in (SEGMENTERS, DETECTORS) if name in registry.names()]
        assert plugins and all((one.model, one.gated) == (model.repo, model.gated) for one in plugins)
