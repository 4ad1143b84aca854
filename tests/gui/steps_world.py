"""What a user does with traces: pick a seed, build a saved one again, set a length, trace a folder."""

import shutil
from pathlib import Path

from hand import (
    PATIENCE,
    choose_file,
    click,
    copied,
    file_browser,
    in_view,
    leave,
    redo,
    say,
    screenshot,
    shade,
    undo,
    wait_until,
    waiting_for_clicks,
    xdotool,
)
from sidebar import press_button, unfold, unfold_within
from state import job, listed, module, root, seeds, settings, shown_seed, worlds

LENGTH = 0.25
ENDS = (0.55, 0.5), (0.68, 0.5)
"""Where the camera's view shows two places on the cup."""


def set_a_length():
    """Two clicks on the cup, and their distance in the dialog."""
    title = yield from unfold("WT_PT_world")
    yield from unfold_within("WT_PT_scale", "wt.look_through", title)
    yield from press_button(
        "wt.measure_scale", lambda: waiting_for_clicks("measure_scale"), "the wait for two clicks", below=title
    )
    first, second = (in_view(*end) for end in ENDS)
    click(*first)
    yield 1.0
    click(*second)
    yield 1.0
    screenshot("10_dialog.png")
    field = yield from _find_number(*second)
    click(*field)
    yield 0.5
    xdotool("key", "ctrl+a", "type", "--delay", "100", str(LENGTH))
    xdotool("key", "Return")
    yield 0.5
    xdotool("key", "Return")
    yield from wait_until(lambda: "wt_scale_length" in root(), PATIENCE, "the length")
    say("scaled by", round(root().scale[0], 4), "to", root()["wt_scale_length"])
    assert abs(root()["wt_scale_length"] - LENGTH) < 1e-4
    leave()
    yield 1.0
    screenshot("11_scaled.png")
    yield from undo(lambda: "wt_scale_length" not in root(), "the length is not set")


def _find_number(x, y):
    """The field of a dialog that has opened at a place, by what it copies."""
    found = set()
    for down in range(-60, 120, 8):
        for across in (-70, 70):
            text = yield from copied(x + across, y - down)
            found.add(text)
            if text[:1].isdigit():  # with its unit behind
                return x + across, y - down
    raise AssertionError(f"no dialog with a number opened; {sorted(found)} was found")


def trace_three_seeds():
    """A quick trace of the whole picture with three seeds; the strip has a picture of each."""
    chosen = settings()
    chosen.mode, chosen.resolution, chosen.steps, chosen.seeds = "scene", 256, 1, 3
    yield from unfold("WT_PT_trace")
    yield from press_button("wt.trace_world", lambda: job().running, "the trace's start")
    yield from wait_until(lambda: not job().running, 120, "the trace of three seeds")
    assert not job().error_code, job().error_message
    assert len(worlds()) == 1, "a trace of the same photo must renew its world"
    assert len(seeds()) == 3
    yield from shade("6", "SOLID")  # drawn faster
    icon = module("thumbnails").icon
    yield from wait_until(lambda: all(icon(seed.path) for seed in seeds()), PATIENCE, "the thumbnails")


def pick_a_seed():
    title = yield from unfold("WT_PT_world")
    screenshot("12_seeds.png")
    before = shown_seed()
    other = next(seed.number for seed in seeds() if seed.number != before)
    command = f'wt.pick_seed(seed="{other}"'
    shares = 0.15, 0.45, 0.75  # three thumbnails beside each other
    yield from press_button(command, lambda: shown_seed() == other, "the other seed", shares, title)
    yield 1.0
    screenshot("13_picked.png")
    yield from undo(lambda: shown_seed() == before, "the seed before")
    yield from redo(lambda: shown_seed() == other, "the seed that was picked")
    say("picked seed", other, "after", before)


def rebuild_from_history():
    """The newest trace: it shows its suggested seed again, not the one picked."""
    title = yield from unfold("WT_PT_trace")
    yield from unfold_within("WT_PT_history", "wt.trace_world", title)
    yield from wait_until(lambda: len(listed()) > 0, PATIENCE, "the list of traces")
    assert listed()[0].label.endswith("best of 3"), [trace.label for trace in listed()]
    suggested = next(seed.number for seed in seeds() if seed.suggested)
    assert shown_seed() != suggested
    yield from press_button("wt.rebuild_trace", lambda: shown_seed() == suggested, "the rebuilt trace")
    say("rebuilt", listed()[0].label)
    yield 0.5
    screenshot("14_rebuilt.png")


def trace_a_folder():
    """Two photos and a file that is none, in a folder that is chosen in the file browser."""
    folder = Path.home() / "photos"
    folder.mkdir()
    for name in ("one.jpg", "two.jpg"):
        shutil.copy(Path.home() / "coffee.jpg", folder / name)
    (folder / "broken.jpg").write_text("no picture")
    settings().engine_name = "silhouette"
    before = len(worlds())
    title = yield from unfold("WT_PT_trace")
    yield from unfold_within("WT_PT_batch", "wt.trace_world", title)
    yield from press_button("wt.trace_folder", lambda: file_browser() is not None, "the file browser")

    def inside():
        return file_browser().spaces.active.params.directory.rstrip(b"/").endswith(b"photos")

    yield from choose_file(inside, "photos")
    screenshot("15_folder.png")
    xdotool("key", "Return")
    texts = set()

    def is_over():
        texts.add(job().text.partition(":")[0])
        return len(worlds()) == before + 2 and not job().running

    yield from wait_until(is_over, 120, "the batch")
    assert {"Photo 2 of 3", "Photo 3 of 3"} <= texts, texts
    assert [failure.code for failure in job().failures] == ["WT-SCENE-NO-PIXELS"]
    say("traced a folder:", sorted(texts))
    yield from wait_until(lambda: {"one.jpg", "two.jpg"} <= {trace.name for trace in listed()}, PATIENCE, "the list")
    yield 1.0
    screenshot("16_batch.png")
    yield from undo(lambda: len(worlds()) == before + 1, "each photo of a batch is an undo step")
    yield from undo(lambda: len(worlds()) == before, "each photo of a batch is an undo step")
