"""One trace as the operator sees it: states by polling, cancel, and an end whatever happens to the worker."""

import os
import signal
import sys
from pathlib import Path

import pytest
from worker_help import half_written, plugin_command, process_exists, until, write_photo
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.backend.worldtracing.world import LayeredWorld
from world_tracing.worldtracing_addon.client.job import TraceJob
from world_tracing.worldtracing_addon.client.worker import InProcessWorker, ProcessWorker


@pytest.fixture(params=["process", "in-process"])
def any_worker(request):
    worker = ProcessWorker(plugin_command()) if request.param == "process" else InProcessWorker()
    yield worker
    worker.stop(wait=True)


@pytest.fixture
def worker():
    worker = ProcessWorker(plugin_command())
    yield worker
    worker.stop(wait=True)


@pytest.fixture
def folder(tmp_path):
    write_photo(tmp_path / "photo.png")
    return tmp_path


def request(folder, engine="silhouette", **extra):
    output = str(folder / "world.safetensors")
    return {"image": str(folder / "photo.png"), "output": output, "engine": engine, "extra": extra}


def slow(folder):
    return request(folder, "steps", steps=100_000, seconds=0.05, journal=str(folder / "journal"))


def states_until(job, condition):
    """Different states up to the first that meets the condition."""
    states = [job.state]

    def met():
        state = job.poll()
        if state != states[-1]:
            states.append(state)
        return condition(state)

    until(met)
    return states


def finish(job):
    return states_until(job, lambda state: state.finished)[-1]


def working(state):
    return state.stage == "Working" and state.k > 0


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "journal")


def test_a_trace(any_worker, folder):
    for _ in range(2):  # the second one on the same worker
        job = TraceJob(any_worker, request(folder))
        states = states_until(job, lambda state: state.finished)
        assert states[0].status == "starting" and states[-1].status == "done"
        assert states[-1].result.path == folder / "world.safetensors"
        assert LayeredWorld.load(states[-1].result.path).layers == states[-1].result.summary["layers"]
        assert not any_worker.busy and job.poll() is states[-1]


def test_progress_is_monotone_and_time_left_is_measured(worker, folder):
    job = TraceJob(worker, slow(folder))
    states = states_until(job, lambda state: state.k >= 5 and state.seconds_left)
    fractions = [state.fraction for state in states if state.stage == "Working"]
    assert fractions == sorted(fractions) and 0 < fractions[-1] < 1
    assert states[0].seconds_left is None
    assert states[-1].seconds_left > 0.04 * (100_000 - states[-1].k)  # a step sleeps for 0.05 s
    job.abandon()


def test_an_error_of_the_trace_leaves_the_worker_alive(any_worker, folder):
    (folder / "photo.png").write_text("not a picture")
    state = finish(TraceJob(any_worker, request(folder)))
    assert state.status == "failed" and state.error.code.startswith("WT-IMG-") and state.error.fix
    assert any_worker.alive and names(folder) == ["photo.png"]


def test_cancel(worker, folder):
    job = TraceJob(worker, slow(folder))
    states_until(job, working)
    job.cancel()
    job.cancel()
    assert job.state.status == "cancelling"
    assert finish(job).status == "cancelled"
    assert worker.alive and names(folder) == ["photo.png"]
    assert finish(TraceJob(worker, request(folder, "steps", steps=1))).status == "done"


def test_cancel_before_the_worker_is_there(any_worker, folder):
    job = TraceJob(any_worker, request(folder))
    job.cancel()
    assert job.poll().status == "cancelled" and any_worker.alive and not any_worker.busy
    assert finish(TraceJob(any_worker, request(folder))).status == "done"


def test_a_worker_that_does_not_stop_is_killed(worker, folder):
    job = TraceJob(worker, request(folder, "half-written"), cancel_seconds=0.2)
    states_until(job, lambda state: half_written(folder))
    job.cancel()
    assert finish(job).status == "cancelled"
    assert not worker.alive and not process_exists(worker.pid) and names(folder) == ["photo.png"]


LATE_RESULT = """
import json, sys
print('{"type": "hello", "protocol": 1, "pid": 1}', flush=True)
trace = json.loads(input())
open(trace["output"], "w").close()
print(json.dumps({"type": "progress", "id": trace["id"], "stage": "Saving", "k": 0, "n": 1}), flush=True)
assert json.loads(input())["type"] == "cancel"
print(json.dumps({"type": "result", "id": trace["id"], "path": trace["output"], "summary": {}}), flush=True)
input()
"""


