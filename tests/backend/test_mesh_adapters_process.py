"""A generator's own Python: set up or not, cancelled, crashed, out of memory."""

import ast
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from adapter_help import FakeRepository, silent
from mesh_world import mesh_world

from worldtracing.errors import Cancelled, WorldTracingError
from worldtracing.meshing.adapters import generated
from worldtracing.meshing.adapters.comfyui import ComfyUIGenerator
from worldtracing.meshing.adapters.hunyuan3d import Hunyuan3DGenerator
from worldtracing.meshing.adapters.pixal3d import Pixal3DGenerator
from worldtracing.meshing.adapters.process import LAUNCHER, Program
from worldtracing.meshing.base import GENERATORS, PLATFORMS, GeneratorInfo, MeshOptions, create_generator

RUNNERS = LAUNCHER.parent
TENSORS = {
    "rgba": np.zeros((4, 4, 4), np.uint8),
    "vertices": np.eye(3, dtype=np.float32),
    "faces": np.array([[0, 1, 2]], np.int32),
}
OPTIONS = {"model": "some/model", "seed": 1, "texture_size": 8}


@pytest.fixture
def program(tmp_path, monkeypatch):
    repository = FakeRepository("trellis2", tmp_path, monkeypatch)
    return Program("TRELLIS.2", "trellis2_texture", sys.executable, str(repository.path))


def replace_pipelines(program, code):
    """Let the fake's module do something else when it is imported."""
    (Path(program.repository) / "trellis2/pipelines.py").write_text(code)


def failure(program):
    with pytest.raises(WorldTracingError) as caught:
        program.run(TENSORS, OPTIONS, silent)
    return caught.value


def test_a_generator_that_is_installed_is_healthy(program):
    health = program.check()
    assert health.ok
    assert sys.version.split()[0] in health.message


def test_missing_packages_are_named(program):
    (Path(program.repository) / "cumesh.py").unlink()
    health = program.check()
    assert not health.ok
    assert "cumesh" in health.message


@pytest.mark.parametrize("change", [{"python": ""}, {"python": "/nowhere/python"}, {"repository": "/nowhere"}])
def test_what_is_not_set_up_is_said(program, change):
    program = replace(program, **change)
    assert failure(program).code == "WT-MESH-SETUP"
    health = program.check()
    assert not health.ok
    assert "TRELLIS.2" in health.fix


def test_a_program_that_is_no_python_is_not_healthy(program):
    name = shutil.which("true")
    if name is None:
        pytest.skip("there is no `true` on this system")
    health = replace(program, python=name).check()
    assert not health.ok
    assert "does not answer" in health.message


def test_an_import_that_fails_names_the_package(program):
    replace_pipelines(program, "import a_package_that_is_not_there\n")
    error = failure(program)
    assert error.code == "WT-ENV-PACKAGE"
    assert "a_package_that_is_not_there" in error.message


def test_a_failure_says_its_last_line(program):
    replace_pipelines(program, "print('chatter on stdout')\nraise RuntimeError('the weights are gone')\n")
    error = failure(program)
    assert error.code == "WT-MESH-FAILED"
    assert "the weights are gone" in error.message
    assert "weights" in error.fix


def test_a_full_gpu_is_told_apart(program):
    replace_pipelines(program, "class OutOfMemoryError(RuntimeError): pass\nraise OutOfMemoryError('CUDA')\n")
    assert failure(program).code == "WT-MEM-MESH"


def test_a_crash_is_a_failure(program):
    replace_pipelines(program, "import os, sys\nprint('illegal instruction', file=sys.stderr)\nos._exit(3)\n")
    error = failure(program)
    assert error.code == "WT-MESH-FAILED"
    assert "illegal instruction" in error.message


def test_no_download_unless_allowed(program):
    code = "import os\nraise RuntimeError('offline=' + os.environ.get('HF_HUB_OFFLINE', 'no'))\n"
    replace_pipelines(program, code)
    assert "offline=1" in failure(program).message
    assert "offline=no" in failure(replace(program, download=True)).message


def test_cancelling_ends_the_process_and_its_children(program, tmp_path):
    marker = tmp_path / "pids"
    replace_pipelines(
        program,
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(marker)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)\n",
    )
    before = threading.active_count()

    def cancel_when_it_runs(stage, k, n):
        if marker.exists() and marker.read_text():
            raise Cancelled

    with pytest.raises(Cancelled):
        program.run(TENSORS, OPTIONS, cancel_when_it_runs)
    deadline = time.monotonic() + 60
    for pid in map(int, marker.read_text().split()):
        while alive(pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_end_of_the_caller_ends_the_process_and_removes_its_files(program, tmp_path):
    """As when Blender ends the worker, or crashes itself."""
    marker, scratch = tmp_path / "pid", tmp_path / "scratch"
    scratch.mkdir()
    replace_pipelines(program, f"import os, time\nopen({str(marker)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n")
    code = (
        "import sys, numpy as np\n"
        "from worldtracing.meshing.adapters.process import Program\n"
        f"program = Program('a', 'trellis2_texture', sys.executable, {program.repository!r})\n"
        f"tensors = {{'rgba': np.zeros((4, 4, 4), np.uint8), 'vertices': np.eye(3, dtype=np.float32),"
        " 'faces': np.array([[0, 1, 2]], np.int32)}\n"
        f"program.run(tensors, {OPTIONS!r}, lambda *_: None)\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(scratch)})
    deadline = time.monotonic() + 60
    try:
        while not (marker.exists() and marker.read_text()):
            assert caller.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        assert list(scratch.iterdir())
    finally:
        caller.kill()
        caller.wait()
    while alive(int(marker.read_text())) or list(scratch.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid):
    """Whether the process is there and not just waited for; on systems without /proc it is taken as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_missing_package_of_ours_is_found_before_the_job(monkeypatch):
    world = mesh_world()
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setattr(generated, "find_spec", lambda name: None)
    for generator in (Pixal3DGenerator(), ComfyUIGenerator(), Hunyuan3DGenerator()):
        assert "scipy" in generator.check().message
        with pytest.raises(WorldTracingError) as caught:
            generator.generate(world, None, MeshOptions(), silent)
        assert caught.value.code == "WT-ENV-PACKAGE"


@pytest.mark.parametrize("runner", sorted(RUNNERS.glob("*.py")), ids=lambda path: path.name)
def test_runners_are_python_3_8(runner):
    """Generators ask for Pythons that are older than ours."""
    ast.parse(runner.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_nothing_is_left_in_the_temporary_folder(program, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    replace_pipelines(program, "raise RuntimeError\n")
    failure(program)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in GENERATORS.names() if name != "layers"])
def test_every_generator_says_what_it_is_and_what_it_lacks(name, monkeypatch):
    for setting in ("PYTHON", "REPOSITORY"):
        monkeypatch.delenv(f"WORLDTRACING_{name.partition('-')[0].upper()}_{setting}", raising=False)
    monkeypatch.setenv(f"WORLDTRACING_{name.upper()}_ADDRESS", "http://127.0.0.1:1")  # where nothing ever listens
    generator = create_generator(name)
    info = generator.info
    assert info.name == name
    assert info.licence != GeneratorInfo("", "", "").licence
    assert info.memory_gib > 0
    assert set(info.platforms) <= set(PLATFORMS)
    health = generator.check()
    assert not health.ok
    assert health.message
    assert health.fix
