"""Which segmenters and detectors there are, and where each of them runs."""

import pytest
from world_tracing.backend.worldtracing.editing.base import SegmenterInfo
from world_tracing.backend.worldtracing.editing.detectors import DetectorInfo
from world_tracing.worldtracing_addon.core import assistants
from world_tracing.worldtracing_addon.core.assistants import known_assistants

BUILT_IN = SegmenterInfo("graph", "Geometry", "")
SAM = SegmenterInfo("sam2", "SAM 2", "", "Apache-2.0", ("torch",))


@pytest.fixture(autouse=True)
def local(monkeypatch):
    states = {"segmenter": ((BUILT_IN, ""), (SAM, "This lacks torch.")), "detector": ()}
    monkeypatch.setattr(assistants, "local_states", states.__getitem__)


def entry(name, problem="", kind="segmenter", **fields):
    return {"kind": kind, "name": name, "problem": problem, **fields}


def places(told, other_python=True, doubted=False):
    known = known_assistants("segmenter", told, other_python, doubted)
    return {one.info.name: (one.place, one.problem) for one in known}


def test_without_another_python_what_is_lacking_here_is_lacking():
    for told in (None, [entry("sam2")]):
        found = places(told, other_python=False)
        assert found["graph"] == ("here", "")
        assert found["sam2"] == ("nowhere", "This lacks torch. " + assistants.NO_BACKEND)


def test_the_worker_is_asked_and_then_has_the_last_word():
    assert places(None) == {"graph": ("here", ""), "sam2": ("unasked", assistants.UNASKED)}
    assert places([entry("sam2")])["sam2"] == ("worker", "")
    assert places([entry("sam2", "No weights."), entry("graph", "broken")]) == {
        "graph": ("here", ""),
        "sam2": ("nowhere", "No weights."),
    }
    assert places([])["sam2"] == ("nowhere", "This lacks torch.")


def test_what_was_lacking_may_be_asked_about_again():
    found = places([entry("sam2", "No weights."), entry("mine"), entry("other", "No GPU.")], doubted=True)
    assert found["sam2"] == ("unasked", "No weights.") and found["other"] == ("unasked", "No GPU.")
    assert found["mine"] == ("worker", "") and found["graph"] == ("here", "")


def test_what_only_the_worker_has_is_known_by_what_it_says():
    told = [entry("x", kind="detector", label="X", licence="MIT", gated=True, later="?"), entry("y", kind="detector")]
    first, second = known_assistants("detector", told, True)
    assert first.info == DetectorInfo("x", "X", "MIT", True) and first.place == "worker"
    assert second.info == DetectorInfo("y", "y", "unknown")
    assert [one.info.name for one in known_assistants("segmenter", told, True)] == ["graph", "sam2"]
    (mine,) = known_assistants("segmenter", [entry("mine", needs=["torch"])], True)[2:]
    assert mine.info.needs == ("torch",)


def test_what_cannot_be_read_of_what_the_worker_says_is_left_out():
    odd = [entry("a") | {missing: value} for missing in ("kind", "name", "problem") for value in (None, 7, [])]
    told = [None, "graph", {}, entry(""), *odd, entry("mine", label=7, licence=["MIT"], needs="torch")]
    told.append(entry("long", "It lacks much. " * 10_000, label="Long" * 10_000))
    mine, long = known_assistants("segmenter", told, True)[2:]
    assert mine.info == SegmenterInfo("mine", "mine", "", "unknown") and mine.place == "worker"
    assert len(long.problem) == len(long.info.label) == assistants.LONGEST
