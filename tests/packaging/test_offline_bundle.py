"""`make offline-bundle`: what pip is asked for, and the list with checksums that Set Up Backend then checks."""

import hashlib
import importlib.util
from pathlib import Path

import pytest
from backend_help import doctor, make_wheel, plan
from world_tracing.worldtracing_addon.core.backend_folder import BackendFolder
from world_tracing.worldtracing_addon.core.backend_plan import Source
from world_tracing.worldtracing_addon.core.backend_setup import BackendSetup
from world_tracing.worldtracing_addon.core.platforms import Platform

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("offline_bundle", ROOT / "tools" / "offline_bundle.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def on_linux(tool, monkeypatch):
    monkeypatch.setattr(tool, "this_platform", lambda: Platform("linux", "x64"))


def test_another_system_s_wheels_are_asked_for_one_by_one(tool, on_linux, tmp_path):
    command = tool.download_command(Platform("windows", "x64"), "3.13", "cu130", tmp_path, Source())
    assert command[command.index("--platform") + 1] == "win_amd64" and "--no-deps" in command
    assert command[command.index("--python-version") + 1] == "3.13"
    assert command[command.index("--extra-index-url") + 1].endswith("/cu130")
    assert "colorama==0.4.6" in command and any(part.startswith("torch==") and "+cu130" in part for part in command)


def test_this_system_s_dependencies_are_pip_s_to_find(tool, on_linux, tmp_path):
    command = tool.download_command(Platform("linux", "x64"), "3.11", "cu130", tmp_path, Source())
    assert "--no-deps" not in command and "--extra-index-url" not in command and "colorama==0.4.6" not in command


def test_the_list_has_checksums_and_the_set_up_checks_them(tool, tmp_path):
    wheel = make_wheel(tmp_path / "wheels")
    assert tool.write_lock(tmp_path / "wheels", "a title") == [wheel]
    title, line = (tmp_path / "wheels" / "requirements.txt").read_text().splitlines()
    assert title == "# a title"
    assert line == f"torch==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    task = BackendSetup(BackendFolder(tmp_path / "backend"), plan(Source(wheels=tmp_path / "wheels"), "unused"), doctor)
    task.start()
    assert task.wait(90).status == "done", task.lines
