"""The engines that the panel lists: this Python's, and those of the worker's reply."""

from worker_help import until
from world_tracing.worldtracing_addon.client import session
from world_tracing.worldtracing_addon.core.engines import known_engines, local_engines
from world_tracing.worldtracing_addon.core.settings import WorkerSettings


def test_a_worker_tells_its_engines_at_hello():
    try:
        worker = session.get_worker(WorkerSettings())
        until(lambda: worker.poll() is not None and worker.engines)
        assert {"silhouette", "wt-dit"} <= {entry["name"] for entry in session.worker_engines()}
    finally:
        session.shutdown()
    assert session.worker_engines(), "known beyond the worker's end"


def test_the_list_is_the_union_and_the_workers_word_counts():
    entries = [
        {"name": "silhouette", "label": "Outline", "description": "d", "modes": ["object"], "of_the_future": 1},
        {"name": "theirs", "label": "Theirs", "description": "d"},
        {"name": "broken", "error": {"code": "WT-MODEL-BROKEN", "message": "m", "fix": "f"}},
    ]
    found = {info.name: info for info in known_engines(entries)}
    assert found["silhouette"].label == "Outline" and found["silhouette"].modes == ("object",)
    assert set(found) == {"theirs", *(info.name for info in local_engines())}
