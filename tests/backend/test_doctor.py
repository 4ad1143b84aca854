import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from worldtracing import cli, doctor

CORE = ("numpy", "safetensors")


@pytest.fixture
def bare_path(tmp_path):
    """A folder to import from that holds the package, numpy and safetensors alone."""
    site = Path(np.__file__).parents[1]
    folder = tmp_path / "bare"
    folder.mkdir()
    for entry in [*CORE, *(path.name for path in site.glob("numpy.libs"))]:
        (folder / entry).symlink_to(site / entry)
    (folder / "worldtracing").symlink_to(Path(doctor.__file__).parent)
    return folder


def run_bare(folder):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from worldtracing.cli import main; sys.exit(main(sys.argv[2:]))"
    )
    command = [sys.executable, "-S", "-E", "-c", script, str(folder), "doctor", "--json"]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.returncode, {check["name"]: check for check in json.loads(result.stdout)}


def test_every_check_passes_or_says_how_to_fix_it():
    checks = list(doctor.examine())
    assert all(check.ok or check.fix for check in checks)
    found = {check.name: check for check in checks}
    assert found["numpy"].detail == np.__version__
    assert found["Python"].ok
    assert found["Engine silhouette"].ok
    assert {"pillow", "opencv-python-headless", "OpenEXR", "torch", "huggingface_hub"} <= found.keys()
    assert {"Temporary folder", "Free disk"} <= found.keys()


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_it_works_with_numpy_and_safetensors_alone(bare_path):
    code, checks = run_bare(bare_path)
    assert code == 0
    assert checks["Engine silhouette"]["ok"]
    assert all(checks[name]["ok"] for name in CORE)
    for name in ("pillow", "opencv-python-headless", "OpenEXR", "torch", "huggingface_hub"):
        assert checks[name]["detail"] == "not installed"
        assert name in checks[name]["fix"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_without_safetensors_it_still_runs_and_says_that_results_cannot_be_written(bare_path):
    (bare_path / "safetensors").unlink()
    code, checks = run_bare(bare_path)
    assert code == 1
    assert not checks["safetensors"]["ok"]
    assert "pip install 'safetensors" in checks["safetensors"]["fix"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_a_package_that_does_not_import_is_told_apart_from_a_missing_one(bare_path):
    (bare_path / "cv2.py").write_text("raise OSError('libGL.so.1 is missing')")
    _, checks = run_bare(bare_path)
    assert not checks["opencv-python-headless"]["ok"]
    assert "libGL.so.1" in checks["opencv-python-headless"]["detail"]


def test_what_everything_depends_on_decides_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "PACKAGES", (doctor.Package("no_such_module", "no-such>=1", "Something"),))
    assert cli.main(["doctor"]) == 0
    monkeypatch.setattr(doctor, "PACKAGES", (doctor.Package("no_such_module", "no-such>=1", "All", required=True),))
    assert cli.main(["doctor"]) == 1
    assert "FAILS no-such" in capsys.readouterr().out


def test_a_temporary_folder_that_cannot_be_written_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.tempfile, "gettempdir", lambda: str(tmp_path / "missing"))
    check = next(check for check in doctor.examine() if check.name == "Temporary folder")
    assert not check.ok
    assert "TMPDIR" in check.fix
