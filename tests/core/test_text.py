"""What the panel says, and the buttons it offers."""

import pytest
from world_tracing.worldtracing_addon.core.fixes import fix_for
from world_tracing.worldtracing_addon.core.jobs import JobState
from world_tracing.worldtracing_addon.core.text import done_text, progress_text


def test_progress():
    state = JobState(status="running", stage="Sampling", k=2, n=12, seconds_left=4.2)
    assert progress_text(state) == "Sampling 3/12, 4 s left"
    assert progress_text(JobState(status="running", stage="Sampling", silent_seconds=40)) == "Sampling, silent for 40 s"


@pytest.mark.parametrize(
    ("method", "notes", "text"),
    [
        ("color-model", [], "Traced cup.jpg; foreground found by color model"),
        ("given", [], "Traced cup.jpg; foreground from the mask"),
        ("everything", ["Seed 43 was best."], "Traced cup.jpg. Seed 43 was best."),
        ("", [], "Traced cup.jpg"),
    ],
)
def test_the_finish_tells_how_the_foreground_was_found(method, notes, text):
    assert done_text("cup.jpg", method, notes) == text


def test_fixes():
    assert fix_for("WT-IMG-EMPTY-MASK", mask_given=True).action == "clear_mask"
    assert fix_for("WT-IMG-EMPTY-MASK").action == "scene_mode"
    assert fix_for("WT-WORKER-DIED").label == "Trace Again"
    assert fix_for("WT-WORKER-DIED", work="wt.make_mesh").label == "Make Mesh Again"
    assert fix_for("WT-WORKER-FAILED", work="wt.trace_folder") is None
    assert fix_for("WT-WORKER-BUSY") is None
