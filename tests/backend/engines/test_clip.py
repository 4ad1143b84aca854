"""Clips: a folder of frames in, one world per frame out."""

import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from worldtracing import cli  # noqa: E402
from worldtracing.camera import Camera  # noqa: E402
from worldtracing.clip import trace_clip  # noqa: E402
from worldtracing.engines.wt_dit import windows  # noqa: E402
from worldtracing.errors import Cancelled, WorldTracingError  # noqa: E402
from worldtracing.world import LayeredWorld  # noqa: E402


@pytest.fixture
def frames(tmp_path):
    """Five frames of a disk that moves to the right, cut out by alpha, and a file that is none."""
    folder = tmp_path / "frames"
    folder.mkdir()
    rows, columns = np.mgrid[:60, :90]
    for k in range(5):
        inside = (rows - 30) ** 2 + (columns - 30 - 5 * k) ** 2 < 14**2
        rgba = np.full((60, 90, 4), 90, np.uint8)
        rgba[..., 3] = inside * np.uint8(255)
        Image.fromarray(rgba).save(folder / f"{k:02}.png")
    (folder / "notes.txt").write_text("no frame")
    return folder


@pytest.fixture
def weights(make_weights):
    return make_weights("r76", release="2026-09")


def fails(code, *args, **kwargs):
    with pytest.raises(WorldTracingError) as caught:
        trace_clip(*args, **kwargs)
    assert caught.value.code == code
    assert caught.value.fix


def test_windows_cover_every_frame_once():
    assert windows(3, 3) == [(0, 0)]
    assert windows(2, 3) == [(0, 0)]
    assert windows(7, 3) == [(0, 0), (3, 3), (4, 6)]
    for count in range(1, 40):
        given = [k for start, new in windows(count, 16) for k in range(new, min(start + 16, count))]
        assert given == list(range(count))


def test_a_clip_gives_one_world_per_frame_through_one_crop_and_camera(frames, weights, engine):
    worlds = trace_clip(frames, engine=engine)
    assert [world.metadata["image"] for world in worlds] == [f"{k:02}.png" for k in range(5)]
    assert [(world.metadata["frame"], world.metadata["window"]) for world in worlds] == [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 1),
        (4, 1),
    ]
    assert len({tuple(world.metadata["crop"]) for world in worlds}) == 1
    assert all((world.K == worlds[0].K).all() for world in worlds)
    assert {world.metadata["model"] for world in worlds} == {"r76"}
    assert worlds[0].metadata["release"] == "2026-09"
    assert worlds[0].metadata["noise_correlation"] == 0.5
    assert worlds[0].scale == "metric"
    x0, _, x1, _ = worlds[0].metadata["crop"]
    for k, world in enumerate(worlds):  # the disk moves through the common crop
        columns = np.nonzero(world.valid.any((0, 1)))[0]
        middle = (columns.min() + columns.max() + 1) / 2 * (x1 - x0) / 42 + x0
        assert middle == pytest.approx(30.5 + 5 * k, abs=3)


def test_frames_of_one_window_know_of_each_other(frames, weights, engine):
    paths = sorted(frames.glob("*.png"))
    three = trace_clip(paths[:3], engine=engine)
    swapped = trace_clip([paths[0], paths[2], paths[1]], engine=engine)
    assert (three[0].points != swapped[0].points).any()


def test_the_release_of_the_weights_decides_about_the_noise(frames, make_weights, engine):
    september = trace_clip(
        sorted(frames.glob("*.png"))[:2], engine=engine, extra={"model": str(make_weights("r76", release="2026-09"))}
    )
    june = trace_clip(
        sorted(frames.glob("*.png"))[:2], engine=engine, extra={"model": str(make_weights("r76", release="2026-06"))}
    )
    assert june[0].metadata["noise_correlation"] == 0
    assert (june[0].points != september[0].points).any()


def test_masks_may_be_given_and_the_object_may_be_gone(frames, weights, engine, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for k, path in enumerate(sorted(frames.glob("*.png"))):
        mask = np.zeros((60, 90), np.uint8)
        if k != 1:
            mask[20:40, 30:50] = 255
        Image.fromarray(mask).save(masks / path.name)
    worlds = trace_clip(frames, masks, engine=engine, extra={"seeds": 2})
    assert [bool(world.valid.any()) for world in worlds] == [True, False, True, True, True]
    assert all(world.confidence is not None for world in worlds)
    assert len({world.metadata["seed"] for world in worlds}) == 1
    (masks / "00.png").unlink()
    fails("WT-IMG-CLIP", frames, masks)


def test_bad_clips(frames, weights, tmp_path):
    fails("WT-IMG-CLIP", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    fails("WT-IMG-CLIP", tmp_path / "empty")
    fails("WT-MODEL-OPTION", frames, extra={"pad": True})
    fails("WT-MODEL-STEPS", frames, extra={"steps": 21})
    for path in frames.glob("*.png"):
        Image.fromarray(np.zeros((60, 90, 4), np.uint8)).save(path)
    fails("WT-IMG-EMPTY-MASK", frames)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_is_not_possible(frames, seed):
    fails("WT-MODEL-OPTION", frames, seed=seed)


def test_too_many_frames_for_the_memory(frames, engine, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(engine, "trace_frames", full)
    fails("WT-MEM-TRACE", frames, engine=engine)


def test_a_clip_can_be_cancelled_in_its_second_window(frames, weights, engine):
    calls = []

    def cancel(stage, k, n):
        if stage == "Denoising":
            calls.append((k, n))
            if k == 4:
                raise Cancelled

    with pytest.raises(Cancelled):
        trace_clip(frames, engine=engine, on_progress=cancel)
    assert calls == [(k, 6) for k in range(5)]


def test_the_command_writes_a_file_per_frame(frames, weights, tmp_path, capsys):
    arguments = ["clip", frames, "-o", tmp_path / "out", "--model", weights, "--steps", "2", "--ply", "--json"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames"] == 5
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(f"{k:02}.{ending}" for k in range(5) for ending in ("ply", "safetensors"))
    world = LayeredWorld.load(tmp_path / "out" / "03.safetensors")
    assert world.metadata["steps"] == 2
    assert Camera.from_K(world.K, world.width, world.height).fx > 0
    assert cli.main(["clip", str(tmp_path / "nowhere"), "-o", str(tmp_path / "out")]) == 1
