"""Set Up Backend for real: virtual environments, pip, a tiny torch; an index on this machine, a folder, no network."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from backend_help import doctor, lock_wheels, make_wheel, plan, serving
from worker_help import Process, until
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.worldtracing_addon.core.backend_folder import BackendFolder
from world_tracing.worldtracing_addon.core.backend_plan import Source
from world_tracing.worldtracing_addon.core.backend_setup import BackendSetup

NAME = "Ünïcode und Leerzeichen 世界"


@pytest.fixture(autouse=True)
def plain_pip(monkeypatch):
    """pip without this machine's own settings."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null" if sys.platform != "win32" else "nul")
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def folder(tmp_path):
    return BackendFolder(tmp_path / NAME / "backend")


@pytest.fixture
def wheels(tmp_path):
    make_wheel(tmp_path / NAME / "wheels")
    return tmp_path / NAME / "wheels"


def set_up(folder, source, *requirements, **options):
    task = BackendSetup(folder, plan(source, *requirements), doctor, backoff=(0.1,), **options)
    task.start()
    return task


def failure(task):
    state = task.wait(90)
    assert state.status == "failed", (state, task.lines)
    assert state.error.fix
    return state.error


def test_cancelled_in_a_download_then_resumed_repaired_and_removed(folder, wheels, monkeypatch):
    monkeypatch.setenv("PIP_USER", "1")  # what pip is set to for other environments does not count
    make_wheel(wheels, padding=2_000_000)
    assert folder.state().status == "absent"
    with serving(wheels) as index:
        source = Source(index=index.url)
        index.flowing.clear()
        task = set_up(folder, source)
        until(lambda: "torch" in task.state.detail)
        assert folder.state().status == "incomplete" and folder.state().python is None
        task.cancel()
        assert task.wait(30).status == "cancelled"
        assert folder.state().status == "incomplete"
        made = (folder.environment / "pyvenv.cfg").stat().st_mtime_ns

        index.flowing.set()
        task = set_up(folder, source)
        state = task.wait(90)
        assert state.status == "done", (state.error, task.lines)
        assert (folder.environment / "pyvenv.cfg").stat().st_mtime_ns == made, "the environment was completed"

    ready = folder.state()
    assert ready == state.result and ready.status == "ready" and ready.python == folder.python
    assert next(check for check in ready.checks if check["name"] == "torch")["ok"]
    assert not folder.cache.exists()
    assert "import torch" in folder.log.read_text(encoding="utf-8")

    with serving(wheels) as index:  # nobody listens at this address any more
        source = Source(index=index.url.replace("http://", "http://user:secret@"))
    assert failure(set_up(folder, source, "torch==2.0")).code == "WT-NET-UNREACHABLE"
    assert folder.state() == ready, "an update without a network changes nothing"
    task = set_up(folder, source, repair=True)
    error = failure(task)
    assert error.code == "WT-NET-UNREACHABLE" and "127.0.0.1" in error.message
    assert sum("-m pip" in line for line in task.lines) == 2, "it was tried again"
    assert "secret" not in folder.log.read_text(encoding="utf-8")
    assert folder.state().status == "incomplete"

    task = set_up(folder, Source(wheels=wheels))
    assert task.wait(90).status == "done", task.lines
    folder.remove()
    assert folder.state().status == "absent" and not folder.folder.exists()


def test_a_worker_runs_in_what_was_set_up_from_a_locked_folder(folder, wheels):
    lock_wheels(wheels)
    task = set_up(folder, Source(wheels=wheels))
    assert task.wait(90).status == "done", task.lines
    from world_tracing.worldtracing_addon.client.launch import worker_command

    program = "import sys, torch; print(torch.__version__, sys.prefix)"
    done = subprocess.run([folder.python, "-I", "-X", "utf8", "-c", program], capture_output=True, encoding="utf-8")
    assert done.stdout.strip() == f"1.0 {folder.environment}"
    with Process(worker_command(folder.python)) as worker:
        assert worker.hello["type"] == "hello"

    config = folder.environment / "pyvenv.cfg"
    config.write_text(config.read_text(encoding="utf-8").replace("home = ", "home = /gone"), encoding="utf-8")
    broken = folder.state()
    assert (broken.status, broken.python) == ("broken", None), "Blender was moved or removed"

    make_wheel(wheels, "raise OSError('another file than the list tells of')")
    task = set_up(folder, Source(wheels=wheels), repair=True)
    assert failure(task).code == "WT-ENV-DAMAGED"
    assert folder.state().status == "incomplete"


