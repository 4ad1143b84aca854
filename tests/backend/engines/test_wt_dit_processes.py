"""The engine through trace_photo, the command line and the worker process."""

import dataclasses
import json
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_weights import OBJECT
from worker_help import Process

torch = pytest.importorskip("torch")

from worldtracing import cli  # noqa: E402
from worldtracing.engines import wt_dit_network  # noqa: E402
from worldtracing.image import load_photo  # noqa: E402
from worldtracing.tracing import TraceRequest, in_file_pixels, trace_photo  # noqa: E402
from worldtracing.weights.plan import needed_bytes  # noqa: E402
from worldtracing.worker import protocol  # noqa: E402
from worldtracing.world import LayeredWorld  # noqa: E402


@pytest.fixture
def worker():
    with Process([sys.executable, "-m", "worldtracing", "serve", "--stdio"]) as process:
        yield process


def test_trace_photo_keeps_what_the_engine_says(photo, engine, make_weights):
    make_weights()
    world = trace_photo(TraceRequest(photo, engine="wt-dit", extra={"steps": 2}), engine)
    assert world.metadata["image"] == "disk.png"
    assert world.metadata["photo_size"] == [90, 60]
    assert world.metadata["mask_method"] == "alpha"
    assert world.metadata["crop"][2] - world.metadata["crop"][0] == 54
    assert (world.metadata["model"], world.metadata["steps"]) == ("r75b", 2)


def test_equal_traces_are_equal_files(photo, engine, make_weights, tmp_path):
    make_weights()
    request = TraceRequest(photo, engine="wt-dit", extra={"seeds": 2})
    files = [trace_photo(request, engine).save(tmp_path / f"{k}.safetensors").read_bytes() for k in range(2)]
    assert files[0] == files[1]


def test_soft_edges_reach_the_network(photo, disk, engine, make_weights, tmp_path):
    make_weights()
    image, mask = disk
    soft = np.where(mask, 255, np.where(np.roll(mask, 1, 1), 100, 0)).astype(np.uint8)
    Image.fromarray(np.dstack([image, soft])).save(tmp_path / "soft.png")
    worlds = [trace_photo(TraceRequest(path, engine="wt-dit"), engine) for path in (photo, tmp_path / "soft.png")]
    assert (worlds[0].rgb != worlds[1].rgb).any()  # blended with the grey behind it
    assert worlds[0].metadata["crop"] == worlds[1].metadata["crop"]


def test_the_crop_is_in_pixels_of_the_file(photo):
    loaded = load_photo(photo)
    assert in_file_pixels({"crop": [0, -2, 9, 6]}, loaded)["crop"] == [0, -2, 9, 6]
    huge = dataclasses.replace(loaded, source_size=(180, 180))  # scaled to 90 x 60 while it was loaded
    assert in_file_pixels({"crop": [0, -2, 9, 6], "a": 1}, huge) == {"crop": [0, -6, 18, 18], "a": 1}


def test_the_command_line(photo, make_weights, tmp_path, capsys):
    weights = make_weights()
    arguments = ["trace", photo, "--engine", "wt-dit", "--model", weights, "--steps", 2, "--seeds", "7,9"]
    arguments += ["--precision", "fp32", "--device", "cpu", "-o", tmp_path / "out", "--json"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["metadata"]["seeds"] == [7, 9]
    names = ["disk.safetensors", "disk_seed7.safetensors", "disk_seed9.safetensors"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    best, *seeds = (LayeredWorld.load(tmp_path / "out" / name) for name in names)
    assert any((best.points == world.points).all() for world in seeds)


def test_the_command_line_tells_what_is_missing(photo, tmp_path, capsys):
    arguments = ["trace", photo, "--engine", "wt-dit", "-o", tmp_path / "out"]
    assert cli.main([str(argument) for argument in arguments]) == 1
    assert "worldtracing weights download r75b" in capsys.readouterr().err
    assert cli.main([*map(str, arguments), "--steps", "21"]) == 1
    assert "WT-MODEL-STEPS" in capsys.readouterr().err


def test_the_command_line_says_what_went_otherwise(photo, make_weights, tmp_path, capsys, monkeypatch):
    make_weights()
    monkeypatch.setattr(wt_dit_network, "free_memory", lambda device: needed_bytes(OBJECT, "fp32", 1))
    arguments = ["trace", photo, "--engine", "wt-dit", "--device", "cpu", "--seeds", 2, "-o", tmp_path / "out"]
    assert cli.main([str(argument) for argument in arguments]) == 0
    assert "one seed at a time" in capsys.readouterr().err


def test_the_worker_traces_is_cancelled_in_mid_sampling_and_traces_again(photo, make_weights, worker, tmp_path):
    extra = {"model": str(make_weights()), "device": "cpu"}
    output = tmp_path / "out" / "disk.safetensors"
    worker.tell(protocol.trace("a", str(photo), str(output), engine="wt-dit", extra={**extra, "steps": 2}))
    heard = worker.hear_until("result")
    assert {"Loading weights", "Encoding the picture", "Denoising"} <= {message.get("stage") for message in heard}
    first = output.read_bytes()

    worker.tell(
        protocol.trace("b", str(photo), str(output), engine="wt-dit", extra={**extra, "steps": 20, "seeds": 16})
    )
    while worker.hear().get("stage") != "Denoising":
        pass
    worker.tell(protocol.cancel("stop", "b"))
    worker.hear_until("cancelled")
    assert output.read_bytes() == first
    assert [path.name for path in output.parent.iterdir()] == ["disk.safetensors"]

    worker.tell(protocol.trace("c", str(photo), str(output), engine="wt-dit", extra={"steps": 0, **extra}))
    assert worker.hear_until("error")[-1]["code"] == "WT-MODEL-STEPS"
    assert worker.ask(protocol.free_memory("f"))["type"] == "ok"
    worker.tell(protocol.trace("d", str(photo), str(output), engine="wt-dit", extra={**extra, "steps": 2}))
    worker.hear_until("result")
    assert output.read_bytes() == first
