"""The worker as a process: clean stdout, cancel within a step, whatever an engine or the parent does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from worker_help import (
    DEADLINE_SECONDS,
    PLUGIN,
    Process,
    half_written,
    plugin_command,
    process_exists,
    until,
    write_photo,
)

from worldtracing.files import temporary_path
from worldtracing.worker import launcher, protocol
from worldtracing.world import LayeredWorld


@pytest.fixture
def photo(tmp_path):
    return str(write_photo(tmp_path / "photo.png"))


@pytest.fixture
def output(tmp_path):
    return tmp_path / "world.safetensors"


@pytest.fixture(scope="module")
def worker():
    """One worker for all tests that leave it alive."""
    with Process() as process:
        yield process


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in ("photo.png", "journal"))


def long_trace(worker, photo, output, journal, id="long"):
    """A trace of many steps, and its first step begun."""
    extra = {"steps": 100_000, "seconds": 0.05, "journal": str(journal)}
    worker.tell(protocol.trace(id, photo, str(output), engine="steps", extra=extra))
    until(journal.exists)
    worker.hear_until("progress", stage="Working")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_disk_that_fills_up_during_a_trace(worker, photo, output, tmp_path):
    output.write_bytes(b"older")
    journal = tmp_path / "journal"
    os.mkfifo(journal)  # the engine's one step waits in it until it is read
    worker.tell(protocol.trace("t", photo, str(output), engine="steps", extra={"steps": 1, "journal": str(journal)}))
    worker.hear_until("progress", stage="Working")
    temporary_path(output, worker.hello["pid"]).symlink_to("/dev/full")  # the kernel's "no space left on device"
    journal.read_text()
    error = worker.hear_until("error")[-1]
    assert (error["id"], error["code"]) == ("t", "WT-IO-FULL")
    assert leftovers(tmp_path) == [output.name] and output.read_bytes() == b"older"
    worker.tell(protocol.trace("next", photo, str(output)))
    worker.hear_until("result", id="next")


def test_serve_command_traces(photo, output):
    with Process([sys.executable, "-m", "worldtracing", "serve", "--stdio"]) as worker:
        assert worker.hello["pid"] == worker.process.pid
        worker.tell(protocol.trace("t", photo, str(output)))
        assert worker.hear_until("result")[-1]["path"] == str(output)
        assert worker.ask(protocol.shutdown("bye"))["type"] == "ok"
        assert worker.end() == 0
    assert LayeredWorld.load(output).layers == 2


def test_engines_come_through_entry_points(worker):
    assert {"silhouette", "steps", "chatty", "missing"} <= set(worker.hello["engines"])
    entries = {entry["name"]: entry for entry in worker.ask(protocol.engines_request("e"))["engines"]}
    assert entries["steps"]["label"] == "Fake"
    assert entries["missing"]["error"]["code"] == "WT-MODEL-BROKEN"


def test_stdout_carries_nothing_but_the_protocol(photo, output):
    with Process() as worker:
        worker.tell(protocol.trace("t", photo, str(output), engine="chatty"))
        worker.hear_until("result")
        worker.ask(protocol.free_memory("f"))
    worker.end()
    assert all(isinstance(json.loads(line), dict) for line in worker.lines)
    for text in (
        b"printed by the engine",
        b"written to descriptor 1",
        b"printed by a child process",
        b"written to the original stdout",
        b"memory freed",
    ):
        assert text in worker.stderr
        assert not any(text in line for line in worker.lines)


def test_progress_is_thinned_out_but_its_ends_are_told(worker, photo, output):
    worker.tell(protocol.trace("t", photo, str(output), engine="steps", extra={"steps": 20_000}))
    steps = [message["k"] for message in worker.hear_until("result") if message.get("stage") == "Working"]
    assert steps[0] == 0 and steps[-1] == 19_999 and steps == sorted(set(steps))
    assert len(steps) < 10_000


def test_cancel_takes_effect_before_the_next_step(worker, photo, output, tmp_path):
    journal = tmp_path / "journal"
    long_trace(worker, photo, output, journal)
    worker.tell(protocol.cancel("c", "long"))
    # The cancel is in force before it is answered; the two answers come from two threads, in any order.
    heard = worker.hear_until("ok", id="c", found=True)
    steps_when_in_force = len(journal.read_text().split())
    if not any(message["type"] == "cancelled" for message in heard):
        worker.hear_until("cancelled", id="long")
    assert len(journal.read_text().split()) <= steps_when_in_force + 1
    assert leftovers(tmp_path) == []
    worker.tell(protocol.trace("next", photo, str(output), engine="steps", extra={"steps": 1}))
    assert worker.hear_until("result")[-1]["id"] == "next"


def test_a_second_trace_is_refused_and_the_first_goes_on(worker, photo, output, tmp_path):
    long_trace(worker, photo, output, tmp_path / "journal")
    worker.tell(protocol.trace("second", photo, str(output)))
    error = worker.hear_until("error")[-1]
    assert (error["id"], error["code"]) == ("second", "WT-WORKER-BUSY")
    worker.tell(protocol.free_memory("f"))
    error = worker.hear_until("error")[-1]
    assert (error["id"], error["code"]) == ("f", "WT-WORKER-BUSY")
    worker.tell(protocol.status_request("long"))
    error = worker.hear_until("error")[-1]
    assert (error["id"], error["code"]) == (None, "WT-WORKER-REQUEST")
    worker.tell(protocol.status_request("s"))
    status = worker.hear_until("status")[-1]
    assert status["job"]["id"] == "long" and status["job"]["stage"] == "Working" and status["job"]["seconds"] > 0
    assert "steps" in status["loaded_engines"]
    worker.tell(protocol.cancel("c", "long"))
    worker.hear_until("cancelled")


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        ("memory", "WT-MEM-TRACE", "memory"),
        ("value", "WT-WORKER-FAILED", "last line"),
        ("exit", "WT-WORKER-FAILED", "SystemExit"),
        ("unprintable", "WT-WORKER-FAILED", "Unprintable"),
        ("base", "WT-WORKER-FAILED", "base"),
    ],
)
def test_whatever_an_engine_raises(worker, photo, output, tmp_path, kind, code, text):
    worker.tell(protocol.trace("t", photo, str(output), engine="raises", extra={"kind": kind}))
    error = worker.hear_until("error")[-1]
    assert (error["id"], error["code"]) == ("t", code) and text in error["message"] and error["fix"]
    assert "\n" not in error["message"]
    assert leftovers(tmp_path) == []


def test_the_traceback_goes_to_stderr(photo, output):
    with Process() as worker:
        worker.tell(protocol.trace("t", photo, str(output), engine="raises", extra={"kind": "value"}))
        worker.hear_until("error")
    worker.end()
    assert b"Traceback" in worker.stderr and b"worker_test_engines.py" in worker.stderr


def test_progress_that_makes_no_sense(worker, photo, output):
    worker.tell(protocol.trace("t", photo, str(output), engine="bad-progress"))
    assert worker.hear_until("error")[-1]["code"] == "WT-WORKER-FAILED"


def test_closing_stdin_ends_it_in_mid_trace(photo, output, tmp_path):
    with Process() as worker:
        long_trace(worker, photo, output, tmp_path / "journal")
        worker.requests.close()
        assert worker.end() == 0
    assert leftovers(tmp_path) == []


def test_closing_stdin_ends_it_in_mid_step_without_its_temporary_file(photo, output, tmp_path):
    with Process() as worker:
        worker.tell(protocol.trace("t", photo, str(output), engine="half-written"))
        until(lambda: half_written(tmp_path))
        worker.requests.close()
        assert worker.end() == 0
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_it_quietly(photo, output, tmp_path):
    with Process() as worker:
        long_trace(worker, photo, output, tmp_path / "journal")
        worker.process.send_signal(signal.SIGINT)
        assert worker.end() == 130
    assert b"Traceback" not in worker.stderr and leftovers(tmp_path) == []


PARENT = """
import sys, time
sys.path[:0] = {paths!r}
from checkout import load_extension
load_extension()
from world_tracing.worldtracing_addon.client.worker import ProcessWorker
worker = ProcessWorker({command!r})
worker.start()
worker.send({request!r})
while not worker.poll():
    time.sleep(0.01)
