"""Each platform's branch, tested on any: a fake value says which it is."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from world_tracing.worldtracing_addon.core import platforms
from world_tracing.worldtracing_addon.core.backend_folder import LONGEST_NAME, BackendFolder
from world_tracing.worldtracing_addon.core.platforms import Platform

LINUX, WINDOWS, MAC = Platform("linux", "x64"), Platform("windows", "x64"), Platform("macos", "arm64")


def test_names_are_those_of_blender_s_manifest():
    assert [platform.name for platform in (LINUX, WINDOWS, MAC)] == ["linux-x64", "windows-x64", "macos-arm64"]


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [("win32", "AMD64", "windows-x64"), ("darwin", "arm64", "macos-arm64"), ("linux", "aarch64", "linux-arm64")],
)
def test_this_platform(monkeypatch, system, machine, name):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platforms.platform, "machine", lambda: machine)
    assert platforms.this_platform().name == name


def test_the_interpreter_of_an_environment():
    assert LINUX.venv_python(Path("e")) == MAC.venv_python(Path("e")) == Path("e/bin/python")
    assert WINDOWS.venv_python(Path("e")) == Path("e/Scripts/python.exe")


def test_blender_s_python_is_found_also_where_blender_names_itself():
    windows = WINDOWS.python_candidates(r"C:\Blender\4.2\python\bin\python.exe", r"C:\Blender\4.2\python", (3, 11))
    assert windows[0] == r"C:\Blender\4.2\python\bin\python.exe"
    windows = WINDOWS.python_candidates(r"C:\Blender\blender.exe", r"C:\Blender\4.2\python", (3, 11))
    assert windows == [r"C:\Blender\4.2\python\bin\python.exe", r"C:\Blender\4.2\python\python.exe"]
    linux = LINUX.python_candidates("/opt/blender/blender", "/opt/blender/5.2/python", (3, 13))
    assert linux == ["/opt/blender/5.2/python/bin/python3.13", "/opt/blender/5.2/python/bin/python3"]
    mac = "/Applications/Blender.app/Contents/Resources/4.2/python"
    assert MAC.python_candidates(f"{mac}/bin/python3.11", mac, (3, 11))[0] == f"{mac}/bin/python3.11"


def test_own_python_runs(monkeypatch):
    version = "import sys; print(*sys.version_info[:2])"
    monkeypatch.setattr(sys, "executable", "/usr/bin/blender")
    python = platforms.own_python()
    done = subprocess.run([python, "-c", version], capture_output=True, text=True)
    assert done.stdout.split() == [str(number) for number in sys.version_info[:2]]


def test_where_the_driver_s_program_is():
    assert MAC.nvidia_smi_candidates({}) == []
    assert LINUX.nvidia_smi_candidates({})[0] == "nvidia-smi"
    windows = WINDOWS.nvidia_smi_candidates({"SystemRoot": r"D:\Win", "ProgramFiles": r"D:\Programs"})
    assert windows[1:] == [
        r"D:\Win\System32\nvidia-smi.exe",
        r"D:\Programs\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
    ]


def test_no_console_window_on_windows_and_a_session_of_its_own_elsewhere():
    assert WINDOWS.process_options() == {"creationflags": 0x08000000}
    assert LINUX.process_options() == MAC.process_options() == {"start_new_session": True}
    if os.name == "nt":
        assert subprocess.CREATE_NO_WINDOW == platforms.CREATE_NO_WINDOW


def test_windows_ends_a_tree_of_processes_with_its_own_program():
    killed, commands = [], []
    process = SimpleNamespace(pid=77, poll=lambda: None, kill=lambda: killed.append(77))
    WINDOWS.end_process_tree(process, run=lambda command, **options: commands.append((command, options)))
    (command, options) = commands[0]
    assert command == ["taskkill", "/F", "/T", "/PID", "77"] and options["creationflags"] == 0x08000000
    assert killed == [77]

    def no_system32(*_, **__):
        raise FileNotFoundError("taskkill")

    WINDOWS.end_process_tree(process, run=no_system32)
    assert killed == [77, 77]
    process.poll = lambda: 0
    WINDOWS.end_process_tree(process, run=lambda *_, **__: pytest.fail("it had ended"))


def test_paths_that_windows_would_not_take():
    """Windows' usual limit leaves no room for PyTorch's longest file in Blender's deep user folder."""
    assert LINUX.path_limit() is None and MAC.path_limit() is None and WINDOWS.path_limit(long_paths=True) is None
    limit = WINDOWS.path_limit(long_paths=False)
    blender = "C:/Users/Anna/AppData/Roaming/Blender Foundation/Blender/4.2/extensions/.user/user_default/world_tracing"
    assert not BackendFolder(Path(blender) / "backend", WINDOWS).fits(limit)
    assert BackendFolder(Path("C:/Users/ABCDEFGHIJKLMNOPQRST/WorldTracingBackend"), WINDOWS).fits(limit)
    assert BackendFolder(Path(blender) / "backend", WINDOWS).fits(None)
    edge = "C:/" + "x" * (limit - LONGEST_NAME - len("C://environment/Lib/site-packages/"))
    assert BackendFolder(Path(edge), WINDOWS).fits(limit) and not BackendFolder(Path(edge + "x"), WINDOWS).fits(limit)


def test_variables_for_another_python_are_not_passed_on(monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    variables = platforms.clean_environment({"PYTHONWARNINGS": "default"})
    assert "PYTHONHOME" not in variables and "VIRTUAL_ENV" not in variables
    assert variables["HTTPS_PROXY"] == "http://proxy:1" and variables["PYTHONWARNINGS"] == "default"


def test_commands_as_they_are_typed_into_a_terminal():
    command = ["/opt/my python/bin/python", "-X", "utf8", "it's"]
    text = LINUX.shell_command(command, {"WORLDTRACING_WEIGHTS": "/data/my models"})
    assert text == "WORLDTRACING_WEIGHTS='/data/my models' '/opt/my python/bin/python' -X utf8 'it'\"'\"'s'"
    assert MAC.shell_command(["python"], {}) == "python"
    command = [r"C:\Program Files\Python\python.exe", "serve"]
    text = WINDOWS.shell_command(command, {"WORLDTRACING_WEIGHTS": r"D:\my models"})
    assert text == r'set "WORLDTRACING_WEIGHTS=D:\my models" && "C:\Program Files\Python\python.exe" serve'