def test_a_result_that_comes_in_spite_of_a_cancel_is_removed(folder):
    worker = ProcessWorker([sys.executable, "-c", LATE_RESULT])
    job = TraceJob(worker, request(folder))
    states_until(job, lambda state: state.stage == "Saving")
    assert names(folder) == ["photo.png", "world.safetensors"]
    job.cancel()
    assert finish(job).status == "cancelled" and names(folder) == ["photo.png"]
    worker.stop(wait=True)


LAST_WORDS = """
import json, sys
print('{"type": "hello", "protocol": 1, "pid": 1}', flush=True)
error = {"type": "error", "id": json.loads(input())["id"], "code": "WT-WORKER-REMOTE-LOST", "message": "", "fix": ""}
print(json.dumps(error), flush=True)
sys.stdin.read()
"""


def test_a_bridge_that_has_lost_its_server_gets_no_other_trace(folder):
    worker = ProcessWorker([sys.executable, "-c", LAST_WORDS])
    assert finish(TraceJob(worker, request(folder))).error.code == "WT-WORKER-REMOTE-LOST"
    assert process_exists(worker.pid) and not worker.alive
    worker.stop(wait=True)


def test_an_older_result_survives_a_cancel(worker, folder):
    (folder / "world.safetensors").write_text("an older result")
    job = TraceJob(worker, slow(folder))
    states_until(job, working)
    job.cancel()
    assert finish(job).status == "cancelled"
    assert (folder / "world.safetensors").read_text() == "an older result"


def test_abandon_needs_no_poll(worker, folder):
    job = TraceJob(worker, slow(folder))
    states_until(job, working)
    job.abandon()
    assert job.state.status == "cancelled" and not worker.busy
    until(lambda: not process_exists(worker.pid))
    job.abandon()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_killed_in_mid_trace(worker, folder):
    job = TraceJob(worker, request(folder, "half-written"))
    states_until(job, lambda state: half_written(folder))
    os.kill(worker.pid, signal.SIGKILL)
    state = finish(job)
    assert state.status == "failed" and state.error.code == "WT-WORKER-DIED" and "memory" in state.error.fix
    assert names(folder) == ["photo.png"] and not worker.alive and not worker.busy


@pytest.mark.parametrize("number", [0, pytest.param(11, marks=pytest.mark.skipif(os.name != "posix", reason="signal"))])
def test_a_worker_that_crashes(worker, folder, number):
    state = finish(TraceJob(worker, request(folder, "dies", signal=number)))
    assert state.status == "failed" and state.error.code == "WT-WORKER-DIED"
    assert ("SIGSEGV" if number else "exit code 7") in state.error.message and "last words" in state.error.message


def test_a_worker_out_of_memory(worker, folder):
    state = finish(TraceJob(worker, request(folder, "raises", kind="memory")))
    assert state.status == "failed" and state.error.code == "WT-MEM-TRACE" and worker.alive


def test_two_traces_at_once(worker, folder):
    first = TraceJob(worker, slow(folder))
    with pytest.raises(WorldTracingError) as caught:
        TraceJob(worker, request(folder))
    assert caught.value.code == "WT-WORKER-BUSY"
    states_until(first, working)
    first.cancel()
    assert finish(first).status == "cancelled"


def test_a_missing_python(folder):
    worker = ProcessWorker([str(folder / "python")])
    with pytest.raises(WorldTracingError) as caught:
        TraceJob(worker, request(folder))
    assert caught.value.code == "WT-WORKER-NO-PYTHON" and not worker.busy


def test_a_request_that_the_worker_would_refuse_is_not_sent(folder):
    worker = ProcessWorker(plugin_command())
    with pytest.raises(WorldTracingError) as caught:
        TraceJob(worker, request(folder) | {"seed": "forty-two"})
    assert caught.value.code == "WT-WORKER-REQUEST" and not worker.started


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_silence_is_told(worker, folder):
    job = TraceJob(worker, slow(folder))
    states_until(job, working)
    os.kill(worker.pid, signal.SIGSTOP)
    states_until(job, lambda state: state.silent_seconds > 0.5)
    os.kill(worker.pid, signal.SIGCONT)
    states_until(job, lambda state: state.silent_seconds < 0.5)
    job.abandon()


def test_a_job_on_a_worker_that_has_ended_fails(worker, folder):
    finish(TraceJob(worker, request(folder, "dies")))
    assert finish(TraceJob(worker, request(folder))).error.code == "WT-WORKER-DIED"
    assert Path(folder / "photo.png").exists()