print(worker.hello["pid"], flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the process in /proc")
@pytest.mark.parametrize("engine", ["steps", "half-written"])
def test_it_ends_when_its_parent_is_killed(photo, output, tmp_path, engine):
    """As when Blender crashes in mid-trace; the worker is in a session of its own, so no signal reaches it."""
    extra = {"steps": 100_000, "seconds": 0.05, "journal": str(tmp_path / "journal")}
    request = protocol.trace("t", photo, str(output), engine=engine, extra=extra)
    examples = Path(launcher.__file__).parents[3] / "examples"
    program = PARENT.format(paths=[str(examples)], command=plugin_command(), request=request)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        until(lambda: (tmp_path / "journal").exists() or half_written(tmp_path))
        assert process_exists(pid)
        parent.kill()
    until(lambda: not process_exists(pid))
    assert leftovers(tmp_path) == []


@pytest.fixture(scope="module")
def bare_packages(tmp_path_factory):
    """A folder with numpy and safetensors and nothing else, as Blender brings them."""
    import numpy
    import safetensors

    folder = tmp_path_factory.mktemp("packages")
    for package in (numpy, safetensors):
        for path in Path(package.__file__).parents[1].glob(f"{package.__name__}*"):
            (folder / path.name).symlink_to(path)
    return folder


def bare_command(*folders, fallback=False):
    """This Python without its site-packages."""
    options = ["--fallback"] if fallback else []
    return [sys.executable, "-I", "-S", "-X", "utf8", launcher.__file__, *options, *map(str, folders)]


def test_numpy_and_safetensors_are_all_it_needs(bare_packages, photo, output, tmp_path):
    import numpy as np
    from PIL import Image

    from worldtracing.image import save_pixels

    rgb = np.asarray(Image.open(photo))
    pixels = save_pixels(tmp_path / "photo.safetensors", rgb)
    backend = Path(launcher.__file__).parents[2]
    with Process(bare_command(backend, bare_packages, PLUGIN)) as worker:
        assert "steps" in worker.hello["engines"]
        worker.tell(protocol.trace("t", str(pixels), str(output)))
        summary = worker.hear_until("result")[-1]["summary"]
        assert (summary["width"], summary["height"], summary["layers"]) == (48, 48, 2)
        worker.tell(protocol.trace("png", photo, str(output)))
        assert worker.hear_until("error")[-1]["code"] == "WT-ENV-PACKAGE"  # no Pillow there
    worker.end()
    assert b"Traceback" not in worker.stderr


@pytest.mark.parametrize("fallback", [False, True])
def test_a_python_without_numpy_says_so(fallback):
    with Process(bare_command(Path(launcher.__file__).parents[2], fallback=fallback)) as worker:
        assert worker.end() == 1
    assert worker.hello["type"] == "error" and worker.hello["code"] == "WT-ENV-PACKAGE"
    assert "numpy" in worker.hello["message"] and sys.executable in worker.hello["message"]


def test_numpy_of_blender_comes_before_other_packages_and_after_the_standard_library(monkeypatch):
    own_folder = str(Path(launcher.__file__).parent)
    standard = ["/py/python311.zip", "/py/lib", "/py/lib/lib-dynload"]
    site = ["/py/lib/site-packages", "/py/dist-packages"]
    monkeypatch.setattr(sys, "path", [own_folder, *standard, "/numpy", *site])
    launcher.set_paths(["/backend", "/numpy", "/safetensors"], fallback=False)
    assert sys.path == ["/backend", *standard, "/numpy", "/safetensors", *site]
    launcher.set_paths(["/backend", "/numpy", "/safetensors"], fallback=True)
    assert sys.path == ["/backend", *standard, *site, "/numpy", "/safetensors"]


def test_serving_imports_neither_torch_nor_pillow(bare_packages):
    """The hello must not wait for them."""
    code = (
        "import sys; from worldtracing.worker import serve; from worldtracing.engines.base import ENGINES;"
        "ENGINES.names(); print([name for name in ('torch', 'PIL', 'cv2', 'scipy', 'OpenEXR') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert run.stdout.strip() == "[]", run.stderr
