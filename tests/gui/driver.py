"""Plays the window test inside Blender (`blender --python driver.py`) under Xvfb, with real mouse and keys.

When every step was seen to work it says PASS and quits Blender in mid-trace; `window.sh` then looks for what that left
behind. A step that fails ends Blender with the step's name, the reason and the screenshot failure.png.
"""

import faulthandler
import os
import sys
import threading
import traceback

import bpy

sys.path.insert(0, os.environ["WT_FOLDER"])

import hand
import sidebar
import steps_edit
import steps_trace
import steps_world

LIMIT = int(os.environ["WT_LIMIT"])
STEPS = (
    steps_trace.trace_with_three_clicks,
    steps_edit.see_colors,
    steps_edit.look_in_solid,
    steps_trace.undo_and_redo_the_trace,
    steps_edit.look_at_the_surface,
    steps_edit.make_mesh,
    steps_world.set_a_length,
    steps_world.trace_three_seeds,
    steps_world.pick_a_seed,
    steps_edit.lift_and_remove,
    steps_world.rebuild_from_history,
    steps_world.trace_a_folder,
    steps_trace.open_another_file,
    steps_trace.cancel_twice,
    steps_trace.fail_and_fix,
    steps_trace.open_a_file_in_mid_trace,
    steps_trace.start_big_trace,
)
_step = "starting"


def story():
    """The steps; yields how long Blender's event loop may run before the next."""
    global _step
    sidebar.watch_panels()
    yield 1.0
    for step in STEPS:
        _step = step.__name__
        hand.say(_step)
        yield from step()


def run_story():
    """A timer callback that plays `story`, so that Blender's event loop runs between the steps."""
    try:
        return next(STORY)
    except StopIteration:
        hand.say("PASS; quitting in mid-trace")
        bpy.ops.wm.quit_blender()
    except Exception as error:
        traceback.print_exc()
        fail(f"{type(error).__name__}: {error}")


def fail(reason):
    try:
        hand.say(f"FAILED in {_step}: {reason}; see failure.png")
        hand.grab("failure.png")
    finally:
        sys.stdout.flush()
        os._exit(1)


def end_late():
    """In a thread of its own: Blender itself may hang."""
    faulthandler.dump_traceback()
    fail(f"the test has not ended after {LIMIT} s")


STORY = story()
watchdog = threading.Timer(LIMIT, end_late)
watchdog.daemon = True
watchdog.start()
bpy.app.timers.register(run_story, first_interval=2.0, persistent=True)  # it must outlive opening a file
