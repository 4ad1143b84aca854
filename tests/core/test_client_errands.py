"""Questions to a real worker from any thread: answered, in line, refused, cancelled, and an end whatever happens."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from worker_help import DEADLINE_SECONDS, plugin_command, until, write_photo
from world_tracing.backend.worldtracing.editing.assistants import read_detections, save_picture
from world_tracing.backend.worldtracing.errors import Cancelled, WorldTracingError
from world_tracing.worldtracing_addon.client import errands, session
from world_tracing.worldtracing_addon.client.job import TraceJob
from world_tracing.worldtracing_addon.core.settings import WorkerSettings

SETTINGS = WorkerSettings()


@pytest.fixture(autouse=True)
def plugin_session(monkeypatch):
    monkeypatch.setattr(session, "worker_command", lambda _python: plugin_command())
    session.set_assistants(None)
    yield
    session.shutdown()
    assert not errands.under_way()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(4) as pool:
        yield lambda *work: pool.submit(*work)


@pytest.fixture
def find(tmp_path):
    """find(words): what the detector of the worker's plug-in finds."""
    rgb = np.zeros((20, 30, 3), np.uint8)
    rgb[5:9, 10:15, 2] = 255
    picture = save_picture(rgb, tmp_path / "picture.safetensors")

    def ask(text, on_progress=lambda *_: None):
        answer = tmp_path / f"{threading.get_ident()}-{text[:3]}.safetensors"
        fields = {"kind": "detector", "plugin": "blue", "input": str(picture), "output": str(answer), "text": text}
        errands.run(SETTINGS, None, fields, on_progress)
        return read_detections(answer, 30, 20)

    return ask


def code_of(work):
    with pytest.raises(WorldTracingError) as caught:
        work()
    return caught.value.code


def test_the_main_thread_waits_without_timers(find):
    stages = []
    assert find("the blue one", lambda stage, k, n: stages.append(stage))[0].box.x0 == 10
    find("wait", lambda stage, k, n: stages.append(stage))
    assert stages[0] == "Starting the worker" and "Looking for it with Blue" in stages
    assert find("a unicorn") == [] and code_of(lambda: find("no weights")) == "WT-MODEL-MISSING"


def test_threads_wait_in_line_and_share_the_loaded_model(find, threads):
    answers = [threads(find, "how often?") for _ in range(4)]
    counts = sorted(round(100 * answer.result(DEADLINE_SECONDS)[0].score) for answer in answers)
    assert counts == [1, 2, 3, 4]


def test_a_trace_is_not_disturbed_and_not_waited_for(find, tmp_path):
    request = {"image": str(write_photo(tmp_path / "photo.png")), "output": str(tmp_path / "world.safetensors")}
    job = TraceJob(session.get_worker(SETTINGS), request)
    assert code_of(lambda: find("the blue one")) == "WT-WORKER-BUSY"
    until(lambda: job.poll().finished)
    assert job.state.status == "done" and find("the blue one")


def test_a_cancel_reaches_what_is_under_way_and_what_is_in_line(find, threads):
    find("the blue one")
    waiting = [threads(find, "wait") for _ in range(2)]
    until(lambda: len(errands._errands) == 2 and session.is_busy())
    worker = session.get_worker.__globals__["_worker"]
    errands.cancel()
    for future in waiting:
        with pytest.raises(Cancelled):
            future.result(DEADLINE_SECONDS)
    assert find("how often?") and worker.alive, "the worker has heeded the cancel, and lives on"


def test_who_waits_may_leave_through_its_progress(find):
    def leave(stage, _k, _n):
        if stage != "Starting the worker":
            raise Cancelled

    with pytest.raises(Cancelled):
        find("wait", leave)
    assert find("the blue one")


def test_a_worker_that_dies_ends_the_wait_and_another_follows(find, threads):
    find("the blue one")
    waiting = threads(find, "wait")
    until(session.is_busy)
    session.get_worker.__globals__["_worker"].kill()
    assert code_of(lambda: waiting.result(DEADLINE_SECONDS)) == "WT-WORKER-DIED"
    assert find("the blue one")


def test_the_worker_tells_which_assistants_it_has():
    assert session.worker_assistants() is None
    errands.ask(SETTINGS, None)
    names = {entry["name"] for entry in session.worker_assistants()}
    assert {"graph", "half", "blue", "grounding-dino"} <= names and not session.is_busy()
    session.shutdown()
    assert {entry["name"] for entry in session.worker_assistants()} == names, "they outlive the worker"
    session.set_assistants(None)
    errands.ask(SETTINGS, None)
    errands.ask(SETTINGS, None)
    assert session.worker_assistants()


def test_an_inquiry_gives_way_and_a_question_of_the_user_does_not(find, threads):
    find("the blue one")
    waiting = threads(find, "wait")
    until(session.is_busy)
    asked = threads(errands.ask, SETTINGS, None)
    until(lambda: len(errands._errands) == 2)
    errands.end_inquiries()
    with pytest.raises(Cancelled):
        asked.result(DEADLINE_SECONDS)
    assert session.is_busy() and not waiting.done()
    errands.cancel()
    with pytest.raises(Cancelled):
        waiting.result(DEADLINE_SECONDS)


def test_a_worker_that_is_only_asked_is_free_at_once(monkeypatch, threads):
    hello = {"type": "hello", "protocol": 1, "pid": 1, "capabilities": ["assist"]}
    program = f"import json, sys; print(json.dumps({hello!r}), flush=True); sys.stdin.read()"
    monkeypatch.setattr(session, "worker_command", lambda _python: [sys.executable, "-c", program])
    asked = threads(errands.ask, SETTINGS, None)
    until(session.is_busy)
    errands.end_inquiries()
    assert not session.is_busy()
    with pytest.raises(Cancelled):
        asked.result(DEADLINE_SECONDS)
    assert session.worker_assistants() is None, "it will be asked again"


def test_a_worker_that_traces_is_asked_another_time():
    errands.ask(SETTINGS, None)
    told, worker = session.worker_assistants(), session.get_worker(SETTINGS)
    worker.claim()
    errands.ask(SETTINGS, None)
    assert session.worker_assistants() == told != []
    worker.busy = False


def test_where_no_worker_can_be_asked_there_are_no_assistants(monkeypatch, tmp_path):
    monkeypatch.undo()
    errands.ask(WorkerSettings(python=tmp_path / "python"), None)
    assert session.worker_assistants() == []
    session.set_assistants(None)
    monkeypatch.setattr(session, "worker_command", lambda _python: [sys.executable, "-c", "print('not a worker')"])
    errands.ask(WorkerSettings(python=Path(sys.executable)), None)
    assert session.worker_assistants() == [] and not session.is_busy()


@pytest.mark.parametrize("capabilities", [[], ["assist"]])
def test_a_worker_that_knows_no_assistants_or_never_answers_has_none(monkeypatch, capabilities):
    hello = {"type": "hello", "protocol": 1, "pid": 1, "capabilities": capabilities}
    program = f"import json, sys; print(json.dumps({hello!r}), flush=True); sys.stdin.read()"
    monkeypatch.setattr(session, "worker_command", lambda _python: [sys.executable, "-c", program])
    monkeypatch.setattr(errands, "ASK_SECONDS", 1.0 if capabilities else DEADLINE_SECONDS)
    errands.ask(SETTINGS, None)
    assert session.worker_assistants() == [] and not session.is_busy()
