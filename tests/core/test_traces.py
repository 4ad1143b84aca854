"""The saved traces of a folder, from their headers."""

import os
import shutil
import sys

import pytest
from toy_world import make_world
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.backend.worldtracing.world import LayeredWorld, read_metadata
from world_tracing.worldtracing_addon.core.traces import find_traces, seed_names


def save(path, when, **metadata):
    make_world(LayeredWorld, width=24, height=16, **metadata).save(path)
    os.utime(path, (when, when))
    return path


def test_newest_first_and_seeds_under_their_trace(tmp_path):
    save(tmp_path / "old.safetensors", 1000, image="old.jpg", steps=4)
    save(tmp_path / "cup_seed1.safetensors", 2000, seed=1)
    save(tmp_path / "cup_seed2.safetensors", 2000, seed=2)
    names = ["cup_seed1.safetensors", "cup_seed2.safetensors", "../old.safetensors"]
    save(tmp_path / "cup.safetensors", 3000, seed=2, seeds=[1, 2], seed_files=names, image="cup.jpg")
    (tmp_path / "foreign.safetensors").write_bytes(b"nothing of ours")
    traces = find_traces([tmp_path, tmp_path / "missing"])
    assert [trace.name for trace in traces] == ["cup.jpg", "old.jpg"]
    assert [trace.label for trace in traces] == ["ball, object, seed 2, best of 2", "ball, object, seed 0"]
    assert [file.name for file in traces[0].seed_files] == names[:2], "no file names another folder"
    assert traces[0].size == sum(file.stat().st_size for file in tmp_path.glob("cup*"))


def test_a_file_names_no_other_files_as_its_seeds():
    names = ["cup_seed7.safetensors", "taxes.pdf", "other.safetensors", "../cup_seed8.safetensors", 5]
    assert seed_names({"seed_files": names}) == ["cup_seed7.safetensors"] and seed_names({"seed_files": 5}) == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is text")
def test_names_that_are_no_text_are_left_out(tmp_path):
    save(tmp_path / "fine.safetensors", 1000)
    shutil.copy(os.fsencode(tmp_path / "fine.safetensors"), os.fsencode(tmp_path) + b"/b\xff.safetensors")
    assert [trace.path.name for trace in find_traces([tmp_path])] == ["fine.safetensors"]


def test_metadata_needs_no_tensor(tmp_path):
    path = save(tmp_path / "cup.safetensors", 1000, image="cup.jpg")
    assert read_metadata(path) == dict(LayeredWorld.load(path).metadata)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    with pytest.raises(WorldTracingError) as caught:
        read_metadata(path)
    assert caught.value.code == "WT-IO-TRUNCATED"
    with pytest.raises(WorldTracingError) as caught:
        read_metadata(tmp_path / "none.safetensors")
    assert caught.value.code == "WT-IO-READ"
