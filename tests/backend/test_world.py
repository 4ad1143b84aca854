import contextlib
import errno
import json
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from worldtracing.errors import WorldTracingError
from worldtracing.files import replacing, temporary_path, write_atomically
from worldtracing.world import FORMAT, LayeredWorld


def make_world(layers=2, height=5, width=7, seed=0, confidence=True, scale="relative", metadata=None):
    random = np.random.default_rng(seed)
    valid = random.random((layers, height, width)) < 0.6
    points = random.normal(size=(layers, height, width, 3)).astype(np.float32) * valid[..., None]
    return LayeredWorld(
        points=points,
        valid=valid,
        rgb=random.integers(0, 256, (height, width, 3), np.uint8),
        K=np.array([[30.0, 0, width / 2], [0, 31.0, height / 2], [0, 0, 1]]),
        scale=scale,
        confidence=random.random((layers, height, width), np.float32) if confidence else None,
        metadata=metadata or {},
    )


def code_of(action, *arguments):
    with pytest.raises(WorldTracingError) as caught:
        action(*arguments)
    assert caught.value.fix and str(caught.value).endswith(f"[{caught.value.code}]")
    return caught.value.code


def names(folder):
    return sorted(entry.name for entry in Path(folder).iterdir())


def rewritten(content: bytes, change) -> bytes:
    """A safetensors file with its JSON header changed."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    layers=st.integers(1, 6),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
    confidence=st.booleans(),
    scale=st.sampled_from(["metric", "relative"]),
    metadata=st.dictionaries(st.text(), JSON, max_size=4),
)
def test_a_world_reads_back_as_it_was_saved(metadata, **sizes):
    world = make_world(metadata=metadata, **sizes)
    with tempfile.TemporaryDirectory() as folder:
        back = LayeredWorld.load(world.save(Path(folder) / "world.safetensors"))
        assert names(folder) == ["world.safetensors"]
    for name in ("points", "valid", "rgb", "K", "confidence"):
        before, after = getattr(world, name), getattr(back, name)
        np.testing.assert_array_equal(before, after)
        assert before is None or before.dtype == after.dtype
    assert back.scale == world.scale
    assert dict(back.metadata) == dict(world.metadata) == metadata
    assert (back.layers, back.height, back.width) == back.valid.shape


def test_layer_points_are_those_of_valid_pixels_in_row_major_order():
    world = make_world()
    expected = [world.points[1, v, u] for v in range(5) for u in range(7) if world.valid[1, v, u]]
    np.testing.assert_array_equal(world.layer_points(1), expected)


def test_a_world_cannot_be_changed():
    world = make_world(metadata={"seed": 1})
    with pytest.raises(ValueError, match="read-only"):
        world.points[0, 0, 0, 0] = 1
    with pytest.raises(TypeError):
        world.metadata["seed"] = 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_is_called_truncated(data):
    with tempfile.TemporaryDirectory() as folder:
        path = make_world().save(Path(folder) / "world.safetensors")
        content = path.read_bytes()
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        assert code_of(LayeredWorld.load, path) == "WT-IO-TRUNCATED"


@pytest.mark.parametrize(
    "content",
    [
        b"This is a text file, not a world.",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        struct.pack("<Q", 10) + b'{"a": 1}  ',
        struct.pack("<Q", 4) + b"[12]" + bytes(9),
        save({"points": np.zeros(3)}),
        save({"points": np.zeros(3)}, {"format": "someone.else", "version": "1"}),
        save({"points": np.zeros(3)}, {"format": "worldtracing.layered-world"}),
        save({"points": np.zeros(3)}, {"format": "worldtracing.layered-world", "version": "²"}),
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        struct.pack("<Q", 79) + b'{"__metadata__": {"format": "worldtracing.layered-world", "version": Infinity}}',
    ],
)
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "world.safetensors"
    path.write_bytes(content)
    assert code_of(LayeredWorld.load, path) == "WT-IO-FOREIGN"


def test_a_newer_file_is_refused_even_if_its_tensors_are_of_an_unknown_type(tmp_path):
    def modernise(header):
        header["__metadata__"]["version"] = "2"
        header["valid"]["dtype"] = "F1"

    path = make_world().save(tmp_path / "world.safetensors")
    path.write_bytes(rewritten(path.read_bytes(), modernise))
    assert code_of(LayeredWorld.load, path) == "WT-IO-NEWER"


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert code_of(LayeredWorld.load, tmp_path / "none.safetensors") == "WT-IO-READ"
    assert code_of(LayeredWorld.load, tmp_path) == "WT-IO-READ"


@pytest.mark.parametrize(
    "change",
    [
        {"points": np.zeros((1, 2, 5, 7, 3))},
        {"points": np.zeros((1, 2, 5, 7, 2), np.float32)},
        {"points": np.zeros((1, 7, 5, 7, 3), np.float32), "valid": np.zeros((1, 7, 5, 7), bool)},
        {"points": np.full((1, 2, 5, 7, 3), np.nan, np.float32)},
        {"points": np.array(1, np.float32)},
        {"valid": np.zeros((1, 2, 5, 7), np.uint8)},
        {"rgb": np.zeros((1, 5, 6, 3), np.uint8)},
        {"rgb": np.zeros((2, 5, 7, 3), np.uint8)},
        {"K": np.eye(3, dtype=np.float32)[None]},
        {"K": np.diag([1.0, -1.0, 1.0])[None]},
        {"K": np.array([[[9.0, 1, 3], [0, 9, 3], [0, 0, 1]]])},
        {"K": np.array([[[9.0, 0, np.inf], [0, 9, 3], [0, 0, 1]]])},
        {"confidence": np.full((1, 2, 5, 7), 1.5, np.float32)},
        {"confidence": np.zeros((1, 2, 5, 7), np.float16)},
        {"rgb": None},
        {"scale": "feet"},
        {"scale": None},
        {"metadata": "{"},
        {"metadata": "[]"},
    ],
    ids=str,
)
def test_what_a_world_cannot_be_is_refused(tmp_path, change):
    tensors = {
        "points": np.ones((1, 2, 5, 7, 3), np.float32),
        "valid": np.ones((1, 2, 5, 7), bool),
        "rgb": np.zeros((1, 5, 7, 3), np.uint8),
        "K": np.array([[[30.0, 0, 3], [0, 30, 2], [0, 0, 1]]]),
    }
    header = {"format": "worldtracing.layered-world", "version": "1", "scale": "metric", "metadata": "{}"}
    path = tmp_path / "world.safetensors"
    path.write_bytes(save(tensors, header))
    assert LayeredWorld.load(path).layers == 2

    for name, value in change.items():
        part = header if name in header else tensors
        part.update({name: value}) if value is not None else part.pop(name)
    path.write_bytes(save(tensors, header))
    assert code_of(LayeredWorld.load, path) == "WT-IO-INVALID"


def test_a_tensor_type_that_numpy_lacks_is_refused(tmp_path):
    path = make_world().save(tmp_path / "world.safetensors")
    path.write_bytes(rewritten(path.read_bytes(), lambda header: header["rgb"].update(dtype="F8_E4M3")))
    assert code_of(LayeredWorld.load, path) == "WT-IO-INVALID"


@pytest.mark.parametrize("metadata", [{"seed": np.int64(3)}, {"time": float("nan")}])
def test_metadata_that_a_file_cannot_hold_is_refused_at_once(metadata):
    assert code_of(lambda: make_world(metadata=metadata)) == "WT-IO-INVALID"


@pytest.mark.parametrize(
    "odd",
    [
        {"crop": [0, 0, 1]},
        {"crop": "0 0 1 1"},
        {"crop": [0, 0, None, 1]},
        {"crop": [4, 0, 4, 8]},
        {"crop": [0, 0, 10**400, 8]},
        {"image": 7},
        {"model": ["a"]},
        {"seed": "42"},
        {"notes": "one"},
        {"notes": [1]},
    ],
)
def test_metadata_of_the_wrong_kind_is_refused(tmp_path, odd):
    assert code_of(lambda: make_world(metadata=odd)) == "WT-IO-INVALID"
    path = make_world().save(tmp_path / "world.safetensors")
    text = json.dumps(odd)
    path.write_bytes(rewritten(path.read_bytes(), lambda header: header["__metadata__"].update(metadata=text)))
    assert code_of(LayeredWorld.load, path) == "WT-IO-INVALID"


def test_metadata_may_be_missing_or_null():
    everything = dict.fromkeys(("engine", "model", "mode", "image", "seed", "notes", "crop"))
    assert make_world(metadata=everything).metadata == everything


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = make_world().save(tmp_path / "world.safetensors")
    before = path.read_bytes()
    temporary_path(path).symlink_to("/dev/full")  # the kernel's own "no space left on device"
    assert code_of(make_world(seed=1).save, path) == "WT-IO-FULL"
    assert path.read_bytes() == before
    assert names(tmp_path) == [path.name]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert code_of(make_world().save, tmp_path / "file" / "world.safetensors") == "WT-IO-WRITE"
    (tmp_path / "folder.safetensors").mkdir()
    assert code_of(make_world().save, tmp_path / "folder.safetensors") == "WT-IO-WRITE"
    assert names(tmp_path) == ["file", "folder.safetensors"]


def test_a_file_that_a_program_has_open_on_windows_is_told(tmp_path, monkeypatch):
    def replace(self, target):
        error = PermissionError(errno.EACCES, "The process cannot access the file")
        error.winerror = 32  # a sharing violation
        raise error

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(WorldTracingError) as caught:
        make_world().save(tmp_path / "world.safetensors")
    assert caught.value.code == "WT-IO-WRITE"
    assert "Close other programs that have it open" in caught.value.fix
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def common_rights():
    """Root may write into every folder, the user "nobody" may not."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other rights")
def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    monkeypatch.chdir(folder)  # nobody may not pass through the folders above it, which are root's own
    with common_rights():
        assert code_of(make_world().save, "world.safetensors") == "WT-IO-WRITE"
    assert names(folder) == []


def test_missing_folders_are_made(tmp_path):
    assert write_atomically(tmp_path / "a" / "b" / "c.bin", b"content").read_bytes() == b"content"


def test_a_failure_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "world.bin") as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_metadata_that_is_nested_without_end_is_refused():
    assert code_of(FORMAT.json_object, "[" * 100_000) == "WT-IO-INVALID"
