"""How the worker's Python is found and started."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.worldtracing_addon.client import launch

ROOT = Path(__file__).resolve().parents[2]


def code_of(action, *arguments):
    with pytest.raises(WorldTracingError) as caught:
        action(*arguments)
    assert caught.value.fix
    return caught.value.code


def test_command_for_blender_s_own_python():
    command = launch.worker_command()
    assert command[:4] == [sys.executable, "-I", "-X", "utf8"]
    assert Path(command[4]).name == "launcher.py" and command[5] == str(ROOT / "backend")
    folders = [Path(folder) for folder in command[5:]]
    assert any((folder / "numpy").is_dir() for folder in folders)
    assert any((folder / "safetensors").is_dir() for folder in folders)
    assert len(set(folders)) == len(folders)


def test_command_for_another_python():
    command = launch.worker_command(Path(sys.executable))
    assert command[0] == sys.executable and "-I" not in command
    assert command[command.index("--fallback") + 1] == str(ROOT / "backend")


def test_variables_and_home_are_expanded(monkeypatch):
    monkeypatch.setenv("WT_TEST_FOLDER", str(Path(sys.executable).parent))
    monkeypatch.setenv("HOME", str(Path(sys.executable).parent))
    name = Path(sys.executable).name
    assert launch.find_python(f"$WT_TEST_FOLDER/{name}") == sys.executable
    assert launch.find_python(f"~/{name}") == sys.executable


def test_a_missing_python(tmp_path):
    assert code_of(launch.worker_command, tmp_path / "python") == "WT-WORKER-NO-PYTHON"
    assert code_of(launch.find_python, "") == "WT-WORKER-NO-PYTHON"
    assert code_of(launch.find_python, tmp_path) == "WT-WORKER-NO-PYTHON"


@pytest.mark.skipif(os.name != "posix", reason="Windows knows no such permission")
def test_a_python_that_is_not_executable(tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\n")
    assert code_of(launch.find_python, tmp_path / "python") == "WT-WORKER-NO-PYTHON"


@pytest.mark.skipif(os.name != "posix", reason="an executable text file without an interpreter")
def test_a_python_that_the_system_refuses(tmp_path):
    python = tmp_path / "python"
    python.write_bytes(b"\x7fELF but not really")
    python.chmod(0o755)
    assert code_of(launch.open_process, [str(python)]) == "WT-WORKER-NO-PYTHON"


def test_the_worker_s_python_is_not_led_astray(monkeypatch):
    """Blender's user may have set up these for another Python."""
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    monkeypatch.setenv("WT_TEST_KEPT", "ä")
    code = (
        "import json, os, sys; print(json.dumps([sorted(n for n in os.environ if n.startswith('PYTHON')),"
        "os.environ['WT_TEST_KEPT'], sys.flags.utf8_mode, os.name == 'posix' and os.getsid(0) == os.getpid()]))"
    )
    process = launch.open_process([sys.executable, "-X", "utf8", "-c", code])
    output, _ = process.communicate(timeout=90)
    assert json.loads(output) == [[], "ä", 1, os.name == "posix"]


def test_blender_s_safetensors_may_be_missing(monkeypatch):
    """Then the launcher says so, and the add-on itself still loads."""
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    assert launch.package_folders() == [ROOT / "backend"]


def test_the_launcher_needs_only_the_standard_library():
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import runpy; runpy.run_path({str(launch.LAUNCHER)!r})"],
        capture_output=True,
        timeout=90,
    )
    assert run.returncode == 0, run.stderr
