import json

import pytest

from worldtracing.cli import main
from worldtracing.errors import WorldTracingError
from worldtracing.weights import catalogue
from worldtracing.weights.convert import convert_checkpoint
from worldtracing.weights.store import WeightStore, default_folder


@pytest.fixture
def filled(store, checkpoint, tiny):
    """Converted weights in both precisions, a download, unfinished work, and files that are none of ours."""
    for precision in ("bf16", "fp32"):
        convert_checkpoint(checkpoint, store.weights_path("tiny", precision), tiny, precision)
    download = store.download_path(tiny)
    download.parent.mkdir(parents=True)
    download.write_bytes(b"checkpoint")
    download.with_name("model.pt.json").write_text("{}")
    download.with_name("model.pt.abc.partial").write_bytes(b"half")
    (store.folder / ".tiny-bf16.safetensors.99.tmp").write_bytes(b"killed")
    (store.folder / "mine.safetensors").write_bytes(b"not a World Tracing file")
    (store.folder / "notes.txt").write_text("keep me")
    return store


def names(files):
    return sorted((file.kind, file.path.name) for file in files)


def test_files_are_listed_with_kind_size_and_header(filled):
    assert names(filled.files()) == [
        ("download", "model.pt"),
        ("partial", ".tiny-bf16.safetensors.99.tmp"),
        ("partial", "model.pt.abc.partial"),
        ("weights", "tiny-bf16.safetensors"),
        ("weights", "tiny-fp32.safetensors"),
    ]
    sizes = {file.path.name: file.size for file in filled.files()}
    assert sizes["model.pt"] == 10
    assert sizes["tiny-bf16.safetensors"] < sizes["tiny-fp32.safetensors"]
    assert {file.header.precision for file in filled.files() if file.header} == {"bf16", "fp32"}


def test_removing_a_model_keeps_other_files(filled):
    assert len(filled.remove("tiny")) == 5
    assert filled.files() == []
    assert sorted(path.name for path in filled.folder.iterdir() if path.is_file()) == ["mine.safetensors", "notes.txt"]
    assert filled.remove("tiny") == []


def test_removing_downloads_keeps_the_weights(filled):
    filled.remove("tiny", kinds=("download", "partial"))
    assert {file.kind for file in filled.files()} == {"weights"}


def test_a_link_is_removed_and_what_it_points_to_stays(store, tiny, tmp_path):
    outside = tmp_path / "outside.pt"
    outside.write_bytes(b"precious")
    store.download_path(tiny).parent.mkdir(parents=True)
    store.download_path(tiny).symlink_to(outside)
    store.remove("tiny")
    assert not store.files()
    assert outside.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["../tiny", "/etc/passwd", "", "r99"])
def test_only_names_of_the_catalogue_are_accepted(store, name):
    for call in (store.remove, store.find, lambda n: store.weights_path(n, "bf16")):
        with pytest.raises(WorldTracingError) as caught:
            call(name)
        assert caught.value.code == "WT-MODEL-UNKNOWN"


def test_bf16_is_found_before_fp32_and_missing_weights_are_told(filled):
    assert filled.find("tiny").name == "tiny-bf16.safetensors"
    filled.weights_path("tiny", "bf16").unlink()
    assert filled.find("tiny").name == "tiny-fp32.safetensors"
    with pytest.raises(WorldTracingError, match="weights download r75b") as caught:
        filled.find("r75b")
    assert caught.value.code == "WT-MODEL-MISSING"


def test_an_accepted_licence_is_remembered_until_its_text_changes(store, tiny, tiny_clip, monkeypatch):
    assert not store.licence_accepted(tiny)
    store.accept_licence(tiny)
    assert WeightStore(store.folder).licence_accepted(tiny)
    assert not store.licence_accepted(tiny_clip)
    record = json.loads((store.folder / "licences.json").read_text())[tiny.repo]
    assert record["licence"] == catalogue.LICENCE
    assert record["accepted"].startswith("20")
    monkeypatch.setattr("worldtracing.weights.store.LICENCE", "other terms")
    assert not store.licence_accepted(tiny)


def test_a_damaged_licence_file_means_asking_again(store, tiny):
    store.folder.mkdir(parents=True)
    for content in ("{", "[]", "\x00"):
        (store.folder / "licences.json").write_text(content)
        assert not store.licence_accepted(tiny)
    store.accept_licence(tiny)
    assert store.licence_accepted(tiny)


def test_the_folder_of_the_environment_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("WT_TEST_DIR", str(tmp_path))
    monkeypatch.setenv("WORLDTRACING_WEIGHTS", "$WT_TEST_DIR/Gewichte ä")
    assert default_folder() == tmp_path / "Gewichte ä"


def test_command_line_from_licence_to_removal(store, hub, checkpoint, tiny, capsys):
    hub.serve(checkpoint.read_bytes())
    folder = ["weights", "--folder", str(store.folder)]
    download = [*folder, "download", "tiny", "--endpoint", hub.endpoint]
    assert main(download) == 1
    out = capsys.readouterr()
    assert "WT-MODEL-LICENCE" in out.err
    assert catalogue.LICENCE in out.err
    assert main([*download, "--accept-licence"]) == 0
    assert names(store.files()) == [("weights", "tiny-bf16.safetensors")]
    assert main([*folder, "verify"]) == 0
    assert "unchanged" in capsys.readouterr().out

    assert main([*folder, "convert", "tiny", "--from", str(checkpoint), "--precision", "fp32"]) == 0
    capsys.readouterr()
    assert main([*folder, "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["precision"] for entry in listed["files"]] == ["bf16", "fp32"]
    assert listed["licence"] == catalogue.LICENCE
    assert main([*folder, "list"]) == 0
    assert "ready: tiny-bf16.safetensors" in capsys.readouterr().out

    weights = store.weights_path("tiny", "bf16")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x55")
    assert main([*folder, "verify", "tiny"]) == 1
    assert "WT-MODEL-CHECKSUM" in capsys.readouterr().err
    assert main([*folder, "remove", "tiny"]) == 0
    assert store.files() == []


@pytest.mark.parametrize(
    ("left", "code"), [(3000, "WT-MODEL-TRUNCATED"), (40, "WT-MODEL-FOREIGN"), (0, "WT-MODEL-FOREIGN")]
)
def test_weights_cut_short_are_listed_found_out_and_removed(filled, capsys, left, code):
    path = filled.weights_path("tiny", "bf16")
    path.write_bytes(path.read_bytes()[:left])
    folder = ["weights", "--folder", str(filled.folder)]
    assert main([*folder, "list"]) == 0
    assert "damaged: tiny-bf16.safetensors" in capsys.readouterr().out
    for command in (["verify"], ["verify", "tiny"]):
        assert main([*folder, *command]) == 1
        assert code in capsys.readouterr().err
    assert main([*folder, "remove", "tiny"]) == 0
    assert not path.exists()


def test_there_must_be_something_to_verify(store, capsys):
    folder = ["weights", "--folder", str(store.folder)]
    assert main([*folder, "verify"]) == 0
    assert "no converted weights" in capsys.readouterr().out
    assert main([*folder, "verify", "tiny"]) == 1
    assert "WT-MODEL-MISSING" in capsys.readouterr().err


def test_command_line_asks_for_the_release_before_downloading(store, hub, tiny_clip, capsys):
    store.accept_licence(tiny_clip)
    command = ["weights", "--folder", str(store.folder), "download", "tinyclip", "--endpoint", hub.endpoint]
    assert main(command) == 1
    assert "--release 2026-06" in capsys.readouterr().err
    assert not hub.requests
