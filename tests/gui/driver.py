"""Drives Blender's window as a user would and takes screenshots: panel, progress, cancel, result in colors.

Runs inside Blender (`blender --python driver.py`) under Xvfb; exits with 0 when every step was seen to work.
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
OUT = FOLDER / "out"
TAB = "World Tracing"
BIG = 4096  # traced so large, the quick engine still runs when it is cancelled


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


def press_trace_button(window, sidebar):
    """Click down the sidebar until the trace runs: where the button stands depends on fonts and versions."""
    x = sidebar.x + sidebar.width // 2 - 10
    top = sidebar.y + sidebar.height
    for below in (100, 92, 108, 84, 116, 124):
        click(window, x, top - below)
        yield 0.6
        if job().running:
            say("clicked Trace World", below, "px below the sidebar's top")
            xdotool("mousemove", 500, 450)  # a button under the mouse keeps its old look
            return
    raise AssertionError("no click started a trace")


def story():
    """The steps; yields how long Blender's event loop may run before the next."""
    window, area, sidebar = viewport()
    area.spaces.active.show_region_ui = True
    yield 0.5
    sidebar.active_panel_category = TAB
    scene = bpy.context.scene
    photo = bpy.data.images.load(str(FOLDER / "coffee.jpg"))
    large = photo.copy()
    large.scale(BIG, BIG * 2 // 3)
    scene.world_tracing.image = large
    area.tag_redraw()
    yield 1.0
    screenshot("1_panel.png")

    scene.world_tracing.resolution = BIG
    yield from press_trace_button(window, sidebar)
    fractions = set()

    def moving():
        fractions.add(round(job().fraction, 3))
        return len(fractions) >= 3 or not job().running

    yield from wait_until(moving, 120, "a moving progress bar")
    assert job().running, f"the trace ended too early: {job().error_message}"
    screenshot("2_progress.png")
    xdotool("key", "Escape")
    yield from wait_until(lambda: not job().running, 30, "the cancel")
    assert not job().error_code, job().error_message
    assert not layer_objects(), "a cancelled trace left objects behind"
    yield 0.5
    screenshot("3_cancelled.png")
    say("cancelled; progress seen", sorted(fractions))

    scene.world_tracing.image, scene.world_tracing.resolution = photo, 504
    yield from press_trace_button(window, sidebar)
    yield from wait_until(lambda: not job().running, 120, "the trace")
    assert not job().error_code, job().error_message
    assert layer_objects(), "the trace built nothing"
    say("traced", len(layer_objects()), "layers,", sum(len(o.data.vertices) for o in layer_objects()), "points")

    scene.camera.data.show_background_images = False  # the colors must be the points' own

    def colors_appear():
        screenshot("4_result.png")
        return colored_share("4_result.png") > 0.05

    yield from wait_until(colors_appear, 240, "the world's colors in the viewport (software GL compiles shaders)")
    say("share of the viewport in strong colors", round(colored_share("4_result.png"), 3))
    assert bpy.ops.wt.trace_world.poll(), "the button must work again"
    assert len([c for c in bpy.data.collections if c.name.startswith(TAB)]) == 1
    bpy.ops.ed.undo()
    yield 1.0
    assert not layer_objects(), "one undo step must take the whole world away"
    bpy.ops.ed.redo()
    yield 1.0
    assert layer_objects(), "redo must bring it back"
    screenshot("5_redo.png")


def run_story():
    """A timer callback that plays `story`, so that Blender's event loop runs between the steps."""
    try:
        return next(STEPS)
    except StopIteration:
        say("PASS")
        leave(0)
    except Exception:
        traceback.print_exc()
        screenshot("failure.png")
        leave(1)


def leave(code):
    sys.stdout.flush()
    os._exit(code)


STEPS = story()
bpy.app.timers.register(run_story, first_interval=2.0)
