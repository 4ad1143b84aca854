"""Samples are reproducible, consistent, and come back from disk; rendering stops and goes on; the pool is split."""

import json
import multiprocessing
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from worldtracing.data import pool, scenes, shapes, shards
from worldtracing.data.__main__ import main
from worldtracing.errors import WorldTracingError

pytest.importorskip("embreex")

SOURCE = scenes.object_source([])


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    """A pool of 24 procedural meshes on disk, one with a texture."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pool")
    for k in range(24):
        mesh = shapes.union(np.random.default_rng(k))
        np.savez(folder / f"thing{chr(97 + k)}x_{k}.npz", v=mesh.vertices, f=mesh.faces)
    box = shapes.box().normalized()
    Image.fromarray(np.full((4, 4, 3), (10, 200, 30), np.uint8)).save(folder / "picture.png")
    picture = np.frombuffer((folder / "picture.png").read_bytes(), np.uint8)
    np.savez(
        folder / "textured.npz",
        v=box.vertices,
        f=box.faces.astype(np.uint16),
        uv=np.full((8, 2), 0.5, np.float32),
        fm=np.arange(12) % 2,
        mc=np.ones((2, 4), np.float32),
        t1=picture,
    )
    return folder


@pytest.mark.parametrize("kind", scenes.KINDS)
def test_a_sample_is_reproducible_and_its_mask_and_layers_agree(kind):
    first, again = (scenes.make_sample(3, 17, SOURCE, 40, {kind: 1.0}) for _ in range(2))
    np.testing.assert_array_equal(first.rgba, again.rgba)
    np.testing.assert_array_equal(first.depth, again.depth)
    assert first.camera == again.camera and first.kind == kind
    assert first.rgba.shape == (40, 40, 4) and first.rgba.dtype == np.uint8
    valid = first.depth > 0
    assert (valid[:-1] | ~valid[1:]).all()
    alpha = first.rgba[..., 3]
    assert ((alpha == 0) & valid[0]).mean() < 0.01 and ((alpha == 255) & ~valid[0]).mean() < 0.01


def test_samples_differ():
    pictures = [scenes.make_sample(*key, SOURCE, 32).rgba for key in ((0, 0), (0, 1), (1, 0))]
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_a_pool_without_usable_meshes_is_told():
    flat = lambda rng: shapes.box((0.5, 1e-6, 0.5)).moved(np.eye(3), (0, -50, 0))  # noqa: E731
    with pytest.raises(WorldTracingError, match="WT-IO-POOL"):
        scenes.make_sample(0, 0, flat, 16, {"object": 1.0})


def test_shards_give_back_what_was_rendered(tmp_path):
    samples = [scenes.make_sample(0, i, SOURCE, 32) for i in range(5)]
    (tmp_path / "dataset.json").write_text("{}")
    for k, part in enumerate((samples[:3], samples[3:])):
        shards.shard_path(tmp_path, k).write_bytes(shards.shard_bytes(part))
    data = shards.ShardReader(tmp_path)
    assert len(data) == 5
    for expected, sample in zip(samples, (data[i] for i in range(5)), strict=True):
        np.testing.assert_array_equal(sample.rgba, expected.rgba)
        np.testing.assert_array_equal(sample.depth > 0, expected.depth > 0)
        step = np.ptp(expected.depth[expected.depth > 0]) / 65535
        assert np.abs(sample.depth - expected.depth).max() <= step
        assert sample.kind == expected.kind and sample.camera.fx == pytest.approx(expected.camera.fx)
    rgba, depth, K = data.batch([4, 0])
    assert rgba.shape == (2, 32, 32, 4) and depth.shape == (2, 6, 32, 32) and K.shape == (2, 4)
    np.testing.assert_array_equal(rgba[1], samples[0].rgba)
    with pytest.raises(IndexError):
        data[5]


def test_rendering_continues_and_refuses_other_settings(tmp_path, meshes, capsys):
    arguments = ["render", "--pool", str(meshes), "--out", str(tmp_path), "--size", "24", "--only", "object"]
    assert main([*arguments, "--count", "2"]) == 0
    first = shards.shard_path(tmp_path, 0)
    before = first.stat().st_mtime_ns
    assert main([*arguments, "--count", "2"]) == 0
    assert first.stat().st_mtime_ns == before
    first.write_bytes(first.read_bytes()[:-100])  # as a copy cut short
    with pytest.raises(WorldTracingError, match="WT-IO-INVALID"):
        shards.ShardReader(tmp_path)
    assert main([*arguments, "--count", "2"]) == 0
    assert len(shards.ShardReader(tmp_path)) == 2
    assert json.loads((tmp_path / "dataset.json").read_text())["size"] == 24
    assert main([*arguments, "--count", "2", "--seed", "9"]) == 1
    assert "WT-IO-DATASET" in capsys.readouterr().err
    assert main(["contact-sheet", str(tmp_path), str(tmp_path / "sheet.png"), "--first", "2"]) == 1
    assert "WT-IO-DATASET" in capsys.readouterr().err
    assert main(["contact-sheet", str(tmp_path), str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 1000


@pytest.mark.parametrize(
    "arguments",
    [
        ["render", "--out", "x", "--count", "0"],
        ["render", "--out", "x", "--count", "1", "--size", "-4"],
        ["render", "--out", "x", "--count", "1", "--workers", "0"],
        ["render", "--out", "x", "--count", "1", "--pool-share", "7"],
        ["contact-sheet", "x", "y.png", "--columns", "0"],
    ],
    ids=" ".join,
)
def test_numbers_that_make_no_sense_are_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "is not a" in capsys.readouterr().err


def test_a_missing_data_set_is_told(tmp_path):
    with pytest.raises(WorldTracingError, match="WT-IO-READ"):
        shards.ShardReader(tmp_path)


def test_the_split_is_fixed_complete_and_keeps_variants_together(meshes):
    train, held_out = pool.mesh_files(meshes, "train"), pool.mesh_files(meshes, "held-out")
    assert sorted([*train, *held_out]) == pool.mesh_files(meshes)
    assert train and held_out
    names = ("crate_red", "crate_blue", "crate_large_b", "crate_3")
    assert len({pool.family(meshes / f"{name}.npz") for name in names}) == 1
    assert pool.family(meshes / "crate_open.npz") != pool.family(meshes / "barrel_open.npz")


def test_a_mesh_file_brings_its_materials(meshes):
    mesh = pool.load_mesh(meshes / "textured.npz")
    assert mesh.faces.dtype == np.int32 and mesh.textures[0] is None
    np.testing.assert_array_equal(mesh.textures[1][0, 0], (10, 200, 30))


TRIANGLE = {"v": np.zeros((3, 3)), "f": [[0, 1, 2]]}


@pytest.mark.parametrize(
    "broken",
    [
        {"v": np.zeros((3, 3))},
        TRIANGLE | {"f": [[0, 1, 7]]},
        TRIANGLE | {"v": np.full((3, 3), np.nan)},
        TRIANGLE | {"fm": [3]},
        TRIANGLE | {"fm": [0, 0]},
        TRIANGLE | {"mc": np.ones((1, 3))},
        TRIANGLE | {"uv": np.zeros((2, 2))},
    ],
)
def test_a_broken_mesh_is_told(tmp_path, broken):
    np.savez(tmp_path / "broken.npz", **broken)
    with pytest.raises(WorldTracingError, match="WT-IO-INVALID"):
        pool.load_mesh(tmp_path / "broken.npz")
    with pytest.raises(WorldTracingError, match="WT-IO-READ"):
        pool.load_mesh(tmp_path / "absent.npz")


def test_a_killed_rendering_process_is_told(tmp_path):
    def kill_the_first_child():
        while not (children := multiprocessing.active_children()):
            time.sleep(0.01)
        children[0].kill()

    killer = threading.Thread(target=kill_the_first_child, daemon=True)
    killer.start()
    with pytest.raises(WorldTracingError, match="WT-WORKER-DIED"):
        shards.render_dataset(tmp_path, 2000, shards.DatasetConfig(seed=0, size=24))
    killer.join()


@pytest.mark.skipif(shutil.which("ps") is None, reason="looks processes up with ps")
def test_no_process_stays_when_rendering_is_killed(tmp_path):
    command = [sys.executable, "-m", "worldtracing.data", "render", "--out", str(tmp_path), "--count", "9999"]
    rendering = subprocess.Popen([*command, "--size", "32", "--workers", "2"], stdout=subprocess.DEVNULL)
    try:
        children = []
        deadline = time.monotonic() + 60
        while len(children) < 3 and time.monotonic() < deadline:  # two workers and multiprocessing's own helper
            time.sleep(0.2)
            children = _children(rendering.pid)
        assert len(children) == 3
    finally:
        rendering.kill()
        rendering.wait()
    deadline = time.monotonic() + 30
    while any(map(_runs, children)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(map(_runs, children))


def _children(pid):
    lines = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in map(str.split, lines.splitlines()) if int(parent) == pid]


def _runs(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")
