"""The first trace from a clean profile; cancelling, an error and its way out, another file in mid-trace."""

import shutil
from pathlib import Path

import bpy
from gaps import BLOCKED_SECONDS, measure_gaps
from hand import (
    FOLDER,
    PATIENCE,
    choose_file,
    click,
    click_one_of,
    file_browser,
    leave,
    press_in_view,
    redo,
    say,
    screenshot,
    undo,
    viewport,
    wait_until,
    xdotool,
)
from sidebar import ROW, find_button, press_button
from state import EXTENSION, job, layers, module, settings, worlds

TAB = "World Tracing"
PHOTO = FOLDER / "coffee.jpg"
OTHER_FILE = str(FOLDER / "other.blend")
BIG = 4096  # traced so large, the quick engine still runs when it is cancelled


def open_tab():
    """N, and a click on the tab's title, which stands upright at the sidebar's right edge."""
    press_in_view("n")
    yield from wait_until(lambda: viewport()[2].width > 1, PATIENCE, "the sidebar")
    yield 0.5
    sidebar = viewport()[2]
    x, top = sidebar.x + sidebar.width - 10, sidebar.y + sidebar.height
    places = [(x, top - below) for below in (*range(170, sidebar.height, 30), *range(20, 170, 30))]
    yield from click_one_of(places, lambda: viewport()[2].active_panel_category == TAB, "the tab")


def trace_with_three_clicks():
    """The folder button, a double click on the photo in the file browser, Trace World."""
    bpy.ops.wm.save_as_mainfile(filepath=OTHER_FILE, copy=True)
    bpy.context.preferences.view.filebrowser_display_type = "SCREEN"  # there is no window manager here
    shutil.copy(PHOTO, Path.home())
    yield from open_tab()
    yield from press_button("image.open", lambda: file_browser() is not None, "the file browser", shares=(0.7, 0.2))
    yield 1.0  # it reads the folder meanwhile
    screenshot("01_browser.png")
    yield from choose_file(lambda: settings().image is not None, PHOTO.name)
    yield 0.5
    screenshot("02_photo.png")
    click(*(yield from find_button("wt.trace_world")))
    gaps = measure_gaps(EXTENSION)  # the click is handled when this has yielded
    yield from wait_until(lambda: job().running or worlds(), PATIENCE, "the trace's start")
    leave()
    say("from a clean profile: N and a click on the tab, then three clicks: folder, photo (double), Trace World")
    yield from wait_until(lambda: not job().running, 120, "the trace")
    say("longest wait for the main thread", {name: f"{1000 * seconds:.1f} ms" for name, seconds in gaps.items()})
    assert gaps["turn"] <= BLOCKED_SECONDS, "the main thread was blocked during the trace"
    assert not job().error_code, job().error_message
    assert len(worlds()) == 1 and layers(), "the trace built nothing"
    say("traced", len(layers()), "layers,", sum(len(layer.data.vertices) for layer in layers()), "points")


def undo_and_redo_the_trace():
    assert bpy.ops.wt.trace_world.poll(), "the button must work again"
    yield from undo(lambda: not worlds() and not layers(), "one step takes the whole world away")
    yield from redo(lambda: len(worlds()) == 1 and layers(), "the world is back")


def open_another_file():
    """A new scene for the steps that follow, its sidebar opened by code."""
    bpy.ops.wm.open_mainfile(filepath=OTHER_FILE)
    yield 1.0
    _, area, _ = viewport()
    area.spaces.active.show_region_ui = True
    yield 0.5
    viewport()[2].active_panel_category = TAB
    area.tag_redraw()
    yield 0.5


def start_big_trace():
    """A trace that takes long enough to be ended in the middle; returns the button's place once its worker computes."""
    photo = bpy.data.images.load(str(PHOTO))
    photo.scale(BIG, BIG * 2 // 3)
    chosen = settings()
    chosen.image, chosen.resolution, chosen.engine_name = photo, BIG, "silhouette"
    yield 1.0
    place = yield from press_button("wt.trace_world", lambda: job().running, "a trace")
    fractions = set()

    def moving():
        fractions.add(round(job().fraction, 3))
        return len(fractions) >= 3 or not job().running

    yield from wait_until(moving, 120, "a moving progress bar")
    assert job().running, f"the trace ended too early: {job().error_message}"
    pid = module("client.session")._worker.pid
    with (FOLDER / "workers").open("a") as file:  # for window.sh
        print(pid, file=file)
    say("progress seen", sorted(fractions), "of worker", pid)
    return place


def cancel_twice():
    """Once with the cross, once with the key."""
    _, y = yield from start_big_trace()
    screenshot("30_progress.png")

    def ending():
        return not job().running or job().cancel_requested

    yield from press_button("wt.cancel_trace", ending, "the cancel", shares=(0.83, 0.8, 0.86), below=y - ROW)
    yield from see_cancelled()
    yield 0.5
    screenshot("31_cancelled.png")
    yield from start_big_trace()
    xdotool("key", "Escape")
    yield from see_cancelled()
    say("cancelled with the cross and with ESC")


def see_cancelled():
    yield from wait_until(lambda: not job().running, PATIENCE, "the end of a cancelled trace")
    assert not job().error_code, job().error_message
    assert not layers(), "a cancelled trace left objects behind"


def fail_and_fix():
    """A mask that keeps everything is refused in Object mode, and one click makes it Scene mode."""
    chosen = settings()
    chosen.image = bpy.data.images.load(str(PHOTO))
    for name in ("resolution", "engine_name"):
        chosen.property_unset(name)
    chosen.mask = bpy.data.images.new("white", *chosen.image.size)
    chosen.mask.generated_color = (1, 1, 1, 1)
    _, y = yield from press_button("wt.trace_world", lambda: job().running or job().error_code, "a trace")
    yield from wait_until(lambda: not job().running, 120, "the refusal")
    assert job().error_code == "WT-IMG-FULL-MASK", job().error_message
    yield 1.0
    xdotool("key", "Escape")  # Blender's own pop-up with the message
    yield 0.5
    screenshot("32_error.png")
    yield from press_button("wt.fix_error", lambda: not job().error_code, "the fix", shares=(0.6,), below=y - ROW)
    assert chosen.mode == "scene", "the fix button must set Scene mode"
    yield 0.5
    screenshot("33_fixed.png")
    chosen.mode, chosen.mask = "object", None


def open_a_file_in_mid_trace():
    yield from start_big_trace()
    yield from open_another_file()
    assert not job().running, "a file opened in mid-trace must end the trace"
    assert not job().error_code, job().error_message
    handoffs = Path(bpy.app.tempdir)
    yield from wait_until(lambda: not list(handoffs.glob("world-tracing-*")), PATIENCE, "the hand-off's removal")
    assert not layers()
    screenshot("34_opened.png")
    say("opened a file in mid-trace")
