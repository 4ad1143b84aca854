import json
import signal
import subprocess
import sys

import pytest
from PIL import Image

from worldtracing import LayeredWorld, cli
from worldtracing.engines.base import DEFAULT_ENGINE


@pytest.fixture
def broken(tmp_path):
    (tmp_path / "broken.png").write_text("not a picture")
    return tmp_path / "broken.png"


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_trace_writes_every_file_that_was_asked_for(photo, tmp_path, capsys):
    pytest.importorskip("OpenEXR")
    assert run("trace", photo, "-o", tmp_path / "out", "--engine", "silhouette", "--ply", "--exr", "--depth") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["box.exr", "box.ply", "box.safetensors", "box_layers.png"]
    assert LayeredWorld.load(tmp_path / "out" / "box.safetensors").metadata["image"] == "box.png"
    with Image.open(tmp_path / "out" / "box_layers.png") as sheet:
        assert sheet.size == (3 * 60, 40)
    output = capsys.readouterr()
    assert all(name in output.out for name in names)
    assert output.err == ""  # no progress bar where nobody sees it move


def test_one_bad_photo_does_not_stop_the_others(photo, broken, tmp_path, capsys):
    assert run("trace", broken, photo, tmp_path / "missing.png", "-o", tmp_path / "out", "--json") == 1
    output = capsys.readouterr()
    reports = [json.loads(line) for line in output.out.splitlines()]
    assert [report["ok"] for report in reports] == [False, True, False]
    assert reports[1]["points"] >= 20 * 25
    assert reports[1]["metadata"]["engine"] == DEFAULT_ENGINE
    assert reports[1]["metadata"]["camera_source"] == "default"
    assert all(report["error"]["code"].startswith("WT-") for report in (reports[0], reports[2]))
    assert len(output.err.splitlines()) == 2
    assert str(broken) in output.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["box.safetensors"]


def test_the_engine_is_made_once_for_several_photos(photo, tmp_path, monkeypatch):
    made = []
    create = cli.create_engine
    monkeypatch.setattr(cli, "create_engine", lambda name: made.append(name) or create(name))
    assert run("trace", photo, photo, "-o", tmp_path / "out") == 0
    assert made == [DEFAULT_ENGINE]


def test_photos_of_one_name_do_not_overwrite_each_other(photo, tmp_path):
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / "BOX.png"
    other.write_bytes(photo.read_bytes())
    assert run("trace", photo, other, photo, "-o", tmp_path / "out") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["BOX_2.safetensors", "box.safetensors", "box_3.safetensors"]


def test_a_defect_in_an_engine_is_reported_and_the_next_photo_traced(photo, tmp_path, monkeypatch, capsys):
    trace = cli.trace_photo
    calls = []

    def fail_first(request, engine, on_progress):
        calls.append(request)
        return trace(request, engine, on_progress) if len(calls) > 1 else 1 / 0

    monkeypatch.setattr(cli, "trace_photo", fail_first)
    assert run("trace", photo, photo, "-o", tmp_path / "out") == 1
    output = capsys.readouterr()
    assert "ZeroDivisionError" in output.err
    assert "WT-MODEL-FAILED" in output.err
    assert (tmp_path / "out" / "box_2.safetensors").exists()


def test_an_output_folder_that_is_a_file_is_refused_before_the_trace(photo, broken, monkeypatch, capsys):
    monkeypatch.setattr(cli, "trace_photo", lambda *arguments: pytest.fail("it was traced"))
    assert run("trace", photo, "-o", broken) == 1
    assert "WT-IO-WRITE" in capsys.readouterr().err


def test_the_options_are_handed_on(photo, tmp_path, monkeypatch):
    requests = []
    monkeypatch.setattr(cli, "trace_photo", lambda request, *rest: requests.append(request) or 1 / 0)
    run("trace", photo, "-o", tmp_path, "--intrinsics", "50,51,29,21", "--mode", "scene", "--seed", 7)
    run("trace", photo, "-o", tmp_path, "--fov", 60, "--resolution", 99, "--mask", photo)
    first, second = requests
    assert (first.intrinsics, first.mode, first.seed) == ((50, 51, 29, 21), "scene", 7)
    assert (second.fov_degrees, second.resolution, second.mask) == (60, 99, photo)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["trace"],
        ["trace", "a.png", "b.png", "--mask", "m.png"],
        ["trace", "a.png", "--fov", "50", "--intrinsics", "1,1,1,1"],
        ["trace", "a.png", "--intrinsics", "1,1,1"],
        ["trace", "a.png", "--engine", "magic"],
        ["trace", "a.png", "--resolution", "8"],
        ["trace", "a.png", "--model", "r75b"],
        ["trace", "a.png", "--device", "cuda"],
        ["trace", "a.png", "--engine", "silhouette", "--steps", "3"],
        ["trace", "a.png", "--engine", "silhouette", "--seeds", "3"],
        ["evaluate", "--engine", "silhouette", "--meshes", "x", "--views", "0"],
        ["evaluate", "--engine", "silhouette", "--meshes", "x", "--size", "many"],
        ["train", "x.toml", "--out", "x", "--workers", "0"],
        ["serve"],
    ],
)
def test_a_wrong_command_line_is_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--intrinsics", "a", "'a' is not four numbers fx,fy,cx,cy"),
        ("--seeds", "4,b", "'4,b' is neither a number of seeds nor a list such as 42,43"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(option, value, sentence, capsys):
    with pytest.raises(SystemExit):
        run("trace", "a.png", option, value)
    assert capsys.readouterr().err.rstrip().endswith(f"argument {option}: {sentence}")


def test_help_documents_the_exit_codes(capsys):
    for arguments in (["--help"], ["trace", "--help"]):
        with pytest.raises(SystemExit):
            run(*arguments)
        assert "130" in capsys.readouterr().out


def test_engines_are_listed(capsys):
    assert run("engines", "--json") == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert "no model" in entries["silhouette"]["label"]
    assert run("engines") == 0
    assert "knows nothing" in capsys.readouterr().out


def test_the_progress_bar_draws_over_itself_and_leaves_nothing(capsys):
    bar = cli.ProgressBar("box.png")
    bar("Inflating", 1, 2)
    bar.clear()
    drawn, blank, end = capsys.readouterr().err.split("\r")[1:]
    assert drawn.startswith("[###############...............] Inflating 1/2  box.png")
    assert blank.strip() == ""
    assert len(blank) == len(drawn)
    assert end == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_ends_quietly_with_130(photo, tmp_path):
    script = (
        "import sys, time, worldtracing.cli as cli\n"
        "cli.trace_photo = lambda *a: (print('started', flush=True), time.sleep(60))\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "trace", str(photo), "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "Interrupted.\n"


def test_it_runs_as_a_module(photo, tmp_path):
    command = [sys.executable, "-m", "worldtracing", "trace", photo, "-o", tmp_path / "out", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["ok"]
