"""Messages folded into a job's state, with a clock that the test owns."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_tracing.backend.worldtracing.errors import WorldTracingError
from world_tracing.backend.worldtracing.worker import protocol
from world_tracing.worldtracing_addon.core.jobs import WORKER_GONE, JobState, cancelling, fold, tick

ERROR = WorldTracingError("WT-IMG-SMALL", "Too small.", "Take a larger one.")
GONE = {"type": WORKER_GONE, "id": None, "code": "WT-WORKER-DIED", "message": "It died.", "fix": "Again."}


def run(*timed_messages, state=None):
    state = state or JobState()
    for now, message in timed_messages:
        state = fold(state, "t", message, now)
    return state


def step(k, n=10, stage="Sampling"):
    return protocol.progress("t", stage, k, n)


def test_a_trace_from_start_to_end():
    state = JobState()
    assert (state.status, state.fraction, state.finished) == ("starting", 0.0, False)
    state = run((1.0, step(0)), (2.0, step(5)), state=state)
    assert (state.status, state.stage, state.fraction) == ("running", "Sampling", 0.5)
    state = run((3.0, protocol.result("t", "/w.safetensors", {"layers": 2})), state=state)
    assert (state.status, state.fraction, state.seconds_left, state.finished) == ("done", 1.0, 0.0, True)
    assert state.result.path == Path("/w.safetensors") and state.result.summary == {"layers": 2}


def test_no_time_left_is_told_before_a_step_has_been_measured():
    assert run((5.0, step(0))).seconds_left is None
    assert tick(run((5.0, step(0))), 60.0).seconds_left is None


def test_time_left_comes_from_measured_steps_and_counts_down():
    state = run((0.0, step(0)), (2.0, step(1)), (4.0, step(2)))
    assert state.seconds_left == pytest.approx(2.0 * 8)
    assert tick(state, 5.0).seconds_left == pytest.approx(15.0)
    assert tick(state, 60.0).seconds_left == pytest.approx(14.0)  # the step is late, those after it are still to come


def test_steps_that_were_not_reported_count():
    assert run((0.0, step(0, 100)), (1.0, step(50, 100))).seconds_left == pytest.approx(1.0)


def test_a_slow_first_step_is_forgotten():
    state = run((0.0, step(0, 40)), *((10.0 + k, step(1 + k, 40)) for k in range(30)))
    assert state.step_seconds == pytest.approx(1.0, rel=0.01)


def test_each_stage_is_measured_anew():
    state = run((0.0, step(0)), (9.0, step(1)), (9.5, step(0, 4, "Saving the result")))
    assert (state.stage, state.fraction, state.seconds_left) == ("Saving the result", 0.0, None)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50), st.integers(0, 50), st.sampled_from("ab"))))
def test_numbers_stay_in_their_ranges(steps):
    state, now = JobState(), 0.0
    for seconds, k, n, stage in steps:
        now += seconds
        state = tick(fold(state, "t", step(k, n, stage), now), now + seconds)
        assert 0 <= state.fraction <= 1
        assert state.seconds_left is None or state.seconds_left >= 0


def test_an_error_fails_the_job():
    state = run((0.0, step(0)), (1.0, protocol.error("t", ERROR)))
    assert state.status == "failed" and state.error.args == ERROR.args and state.seconds_left is None


def test_the_worker_s_end_fails_the_job():
    state = run((0.0, step(0)), (1.0, GONE))
    assert state.status == "failed" and state.error.code == "WT-WORKER-DIED"


@pytest.mark.parametrize(
    "end", [protocol.cancelled("t"), protocol.result("t", "/w", {}), protocol.error("t", ERROR), GONE]
)
def test_after_a_cancel_every_end_is_cancelled(end):
    state = cancelling(run((0.0, step(0))))
    assert state.status == "cancelling"
    state = run((1.0, step(1)), state=state)
    assert (state.status, state.k) == ("cancelling", 1)
    state = run((2.0, end), state=state)
    assert state.status == "cancelled" and state.error is None and state.result is None


def test_what_has_finished_stays_as_it_is():
    state = run((0.0, protocol.error("t", ERROR)))
    assert run((1.0, step(1)), (2.0, protocol.cancelled("t")), (3.0, GONE), state=state) is state
    assert cancelling(state) is state and tick(state, 9.0) is state


def test_messages_for_others_and_of_unknown_types_are_ignored():
    state = run((0.0, step(0)))
    others = [
        protocol.progress("other", "x", 1, 2),
        protocol.error(None, ERROR),
        protocol.ok("t"),
        {"type": "hello"},
        {"type": "from_the_future", "id": "t"},
    ]
    assert run(*((1.0, message) for message in others), state=state) is state
