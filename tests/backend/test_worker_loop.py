"""The worker's loop over pipes in this process: it answers everything and survives everything."""

import itertools
import json
import os
import platform
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worker_help import DEADLINE_SECONDS, Loop, write_photo

import worldtracing
from worldtracing.engines.base import DEFAULT_ENGINE, EngineInfo
from worldtracing.worker import job, protocol
from worldtracing.worker.serve import serve
from worldtracing.world import LayeredWorld


@pytest.fixture
def loop():
    loop = Loop()
    loop.hello = loop.hear()
    yield loop
    loop.requests.close()
    loop.thread.join(DEADLINE_SECONDS)
    assert not loop.thread.is_alive()


@pytest.fixture(scope="module")
def sturdy_loop():
    """One loop for all that the fuzzers send: it must still be there in the end."""
    loop = Loop()
    loop.hear()
    yield loop
    loop.requests.close()
    loop.thread.join(DEADLINE_SECONDS)
    assert not loop.thread.is_alive()


def test_hello(loop):
    engines = loop.hello.pop("engines")
    assert loop.hello == {
        "type": "hello",
        "protocol": protocol.PROTOCOL_VERSION,
        "version": worldtracing.__version__,
        "python": platform.python_version(),
        "pid": os.getpid(),
        "capabilities": ["trace", "cancel", "status", "engines", "free_memory", "mesh", "generators", "assist"],
    }
    assert "silhouette" in engines


def test_trace(loop, tmp_path):
    output = tmp_path / "new folder" / "world.safetensors"
    loop.tell(protocol.trace("t", str(write_photo(tmp_path / "photo.png")), str(output)))
    *progress, result = loop.hear_until("result")
    world = LayeredWorld.load(output)
    seconds = result["summary"].pop("seconds")
    assert result == {
        "type": "result",
        "id": "t",
        "path": str(output),
        "summary": {
            "layers": world.layers,
            "width": 48,
            "height": 48,
            "valid_points": int(world.valid.sum()),
            "engine": DEFAULT_ENGINE,
        },
    }
    assert 0 < seconds < DEADLINE_SECONDS
    assert all(message["type"] == "progress" and message["id"] == "t" for message in progress)
    assert all(0 <= message["k"] < message["n"] for message in progress)
    stages = list(dict.fromkeys(message["stage"] for message in progress))
    for stage in stages:
        steps = [message["k"] for message in progress if message["stage"] == stage]
        assert steps == sorted(set(steps))
    assert stages[0] == "Loading the engine" and stages[-1] == "Saving the result"


def test_a_photo_that_cannot_be_traced(loop, tmp_path):
    text = tmp_path / "photo.png"
    text.write_text("not a picture")
    loop.tell(protocol.trace("t", str(text), str(tmp_path / "world.safetensors")))
    error = loop.hear_until("error")[-1]
    assert error["id"] == "t" and error["code"].startswith("WT-IMG-") and error["fix"]
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_an_output_that_cannot_be_written_is_refused_before_the_trace(loop, tmp_path):
    (tmp_path / "file").touch()
    loop.tell(protocol.trace("t", str(write_photo(tmp_path / "photo.png")), str(tmp_path / "file" / "w.safetensors")))
    *progress, error = loop.hear_until("error")
    assert error["code"] == "WT-IO-WRITE"
    assert [message["stage"] for message in progress] == ["Loading the engine"]


def test_unknown_engine(loop, tmp_path):
    loop.tell(protocol.trace("t", "/photo.png", str(tmp_path / "w"), engine="telepathy"))
    error = loop.hear_until("error")[-1]
    assert error["code"] == "WT-MODEL-UNKNOWN" and "telepathy" in error["message"]


def test_status_and_free_memory_when_idle(loop):
    assert loop.ask(protocol.status_request("s")) == {"type": "status", "id": "s", "job": None, "loaded_engines": []}
    assert loop.ask(protocol.free_memory("f")) == {"type": "ok", "id": "f"}


def test_engines(loop):
    answer = loop.ask(protocol.engines_request("e"))
    assert answer["type"] == "engines" and answer["id"] == "e"
    silhouette = next(entry for entry in answer["engines"] if entry["name"] == "silhouette")
    assert silhouette["label"] and silhouette["modes"] == ["object", "scene"]


def test_cancel_without_a_trace(loop):
    assert loop.ask(protocol.cancel("c", "nothing")) == {"type": "ok", "id": "c", "found": False}


def test_shutdown_ends_the_loop(loop):
    assert loop.ask(protocol.shutdown("bye")) == {"type": "ok", "id": "bye"}
    assert loop.hear() is None


def test_a_last_line_without_its_end_is_answered(loop):
    loop.tell(b'{"type": "status", "id": "s"}')
    loop.requests.close()
    assert loop.hear()["type"] == "status"
    assert loop.hear() is None


