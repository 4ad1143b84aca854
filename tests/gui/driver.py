"""Drives Blender's window as a user would and takes screenshots: panel, progress, cancel, error, result in colors.

Runs inside Blender (`blender --python driver.py`) under Xvfb. When every step was seen to work it says PASS and quits
Blender in mid-trace; `window.sh` then looks for what that left behind.
"""

import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy
import numpy as np

FOLDER = Path(os.environ["WT_FOLDER"])
sys.path.insert(0, str(FOLDER))

from gaps import BLOCKED_SECONDS, measure_gaps  # noqa: E402

OUT = FOLDER / "out"
TAB = "World Tracing"
BIG = 4096  # traced so large, the quick engine still runs when it is cancelled
EXTENSION = "bl_ext.user_default.world_tracing"


def say(*words):
    print("[gui]", *words, flush=True)


def screenshot(name):
    # Blender's own screenshot operator is black under software GL, so the X root window is grabbed.
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
    subprocess.run(["import", "-window", "root", str(OUT / name)], check=True)


def viewport():
    window = bpy.context.window_manager.windows[0]
    area = max((a for a in window.screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    sidebar = next(region for region in area.regions if region.type == "UI")
    return window, area, sidebar


def xdotool(*words):
    subprocess.run(["xdotool", *map(str, words)], check=True)


def click(window, x, y):
    """A real mouse click at Blender's window coordinates (origin at the bottom left)."""
    xdotool("mousemove", x, window.height - y + 1)
    time.sleep(0.2)
    xdotool("mousemove", x, window.height - y, "sleep", 0.2, "mousedown", 1, "sleep", 0.1, "mouseup", 1)


def colored_share(name):
    """Share of the viewport in screenshot `name` that has strong colors: the coffee cup is red and brown."""
    picture = bpy.data.images.load(str(OUT / name), check_existing=False)
    width, height = picture.size
    pixels = np.empty(width * height * 4, np.float32)
    picture.pixels.foreach_get(pixels)
    bpy.data.images.remove(picture)
    _, area, sidebar = viewport()
    rgb = pixels.reshape(height, width, 4)[area.y : area.y + area.height, area.x : sidebar.x, :3]
    return float((np.ptp(rgb, axis=-1) > 0.25).mean())


def job():
    return bpy.context.window_manager.world_tracing_job


def layer_objects():
    return [
        ob for ob in bpy.data.objects if "wt_layer" in ob or (ob.type == "MESH" and "wt_color" in ob.data.attributes)
    ]


def wait_until(condition, seconds, what):
    """Yield until `condition` holds; a generator step of `story`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        yield 0.5


def click_one_of(points, seen, what):
    """Click down a list of places until `seen`: where a button stands depends on fonts and versions.

    Args:
        points: window coordinates (x, y).
    """
    window, _, _ = viewport()
    for x, y in points:
        click(window, x, y)
        yield 0.6
        if seen():
            xdotool("mousemove", 500, 450)  # a button under the mouse keeps its old look
            return x, y
    raise AssertionError(f"no click hit {what}")


def press_trace_button():
    """Start a trace; returns the window coordinate y of the button."""
    _, _, sidebar = viewport()
    x, top = sidebar.x + sidebar.width // 2 - 10, sidebar.y + sidebar.height
    points = [(x, top - below) for below in (226, 218, 234, 210, 242)]
    _, y = yield from click_one_of(points, lambda: job().running or job().error_code, "Trace World")
    say("clicked Trace World", top - y, "px below the sidebar's top")
    return y


def press_cancel_cross(button_y):
    """The cross at the right end of the progress bar, which is the row below the button."""
    _, _, sidebar = viewport()
    right = sidebar.x + sidebar.width
    points = [(right - left, button_y - below) for left in (49, 42, 56) for below in (31, 25, 37)]
    x, y = yield from click_one_of(points, lambda: not job().running or job().cancel_requested, "the cancel cross")
    say("clicked the cross", right - x, "px from the right,", button_y - y, "px below the button")


def press_fix_button(button_y):
    """In the last row of the error box, right of the error's code. The rows above it are labels, which take clicks."""
    _, _, sidebar = viewport()
    points = [(sidebar.x + sidebar.width * 3 // 5, button_y - below) for below in range(30, 330, 10)]
    _, y = yield from click_one_of(points, lambda: not job().error_code, "the fix button")
    say("clicked the fix button", button_y - y, "px below the button")


def start_big_trace():
    """A trace that takes long enough to be ended in the middle; returns the button's y once its worker computes."""
    scene = bpy.context.scene
    photo = bpy.data.images.load(str(FOLDER / "coffee.jpg"))
    photo.scale(BIG, BIG * 2 // 3)
    settings = scene.world_tracing
    settings.image, settings.resolution, settings.engine_name = photo, BIG, "silhouette"
    yield 1.0
    screenshot("1_panel.png")
    y = yield from press_trace_button()
    fractions = set()

    def moving():
        fractions.add(round(job().fraction, 3))
        return len(fractions) >= 3 or not job().running

    yield from wait_until(moving, 120, "a moving progress bar")
    assert job().running, f"the trace ended too early: {job().error_message}"
    pid = sys.modules[f"{EXTENSION}.worldtracing_addon.client.session"]._worker.pid
    with (FOLDER / "workers").open("a") as file:  # for window.sh
        print(pid, file=file)
    say("progress seen", sorted(fractions), "of worker", pid)
    return y


def open_sidebar():
    _, area, _ = viewport()
    area.spaces.active.show_region_ui = True
    yield 0.5
    viewport()[2].active_panel_category = TAB
    area.tag_redraw()
    yield 0.5


def see_cancelled():
    yield from wait_until(lambda: not job().running, 30, "the cancel")
    assert not job().error_code, job().error_message
    assert not layer_objects(), "a cancelled trace left objects behind"


def cancel_twice():
    """Once with the cross, once with the key."""
    y = yield from start_big_trace()
    screenshot("2_progress.png")
    yield from press_cancel_cross(y)
    yield from see_cancelled()
    yield 0.5
    screenshot("3_cancelled.png")
    yield from start_big_trace()
    xdotool("key", "Escape")
    yield from see_cancelled()
    say("cancelled with the cross and with ESC")


def fail_and_fix(photo):
    """A mask that keeps everything is refused in Object mode, and one click makes it Scene mode."""
    settings = bpy.context.scene.world_tracing
    settings.image = photo
    for name in ("resolution", "engine_name"):
        settings.property_unset(name)
    settings.mask = bpy.data.images.new("white", *photo.size)
    settings.mask.generated_color = (1, 1, 1, 1)
    y = yield from press_trace_button()
    yield from wait_until(lambda: not job().running, 120, "the refusal")
    assert job().error_code == "WT-IMG-FULL-MASK", job().error_message
    yield 1.0
    screenshot("4_error.png")
    yield from press_fix_button(y)
    assert settings.mode == "scene", "the fix button must set Scene mode"
    yield 0.5
    screenshot("5_fixed.png")
    settings.mode, settings.mask = "object", None


def trace_and_look():
    yield from press_trace_button()
    gaps = measure_gaps(EXTENSION)
    yield from wait_until(lambda: not job().running, 120, "the trace")
    say("longest wait for the main thread", {name: f"{1000 * seconds:.1f} ms" for name, seconds in gaps.items()})
    assert gaps["turn"] <= BLOCKED_SECONDS, "the main thread was blocked during the trace"
    assert not job().error_code, job().error_message
    assert layer_objects(), "the trace built nothing"
    say("traced", len(layer_objects()), "layers,", sum(len(o.data.vertices) for o in layer_objects()), "points")
    bpy.context.scene.camera.data.show_background_images = False  # the colors must be the points' own

    def colors_appear():
        screenshot("6_result.png")
        return colored_share("6_result.png") > 0.05

    yield from wait_until(colors_appear, 240, "the world's colors in the viewport (software GL compiles shaders)")
    say("share of the viewport in strong colors", round(colored_share("6_result.png"), 3))
    assert bpy.ops.wt.trace_world.poll(), "the button must work again"
    assert len([c for c in bpy.data.collections if c.name.startswith(TAB)]) == 1
    bpy.ops.ed.undo()
    yield 1.0
    assert not layer_objects(), "one undo step must take the whole world away"
    bpy.ops.ed.redo()
    yield 1.0
    assert layer_objects(), "redo must bring it back"
    screenshot("7_redo.png")


def open_a_file_in_mid_trace(path):
    yield from start_big_trace()
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    assert not job().running, "a file opened in mid-trace must end the trace"
    assert not job().error_code, job().error_message
    handoffs = Path(bpy.app.tempdir)
    yield from wait_until(lambda: not list(handoffs.glob("world-tracing-*")), 20, "the hand-off's removal")
    assert not layer_objects()
    yield from open_sidebar()
    screenshot("8_opened.png")
    say("opened a file in mid-trace")


def story():
    """The steps; yields how long Blender's event loop may run before the next."""
    other_file = str(FOLDER / "other.blend")
    bpy.ops.wm.save_as_mainfile(filepath=other_file, copy=True)
    yield from open_sidebar()
    yield from cancel_twice()
    photo = bpy.data.images.load(str(FOLDER / "coffee.jpg"))
    yield from fail_and_fix(photo)
    yield from trace_and_look()
    yield from open_a_file_in_mid_trace(other_file)
    yield from start_big_trace()


def run_story():
    """A timer callback that plays `story`, so that Blender's event loop runs between the steps."""
    try:
        return next(STEPS)
    except StopIteration:
        say("PASS; quitting in mid-trace")
        bpy.ops.wm.quit_blender()
    except Exception:
        traceback.print_exc()
        screenshot("failure.png")
        sys.stdout.flush()
        os._exit(1)


STEPS = story()
bpy.app.timers.register(run_story, first_interval=2.0, persistent=True)  # it must outlive opening a file
