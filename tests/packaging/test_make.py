"""What `make` runs: the whole way from a photo to a scene, the words for a missing library, when the zip is built."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
ENDINGS = (".blend", ".ply", ".safetensors", "_layers.png", "_novel.png", "_photo.png")


@pytest.fixture
def check_bpy():
    spec = importlib.util.spec_from_file_location("check_bpy", ROOT / "tests" / "check_bpy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_make_trace_prints_where_every_file_is_and_keeps_dots_in_the_name(tmp_path):
    picture = Image.new("RGBA", (64, 48))
    picture.paste((200, 120, 40, 255), (16, 12, 48, 36))
    picture.save(tmp_path / "a.b.png")
    command = [sys.executable, "examples/trace_photo.py", tmp_path / "a.b.png", "--out", tmp_path / "out"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"a.b{ending}" for ending in ENDINGS]
    assert all(str(file) in done.stdout for file in files)


def test_a_missing_system_library_is_named_with_its_package(check_bpy):
    error = "libXrender.so.1: cannot open shared object file: No such file or directory"
    message = check_bpy.missing_library_message(error)
    assert message.startswith("The system library libXrender.so.1 is missing: run 'apt-get install libxrender1' ")
    assert "libgomp1" in message, "the other packages are named too, so that one command is enough"
    assert "\n" not in message


def test_an_unknown_library_is_named_and_other_errors_are_shown(check_bpy):
    message = check_bpy.missing_library_message("libodd-2.3.so.7: cannot open shared object file: No such file")
    assert "libodd-2.3.so.7 is missing" in message
    assert check_bpy.missing_library_message("No module named 'bpy'").endswith(
        "cannot be imported: No module named 'bpy'"
    )


def test_check_bpy_ends_with_the_sentence_alone(tmp_path):
    (tmp_path / "bpy.py").write_text("raise ImportError('libSM.so.6: cannot open shared object file')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "tests/check_bpy.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "apt-get install libsm6'" in done.stderr