@pytest.mark.parametrize(
    ("line", "id"),
    [
        (b"hello\n", None),
        (b"[1, 2]\n", None),
        (b'{"id": "7"}\n', None),
        (b'{"type": "juggle", "id": "7"}\n', "7"),
        (b'{"type": "juggle", "id": 7}\n', None),
        (b'{"type": "trace", "id": "7"}\n', "7"),
        (b'{"type": "cancel", "id": "7", "target": 3}\n', "7"),
        (b'{"type": "status", "id": "\xff\xfe"}\n', None),
        (b"[" * 200_000 + b"\n", None),
        (b"x" * (3 * protocol.MAX_LINE_BYTES) + b"\n", None),
        (b'{"type": "status", "id": "' + b"y" * protocol.MAX_LINE_BYTES + b'"}\n', None),
    ],
)
def test_bad_requests(loop, line, id):
    loop.tell(line)
    error = loop.hear()
    assert (error["type"], error["code"], error["id"]) == ("error", "WT-WORKER-REQUEST", id)
    assert error["message"] and error["fix"]
    assert loop.ask(protocol.status_request("s"))["type"] == "status"


def test_empty_lines_are_nothing(loop):
    loop.tell(b"\n  \r\n\n")
    assert loop.ask(protocol.status_request("s"))["type"] == "status"


FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def still_answers(loop, line, id):
    """Replies to the line; a status request after it tells where they end."""
    loop.tell(line)
    loop.tell(protocol.status_request(id))
    replies = []
    while (message := loop.hear()) and not (message["type"] == "status" and message["id"] == id):
        replies.append(message)
    return replies


@FUZZ
@given(st.binary(max_size=200).filter(lambda line: b"shutdown" not in line), st.uuids())
def test_any_bytes(sturdy_loop, line, id):
    for reply in still_answers(sturdy_loop, line + b"\n", str(id)):
        assert reply["type"] == "error" and reply["code"] == "WT-WORKER-REQUEST"


FIELDS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


@FUZZ
@given(
    st.sampled_from(["trace", "cancel", "status", "hello", "progress"]),
    st.dictionaries(st.sampled_from(["id", "image", "target", "seed", "mask", "extra", "mode"]), FIELDS),
    st.uuids(),
)
def test_any_fields(sturdy_loop, kind, fields, id):
    """Without `output` no trace is accepted, so that nothing is written."""
    line = json.dumps({"type": kind, **fields}).encode() + b"\n"
    (reply,) = still_answers(sturdy_loop, line, str(id))
    assert reply["type"] in ("error", "ok", "status")
    if kind in ("trace", "hello", "progress"):
        assert reply["code"] == "WT-WORKER-REQUEST"


class Endless:
    """An engine that only a cancel stops."""

    info = EngineInfo("endless", "Endless", "For tests.")

    def trace(self, image, mask, camera, options, on_progress):
        for k in itertools.count():
            on_progress("Working", k, k + 2)
            time.sleep(0.01)


@pytest.mark.parametrize("end", ["input", "shutdown"])
def test_the_end_cancels_a_running_trace(loop, tmp_path, monkeypatch, end):
    """Without leaving the process: it may be Blender's."""
    monkeypatch.setattr(job, "create_engine", lambda name: Endless())
    output = tmp_path / "world.safetensors"
    loop.tell(protocol.trace("t", str(write_photo(tmp_path / "photo.png")), str(output)))
    loop.hear_until("progress", stage="Working")
    if end == "input":
        loop.requests.close()
    else:
        loop.tell(protocol.shutdown("bye"))
    loop.hear_until("cancelled", id="t")
    assert not output.exists()


def test_heartbeats_come_without_being_asked(monkeypatch):
    monkeypatch.setattr(protocol, "HEARTBEAT_SECONDS", 0.01)
    loop = Loop()
    loop.hear()
    assert loop._messages.get(timeout=DEADLINE_SECONDS) == {"type": "heartbeat", "id": None}
    loop.requests.close()
    loop.thread.join(DEADLINE_SECONDS)


def test_the_loop_ends_when_nobody_listens(monkeypatch):
    """The requests stay open, as when a forked process still holds them."""
    monkeypatch.setattr(protocol, "HEARTBEAT_SECONDS", 0.01)
    from_loop, replies = os.pipe()
    requests, to_loop = os.pipe()
    os.close(from_loop)
    with os.fdopen(requests, "rb") as reading, os.fdopen(replies, "wb", 0) as writing:
        thread = threading.Thread(target=serve, args=(reading, writing), daemon=True)
        thread.start()
        thread.join(DEADLINE_SECONDS)
        os.close(to_loop)
    assert not thread.is_alive()
