"""One worker per session: kept, replaced when it has to be, and never left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from worker_help import process_exists, until, write_photo
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.worldtracing_addon.client import session
from world_tracing.worldtracing_addon.client.job import TraceJob
from world_tracing.worldtracing_addon.client.worker import InProcessWorker, ProcessWorker
from world_tracing.worldtracing_addon.core.settings import WorkerSettings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def clean_session():
    yield
    session.shutdown()


def trace(folder):
    request = {"image": str(write_photo(folder / "photo.png")), "output": str(folder / "world.safetensors")}
    job = TraceJob(session.get_worker(WorkerSettings()), request)
    until(lambda: job.poll().finished)
    return job.state


def test_the_worker_is_kept(tmp_path):
    worker = session.get_worker(WorkerSettings())
    assert isinstance(worker, ProcessWorker) and worker.alive
    assert trace(tmp_path).status == "done"
    assert session.get_worker(WorkerSettings()) is worker


def test_generators_of_a_worker_in_this_process_stay_offline_as_well(monkeypatch):
    monkeypatch.delenv("WORLDTRACING_OFFLINE", raising=False)
    session.get_worker(WorkerSettings(in_process=True, offline=True))
    assert os.environ["WORLDTRACING_OFFLINE"] == "1"
    session.get_worker(WorkerSettings(in_process=True))
    assert "WORLDTRACING_OFFLINE" not in os.environ


def test_a_dead_worker_is_replaced(tmp_path):
    worker = session.get_worker(WorkerSettings())
    until(lambda: worker.poll())
    worker.kill()
    until(lambda: not worker.alive)
    assert trace(tmp_path).status == "done"
    assert session.get_worker(WorkerSettings()) is not worker


def test_other_settings_mean_another_worker(tmp_path):
    first = session.get_worker(WorkerSettings())
    second = session.get_worker(WorkerSettings(python=Path(sys.executable)))
    third = session.get_worker(WorkerSettings(in_process=True))
    assert isinstance(second, ProcessWorker) and isinstance(third, InProcessWorker) and third.alive
    until(lambda: not process_exists(first.pid) and not process_exists(second.pid))


def test_a_busy_worker_is_not_replaced():
    worker = session.get_worker(WorkerSettings())
    worker.busy = True
    with pytest.raises(WorldTracingError) as caught:
        session.get_worker(WorkerSettings(in_process=True))
    assert caught.value.code == "WT-WORKER-BUSY" and worker.alive


def test_a_missing_python_leaves_the_worker_there_is(tmp_path):
    worker = session.get_worker(WorkerSettings())
    with pytest.raises(WorldTracingError) as caught:
        session.get_worker(WorkerSettings(python=tmp_path / "python"))
    assert caught.value.code == "WT-WORKER-NO-PYTHON"
    assert session.get_worker(WorkerSettings()) is worker


def test_free_memory_is_answered_when_idle_and_left_alone_when_busy():
    session.free_memory()
    worker = session.get_worker(WorkerSettings())
    session.free_memory()
    ok = until(lambda: next((message for message in worker.poll() if message["type"] == "ok"), None))
    assert ok["id"] == "free_memory"
    until(lambda: worker.poll() is not None and worker.engines)
    worker.busy = True
    session.free_memory()
    assert worker._outgoing.empty()


def test_shutdown_ends_it_at_once_and_may_be_repeated():
    worker = session.get_worker(WorkerSettings())
    until(lambda: worker.poll())
    session.shutdown()
    assert not process_exists(worker.pid)
    session.shutdown()
    assert session.get_worker(WorkerSettings()) is not worker


PROGRAM = """
import sys, time
sys.path.insert(0, {examples!r})
from checkout import load_extension
load_extension()
from world_tracing.worldtracing_addon.client import session
from world_tracing.worldtracing_addon.core.settings import WorkerSettings
worker = session.get_worker(WorkerSettings())
while not worker.poll():
    time.sleep(0.01)
print(worker.pid, flush=True)
{ending}
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for the process in /proc")
@pytest.mark.parametrize(
    "ending",
    [
        "",
        "import os; os._exit(0)",  # a crash
        "input()",  # until Ctrl-C
        "import os, signal; os.kill(worker.pid, signal.SIGSTOP)",  # a worker that hangs
    ],
)
def test_nothing_is_left_when_the_program_ends(ending):
    program = PROGRAM.format(examples=str(EXAMPLES), ending=ending)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        pid = int(process.stdout.readline())
        if ending == "input()":
            process.send_signal(signal.SIGINT)  # Ctrl-C in the terminal
        _, stderr = process.communicate(timeout=90)
    assert b"Exception" not in stderr and b"RuntimeError" not in stderr, stderr
    until(lambda: not process_exists(pid))
    assert pid != os.getpid()