def test_what_cannot_be_installed_or_does_not_work(folder, wheels):
    task = set_up(folder, Source(wheels=wheels), "torch==1.0", "einops==3.0")
    error = failure(task)
    assert error.code == "WT-ENV-NO-WHEEL" and "einops==3.0" in error.message and str(wheels) in error.message

    make_wheel(wheels, "raise OSError('a library of the driver is missing')")
    task = set_up(folder, Source(wheels=wheels))
    error = failure(task)
    assert error.code == "WT-ENV-VERIFY" and "a library of the driver is missing" in error.message
    assert folder.state().status == "incomplete"

    make_wheel(wheels, "__version__ = '1.0'")
    task = set_up(folder, Source(wheels=wheels), repair=True)
    error = failure(task)
    assert error.code == "WT-ENV-VERIFY" and error.message.count("torch"), "it can be imported, but has no devices"


def test_versions_of_another_extension_are_outdated(folder, monkeypatch):
    from world_tracing.worldtracing_addon.core import backend_folder

    folder.python.parent.mkdir(parents=True)
    folder.python.touch()
    (folder.environment / "pyvenv.cfg").write_text(f"home = {folder.folder}\n", encoding="utf-8")
    assert folder.state().status == "incomplete"
    folder.mark_ready("cu130", [])
    assert (folder.state().status, folder.state().build) == ("ready", "cu130")
    monkeypatch.setattr(backend_folder, "digest", lambda: "other")
    assert (folder.state().status, folder.state().python) == ("outdated", folder.python)
    (folder.folder / "ready.json").write_text("[]")
    assert folder.state().status == "incomplete"


def test_a_python_that_makes_no_environment(folder, wheels):
    for python in (Path(shutil.which("false") or "false"), Path("/no/such/python")):
        task = BackendSetup(folder, plan(Source(wheels=wheels), python=str(python)), doctor)
        task.start()
        assert failure(task).code == "WT-ENV-VENV"
        assert folder.state().status == "absent"


@pytest.mark.skipif(sys.platform == "win32", reason="this Python is a shell script")
def test_a_python_without_ensurepip_is_told_in_plain_words(folder, wheels, tmp_path):
    """Debian's says so in many lines, of which the last is a command."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'because ensurepip is not'\necho 'Failing command: /a/path'\nexit 1\n")
    python.chmod(0o755)
    task = BackendSetup(folder, plan(Source(wheels=wheels), python=str(python)), doctor)
    task.start()
    error = failure(task)
    assert "it has no module ensurepip" in error.message and "python3-venv" in error.fix


def test_one_set_up_at_a_time(folder, wheels):
    with folder.locked():
        assert failure(set_up(folder, Source(wheels=wheels))).code == "WT-ENV-BUSY"
        with pytest.raises(WorldTracingError, match="WT-ENV-BUSY"):
            folder.remove()


def test_a_full_disk_is_found_out_before(folder, wheels):
    large = plan(Source(wheels=wheels))
    task = BackendSetup(folder, type(large)(**{**vars(large), "disk_gb": 1e6}), doctor)
    task.start()
    error = failure(task)
    assert error.code == "WT-IO-FULL" and "1000000.0 GB" in error.message


def test_a_folder_that_is_too_deep_for_windows(folder, wheels, monkeypatch):
    monkeypatch.setattr(type(folder.platform), "path_limit", lambda _: 60)  # of Windows it would be 260
    error = failure(set_up(folder, Source(wheels=wheels)))
    assert error.code == "WT-ENV-PATH" and folder.state().status == "absent"


def test_a_cancel_ends_what_the_program_has_started(tmp_path):
    """As pip's own children; on POSIX the process group, on Windows the tree."""
    from world_tracing.worldtracing_addon.core.tasks import Task

    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(120)\n"
    )

    class Sleeper(Task):
        def _work(self):
            self._command([sys.executable, "-c", code])

    task = Sleeper(tmp_path / "log")
    start = time.monotonic()
    task.start()
    until(lambda: task.lines and task.lines[-1].isdigit())
    pid = int(task.lines[-1])
    task.cancel()
    assert task.state.status in ("cancelling", "cancelled")
    assert task.wait(30).status == "cancelled"
    assert time.monotonic() - start < 60
    from worker_help import process_exists

    until(lambda: not process_exists(pid))


def test_the_doctor_s_findings_are_the_last_line_that_is_a_list():
    from world_tracing.worldtracing_addon.core.backend_setup import read_checks

    checks = [{"name": "torch"}]
    assert read_checks(["a warning", json.dumps(checks), "bye"]) == checks
    assert read_checks(["[1, 2"]) == [] and read_checks([]) == []
