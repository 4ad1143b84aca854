"""The models that the preferences list, and the commands that download and convert them, in processes of their own."""

import json
import sys
from pathlib import Path

import pytest
from worker_help import until
from world_tracing.backend.worldtracing.weights.catalogue import RELEASED
from world_tracing.backend.worldtracing.weights.store import WeightStore
from world_tracing.worldtracing_addon.core import models
from world_tracing.worldtracing_addon.core.models import Listing, Removal, WeightsCommand


def ended(task, seconds=60):
    task.start()
    return task.wait(seconds)


def listed(folder):
    return {state.model.name: state for state in ended(Listing(folder)).result}


def test_what_is_on_disk_of_each_model(tmp_path):
    folder = tmp_path / "mödels"
    assert set(listed(folder)) == set(RELEASED) == set(models.DOWNLOAD_GB)
    assert not folder.exists(), "looking writes nothing"
    store = WeightStore(folder)
    part = store.download_path(RELEASED["r75b"]).with_name("model.pt.abc.partial")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    store.accept_licence(RELEASED["r75b"])
    state = listed(folder)["r75b"]
    assert (state.accepted, state.ready, state.other) == (True, 0, 1000) and state.text.startswith("unfinished")
    assert listed(folder)["r69l"].text == "not downloaded"
    assert ended(Removal(folder, "r75b")).status == "done"
    assert not part.exists() and listed(folder)["r75b"].other == 0
    assert ended(Removal(folder, "nothing")).error.code == "WT-MODEL-UNKNOWN"


def program(*lines, code=0, then=""):
    shown = "\n".join(f"print({line!r}, flush=True)" for line in lines)
    return [sys.executable, "-c", f"{shown}\n{then}\nraise SystemExit({code})"]


def test_progress_of_a_download_and_its_cancel(tmp_path):
    progress = json.dumps({"progress": ["Downloading r75b, 35.2 MB/s", 120, 6800]})
    task = WeightsCommand(
        program("a library's warning", progress, then="import time; time.sleep(120)"), tmp_path / "log"
    )
    task.start()
    until(lambda: task.state.n)
    assert (task.state.stage, task.state.k, task.state.n) == ("Downloading r75b, 35.2 MB/s", 120, 6800)
    assert task.state.detail == "120 of 6800 MB"
    task.cancel()
    assert task.wait(60).status == "cancelled"
    assert "a library's warning" in (tmp_path / "log").read_text() and "6800" not in task.lines[-1]


def test_errors_of_the_command_and_of_its_python():
    error = {"code": "WT-MODEL-GATED", "message": "The hub does not give it out.", "fix": "Sign in."}
    state = ended(WeightsCommand(program(json.dumps({"error": error}), code=1)))
    assert state.status == "failed" and state.error.to_dict() == error
    state = ended(WeightsCommand(program("Segmentation fault", "{not json", code=3)))
    assert state.error.code == "WT-ENV-FAILED" and "{not json" in state.error.message
    assert ended(WeightsCommand(program())).status == "done"


def test_the_arguments_name_the_release_that_the_hub_has(tmp_path):
    download = models.download_arguments("r76", tmp_path, endpoint="https://mirror")
    assert download[download.index("--release") + 1] == "2026-09"
    assert download[download.index("--endpoint") + 1] == "https://mirror"
    assert "--release" not in models.download_arguments("r75b", tmp_path)
    fetch = models.fetch_arguments("sam2", tmp_path, "https://mirror")
    assert fetch[fetch.index("fetch") + 1] == "sam2" and fetch[fetch.index("--endpoint") + 1] == "https://mirror"
    convert = models.convert_arguments("r76", tmp_path, Path("a file.pt"), "2026-06")
    assert convert[convert.index("--from") + 1] == "a file.pt" and convert[-1] == "2026-06"


def test_where_models_are_kept(tmp_path, monkeypatch):
    monkeypatch.delenv("WORLDTRACING_WEIGHTS", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    own, usual = tmp_path / "own", tmp_path / ".worldtracing" / "weights"
    assert models.weights_folder(None, own) == own
    usual.mkdir(parents=True)
    assert models.weights_folder(None, own) == usual, "the command line's"
    monkeypatch.setenv("WORLDTRACING_WEIGHTS", str(tmp_path / "named"))
    assert models.weights_folder(None, own) == tmp_path / "named"
    assert models.weights_folder(tmp_path / "chosen", own) == tmp_path / "chosen"


@pytest.mark.parametrize("name", ["download_arguments", "convert_arguments"])
def test_the_command_line_takes_the_arguments(name, tmp_path):
    from argparse import ArgumentParser

    from world_tracing.backend.worldtracing.weights import commands

    arguments = getattr(models, name)("r76", tmp_path, *([Path("f")] if name == "convert_arguments" else []))
    parser = ArgumentParser()
    commands.add_arguments(parser)
    assert parser.parse_args(arguments[1:]).json
