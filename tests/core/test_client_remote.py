"""A worker on another computer as the add-on's client sees it: as any other worker, and gone as any other worker."""

import pytest
from remote_help import TOKEN, ServerProcess
from worker_help import process_exists, until, write_photo
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.backend.worldtracing.world import LayeredWorld
from world_tracing.worldtracing_addon.client import session
from world_tracing.worldtracing_addon.client.job import TraceJob
from world_tracing.worldtracing_addon.core.remote import ConnectionTest
from world_tracing.worldtracing_addon.core.settings import WorkerSettings


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("remote")) as process:
        yield process


@pytest.fixture(autouse=True)
def clean_session():
    yield
    session.shutdown()


def settings(server, **values):
    return WorkerSettings(**{"remote": str(server.address), "token": TOKEN, "offline": True, **values})


def start(folder, settings, engine="silhouette", **extra):
    request = {"image": str(write_photo(folder / "photo.png")), "output": str(folder / "world.safetensors")}
    return TraceJob(session.get_worker(settings), {**request, "engine": engine, "extra": extra})


def finish(job):
    until(lambda: job.poll().finished)
    return job.state


def working(job):
    until(lambda: job.poll().stage == "Working")


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "photo.png")


@pytest.mark.parametrize("in_process", [False, True])
def test_traces_and_a_cancel(server, tmp_path, in_process):
    chosen = settings(server, in_process=in_process)
    job = start(tmp_path, chosen)
    assert finish(job).status == "done", job.state
    assert LayeredWorld.load(job.state.result.path).layers == job.state.result.summary["layers"]
    worker = session.get_worker(chosen)
    until(lambda: worker.poll() is not None and worker.engines)
    assert "steps" in {entry["name"] for entry in session.worker_engines()}, "the engines are those of the server"
    (tmp_path / "world.safetensors").unlink()
    job = start(tmp_path, chosen, "steps", steps=100_000, seconds=0.02)
    working(job)
    job.cancel()
    assert finish(job).status == "cancelled" and files(tmp_path) == []
    assert finish(start(tmp_path, chosen)).status == "done"
    assert session.get_worker(chosen) is worker, "it was never killed"


@pytest.mark.parametrize("in_process", [False, True])
def test_a_wrong_token_fails_the_trace_with_its_own_error(server, tmp_path, in_process):
    state = finish(start(tmp_path, settings(server, token="another one, long enough", in_process=in_process)))
    assert (state.status, state.error.code) == ("failed", "WT-WORKER-REMOTE-TOKEN")
    assert files(tmp_path) == []


def test_offline_means_this_computer_alone(server, tmp_path):
    with pytest.raises(WorldTracingError) as caught:
        session.get_worker(settings(server, remote="workstation"))
    assert caught.value.code == "WT-ENV-OFFLINE"
    with pytest.raises(WorldTracingError) as caught:
        session.get_worker(settings(server, remote="http://x/y"))
    assert caught.value.code == "WT-WORKER-REMOTE-ADDRESS"


def test_abandoning_leaves_nothing_anywhere(server, tmp_path):
    job = start(tmp_path, settings(server), "steps", steps=100_000, seconds=0.02)
    working(job)
    pid = session._worker.pid
    job.abandon()
    until(lambda: not process_exists(pid) and files(tmp_path) == [] and server.all_files() == [])


def test_a_server_that_goes_away_and_comes_back(tmp_path):
    with ServerProcess(tmp_path) as server:
        job = start(tmp_path / "server", settings(server), "steps", steps=100_000, seconds=0.02)
        working(job)
        server.process.kill()
        state = finish(job)
        assert (state.status, state.error.code) == ("failed", "WT-WORKER-REMOTE-LOST")
        state = finish(start(tmp_path / "server", settings(server)))
        assert (state.status, state.error.code) == ("failed", "WT-WORKER-REMOTE-UNREACHABLE")
    (tmp_path / "again").mkdir()
    with ServerProcess(tmp_path / "again") as server:
        assert finish(start(tmp_path, settings(server))).status == "done"


def test_the_connection_is_tested_without_disturbing_a_trace(server, tmp_path):
    job = start(tmp_path, settings(server), "steps", steps=100_000, seconds=0.02)
    working(job)

    def test(**values):
        task = ConnectionTest(settings(server, **values))
        task.start()
        return task.wait(60).result

    found = test()
    assert found.worker.busy and "silhouette" in found.worker.engines and found.error is None
    assert test(token="another one, long enough").error.code == "WT-WORKER-REMOTE-TOKEN"
    assert test(remote="workstation").error.code == "WT-ENV-OFFLINE"
    job.cancel()
    assert finish(job).status == "cancelled"


def test_the_token_is_in_the_environment_of_the_bridge_and_nowhere_else(server):
    chosen = settings(server)
    assert TOKEN not in repr(chosen) and chosen.variables["WORLDTRACING_TOKEN"] == TOKEN
    assert "WORLDTRACING_TOKEN" not in WorkerSettings(token=TOKEN).variables, "no program here needs it"
    worker = session.get_worker(chosen)
    assert TOKEN not in " ".join(worker._command)
    until(lambda: worker.poll())
    assert TOKEN not in worker.stderr_tail()
