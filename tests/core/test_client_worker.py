"""The client's workers: nothing waits on the main thread, and every way to end is told."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from worker_help import half_written, plugin_command, process_exists, until, write_photo
from world_tracing.backend.worldtracing.worker import protocol
from world_tracing.worldtracing_addon.client import endings
from world_tracing.worldtracing_addon.client import worker as worker_module
from world_tracing.worldtracing_addon.client.launch import worker_command
from world_tracing.worldtracing_addon.client.worker import InProcessWorker, ProcessWorker
from world_tracing.worldtracing_addon.core.jobs import WORKER_GONE


@pytest.fixture
def start():
    """Start workers that end with the test."""
    workers = []

    def start(worker):
        workers.append(worker)
        worker.start()
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.stop(wait=True)


def python(code):
    """A stand-in for a worker."""
    return ProcessWorker([sys.executable, "-c", code])


def receive(worker, type):
    """The next message of a type; those before it are dropped."""
    return until(lambda: next((message for message in worker.poll() if message["type"] == type), None))


def test_both_kinds_speak_the_same(start, tmp_path):
    for number, worker in enumerate([ProcessWorker(worker_command()), InProcessWorker()]):
        start(worker)
        hello = receive(worker, "hello")
        assert hello["protocol"] == protocol.PROTOCOL_VERSION and worker.hello is hello
        output = tmp_path / f"{number}.safetensors"
        worker.send(protocol.trace("t", str(write_photo(tmp_path / "photo.png")), str(output)))
        assert receive(worker, "result")["path"] == str(output)
        assert worker.alive and output.stat().st_size > 0
        worker.stop()
        assert not worker.alive
        assert receive(worker, WORKER_GONE)
        assert worker.poll()[-1]["type"] == WORKER_GONE  # in every poll from then on


DEAF_WORKER = """
import signal, sys, threading, time
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as in Blender 4
sys.path.insert(0, sys.argv[1])
from checkout import load_extension
load_extension()
from world_tracing.backend.worldtracing.worker import protocol
from world_tracing.worldtracing_addon.client.worker import ProcessWorker
worker = ProcessWorker([sys.executable, "-c", "import os, time; os.close(0); print(flush=True); time.sleep(60)"])
worker.start()
limit = time.monotonic() + 30
while not worker._tail and time.monotonic() < limit:
    time.sleep(0.01)
worker.send(protocol.shutdown("nobody reads this"))
while any("_write" in thread.name for thread in threading.enumerate()) and time.monotonic() < limit:
    time.sleep(0.01)
