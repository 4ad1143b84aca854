"""Slow results are made once, whichever threads ask, and never kept where making them failed."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from world_tracing.backend.worldtracing.errors import Cancelled
from world_tracing.worldtracing_addon.core.kept import Kept, forget, forget_all, sweep

LIMIT = 30  # seconds


def test_a_result_is_made_once_for_all_threads_that_ask():
    kept, begun, go, made = Kept(2), Event(), Event(), []

    def make():
        made.append(1)
        begun.set()
        assert go.wait(LIMIT)
        return "found"

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(kept.get, "a", make)
        assert begun.wait(LIMIT) and "a" not in kept
        others = [threads.submit(kept.get, "a", make) for _ in range(2)]
        go.set()
        assert [one.result(LIMIT) for one in (first, *others)] == ["found"] * 3
    assert made == [1] and "a" in kept


def test_an_error_reaches_all_who_wait_and_the_next_tries_again():
    kept, begun, go = Kept(2), Event(), Event()

    def fail():
        begun.set()
        assert go.wait(LIMIT)
        raise ValueError("no")

    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(kept.get, "a", fail)]
        assert begun.wait(LIMIT)
        calls.append(threads.submit(kept.get, "a", fail))
        go.set()
        for call in calls:
            with pytest.raises(ValueError, match="no"):
                call.result(LIMIT)
    assert "a" not in kept and kept.get("a", lambda: "found") == "found"


def test_what_was_not_asked_for_longest_goes_first():
    kept = Kept(2)
    for key in ("a", "b", "a", "c"):
        kept.get(key, lambda: None)
    assert [key in kept for key in "abc"] == [True, False, True]


def test_who_waits_for_one_that_was_cancelled_makes_it():
    kept, begun, looked_up, go = Kept(2), Event(), Event(), Event()

    class Key(str):
        def __hash__(self):
            looked_up.set()
            return super().__hash__()

    def cancelled():
        begun.set()
        assert go.wait(LIMIT)
        raise Cancelled

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(kept.get, "a", cancelled)
        assert begun.wait(LIMIT)
        other = threads.submit(kept.get, Key("a"), lambda: "found")
        assert looked_up.wait(LIMIT)  # so it waits for the first
        go.set()
        assert other.result(LIMIT) == "found"
        with pytest.raises(Cancelled):
            first.result(LIMIT)


def test_what_nobody_will_ask_about_again_is_forgotten():
    first, other, a, b = Kept(4), Kept(4), Event(), Event()
    for kept, key in ((first, (a, 1)), (first, (b, 1)), (other, (a, 2)), (other, "c")):
        kept.get(key, lambda: None)
    forget(a)
    assert (a, 1) not in first and (b, 1) in first and (a, 2) not in other and "c" in other
    first.get((a, 3), lambda: "found by who had it still")
    assert (a, 3) in first
    sweep()
    assert (a, 3) not in first and (b, 1) in first
    forget_all()
    assert (b, 1) not in first and "c" not in other