worker.kill()
print("alive", time.monotonic() < limit)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="Windows has no such signal")
def test_a_worker_that_does_not_read_does_not_end_blender():
    command = [sys.executable, "-c", DEAF_WORKER, str(Path(__file__).resolve().parents[2] / "examples")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert (ended.returncode, ended.stdout.split()) == (0, ["alive", "True"]), ended.stderr


def test_stop_lets_it_end_by_itself(start):
    worker = start(ProcessWorker(worker_command()))
    receive(worker, "hello")
    worker.stop(grace_seconds=90, wait=True)
    assert worker.poll()[-1]["message"].startswith("The worker ended unexpectedly with exit code 0")


def test_stop_before_start_and_twice(start):
    worker = ProcessWorker(worker_command())
    worker.stop(wait=True)
    start(worker).stop(wait=True)


def test_stop_kills_what_does_not_listen(start):
    worker = start(python("import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"))
    until(lambda: worker.stderr_tail() == "" and len(worker._tail) == 1)
    worker.stop(grace_seconds=0.1, wait=True)
    until(lambda: not process_exists(worker.pid))


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV"])
def test_an_end_by_a_signal_is_told(start, name):
    number = getattr(signal, name)  # not while tests are collected: Windows has not all
    worker = start(ProcessWorker(worker_command()))
    receive(worker, "hello")
    os.kill(worker.pid, number)
    gone = receive(worker, WORKER_GONE)
    assert gone["code"] == "WT-WORKER-DIED" and signal.Signals(number).name in gone["message"]
    assert ("memory" in gone["fix"]) == (number == signal.SIGKILL)
    assert not worker.alive


def test_an_exit_is_told_with_its_last_words(start):
    worker = start(python("import sys; print('no such thing', file=sys.stderr); sys.exit(3)"))
    gone = receive(worker, WORKER_GONE)
    assert gone["code"] == "WT-WORKER-DIED"
    assert gone["message"] == 'The worker ended unexpectedly with exit code 3. It last said: "no such thing".'


def test_crash_codes_of_windows_are_shown_in_hexadecimal():
    assert "0xC0000005" in endings.died(0xC0000005, []).message


def test_a_python_without_packages_is_told_for_what_it_is(start, monkeypatch):
    command = worker_command()
    worker = start(ProcessWorker([command[0], "-S", *command[1:6]]))  # the backend's folder, but not numpy's
    gone = receive(worker, WORKER_GONE)
    assert gone["code"] == "WT-ENV-PACKAGE"


def test_another_protocol_version_is_refused(start):
    worker = start(python("""print('{"type": "hello", "protocol": 99}', flush=True); input()"""))
    gone = receive(worker, WORKER_GONE)
    assert gone["code"] == "WT-WORKER-PROTOCOL" and "99" in gone["message"]
    assert worker.hello is None
    until(lambda: not process_exists(worker.pid))


def test_no_hello_is_a_stall_unless_stderr_shows_life(start, monkeypatch):
    monkeypatch.setattr(worker_module, "START_SECONDS", 3.0)
    busy_code = "import sys, time\nwhile True: print('busy', file=sys.stderr, flush=True); time.sleep(0.02)"
    silent, busy = start(python("import time; time.sleep(600)")), start(python(busy_code))
    until(lambda: busy.stderr_tail())
    assert receive(silent, WORKER_GONE)["code"] == "WT-WORKER-STALLED"
    busy.poll()
    assert busy.alive


def test_lines_that_are_no_messages_are_kept_for_the_log(start):
    code = (
        """print('Activating environment'); print('{"type": "hello", "protocol": 1, "pid": 1}', flush=True); input()"""
    )
    worker = start(python(code))
    assert receive(worker, "hello")
    assert worker.stderr_tail() == "Activating environment"


def test_send_never_waits(start):
    """The worker reads nothing, and a pipe holds far less than this."""
    worker = start(python("import time; time.sleep(600)"))
    for number in range(200):
        worker.send(protocol.status_request(f"{number:04000}"))
    worker.kill()
    assert receive(worker, WORKER_GONE)
    worker.send(protocol.status_request("lost"))


def test_stderr_goes_to_the_log_and_the_tail(start, tmp_path):
    log = tmp_path / "logs" / "worker.log"
    code = "import sys\nfor k in range(150): print('line', k, file=sys.stderr)\nsys.stderr.buffer.write(b'\\xff')"
    worker = start(ProcessWorker([sys.executable, "-c", code], log))
    assert receive(worker, WORKER_GONE)
    assert len(log.read_text("utf-8").splitlines()) == 151
    tail = worker.stderr_tail().splitlines()
    assert len(tail) == 100 and tail[-2:] == ["line 149", "\ufffd"]


def test_a_log_that_cannot_be_written_stops_nothing(start, tmp_path):
    (tmp_path / "file").touch()
    worker = start(ProcessWorker(worker_command(), tmp_path / "file" / "worker.log"))
    assert receive(worker, "hello")


def test_heartbeats_are_signs_of_life_and_not_messages(start):
    code = """
import time
print('{"type": "hello", "protocol": 1, "pid": 1}', flush=True)
while True:
    print('{"type": "heartbeat", "id": null}', flush=True)
    time.sleep(0.01)
"""
    worker = start(python(code))
    receive(worker, "hello")
    heard_at = worker._heard_at
    until(lambda: worker._heard_at > heard_at)
    assert worker.poll() == []


def test_a_worker_that_has_closed_its_replies_gets_no_other_trace(start, monkeypatch):
    monkeypatch.setattr(worker_module, "EXIT_SECONDS", 90.0)
    worker = start(python("import os, time; os.close(1); time.sleep(600)"))
    until(lambda: not worker.alive)
    assert process_exists(worker.pid), "it is given time to end by itself"


def test_the_temporary_file_of_a_killed_worker_is_removed(start, tmp_path):
    photo, output = write_photo(tmp_path / "photo.png"), tmp_path / "world.safetensors"
    worker = start(ProcessWorker(plugin_command()))
    receive(worker, "hello")
    worker.send(protocol.trace("t", str(photo), str(output), engine="half-written"))
    until(lambda: half_written(tmp_path))
    worker.kill()
    receive(worker, WORKER_GONE)
    assert list(tmp_path.iterdir()) == [photo]


def test_no_threads_stay_behind(start):
    """Daemon threads of earlier tests may still be ending, so only ours are counted."""
    before = set(threading.enumerate())
    for worker in (ProcessWorker(worker_command()), InProcessWorker()):
        start(worker)
        receive(worker, "hello")
        worker.stop(wait=True)
    until(lambda: all("_leave_if_overdue" in thread.name for thread in set(threading.enumerate()) - before))


def test_starting_and_polling_do_not_wait_for_the_worker(start):
    worker = python("import time; time.sleep(600)")
    done = threading.Event()

    def main_thread():
        start(worker)
        worker.poll()
        worker.send(protocol.status_request("s"))
        done.set()

    threading.Thread(target=main_thread, daemon=True).start()
    assert done.wait(60)
    assert worker.alive and time.monotonic() - worker._heard_at >= 0
