"""Mouse, keys and screenshots in Blender's window: what the steps of the window test are made of.

Steps are generators: while they yield, for so many seconds, Blender's event loop runs.
"""

import os
import subprocess
import time
from pathlib import Path

import bpy
import numpy as np

FOLDER = Path(os.environ["WT_FOLDER"])
OUT = FOLDER / "out"
PATIENCE = 60
"""Seconds in which what a click or a key does must be seen; shared machines are slow at times."""

_began = time.monotonic()


def say(*words):
    print("[gui]", f"{time.monotonic() - _began:5.1f} s", *words, flush=True)


def screenshot(name):
    bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
    grab(name)


def grab(name):
    """The X root window as it is: Blender's own screenshot operator is black under software GL."""
    subprocess.run(["import", "-window", "root", str(OUT / name)], check=True, timeout=60)


def viewport():
    window = bpy.context.window_manager.windows[0]
    area = max((a for a in window.screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    sidebar = next(region for region in area.regions if region.type == "UI")
    return window, area, sidebar


def in_view(across, up):
    """Window coordinates of a place in the part of the viewport that the sidebar leaves, given in shares of it."""
    _, area, sidebar = viewport()
    return area.x + int(across * (sidebar.x - area.x)), area.y + int(up * area.height)


def viewport_colors(name):
    """The viewport in screenshot `name`, without the sidebar: (height, width, 3) in 0 to 1."""
    picture = bpy.data.images.load(str(OUT / name), check_existing=False)
    width, height = picture.size
    pixels = np.empty(width * height * 4, np.float32)
    picture.pixels.foreach_get(pixels)
    bpy.data.images.remove(picture)
    _, area, sidebar = viewport()
    return pixels.reshape(height, width, 4)[area.y : area.y + area.height, area.x : sidebar.x, :3]


def xdotool(*words):
    subprocess.run(["xdotool", *map(str, words)], check=True, timeout=30)


def hover(x, y):
    """Move the mouse to Blender's window coordinates (origin at the bottom left)."""
    height = bpy.context.window_manager.windows[0].height
    xdotool("mousemove", x, height - y + 1, "sleep", 0.02, "mousemove", x, height - y)


def leave():
    """Move the mouse off the button under it, which keeps its old look till then."""
    xdotool("mousemove", 500, 450)


def click(x, y, times=1):
    hover(x, y)
    time.sleep(0.2)
    xdotool("sleep", 0.2, *("mousedown", 1, "sleep", 0.05, "mouseup", 1, "sleep", 0.05) * times)


def press_in_view(keys):
    """Press keys with the mouse over the viewport, where they are not for a button."""
    hover(*in_view(0.2, 0.2))
    time.sleep(0.1)
    xdotool("sleep", 0.1, "key", keys)


def shading():
    return viewport()[1].spaces.active.shading


def shade(key, wanted):
    """Z opens a pie of the ways of shading; a digit chooses by its place on the number pad."""
    press_in_view("z")
    yield 1.0
    press_in_view(key)
    yield from wait_until(lambda: shading().type == wanted, PATIENCE, f"{wanted} shading")


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        yield 0.2


def undo(seen, what):
    press_in_view("ctrl+z")
    yield from wait_until(seen, PATIENCE, f"undo: {what}")


def redo(seen, what):
    press_in_view("ctrl+shift+z")
    yield from wait_until(seen, PATIENCE, f"redo: {what}")


def click_one_of(points, seen, what, times=1):
    """Click down a list of places until `seen`: where something stands depends on fonts and versions.

    Args:
        points: window coordinates (x, y).
    """
    for x, y in points:
        click(x, y, times)
        for _ in range(10):  # a click that comes too early would hit something else
            yield 0.2
            if seen():
                leave()
                return x, y
    raise AssertionError(f"no click hit {what}")


def copied(x, y):
    """What Ctrl C copies with the mouse at a place: of a button its Python command, of a number its value."""
    manager = bpy.context.window_manager
    manager.clipboard = "nothing"
    y_down = bpy.context.window_manager.windows[0].height - y
    xdotool("mousemove", x, y_down + 1, "mousemove", x, y_down, "key", "ctrl+c")
    yield 0.03
    yield 0.0  # timers run before what the mouse did: only now has Blender seen it
    return manager.clipboard


def waiting_for_clicks(operator):
    """Whether the add-on's operator runs in the window."""
    return f"WT_OT_{operator}" in [running.bl_idname for running in viewport()[0].modal_operators]


def file_browser():
    areas = bpy.context.window_manager.windows[0].screen.areas
    return next((area for area in areas if area.type == "FILE_BROWSER"), None)


def choose_file(seen, what):
    """Double click on the file browser's first file or folder, which is in its upper left corner."""
    yield 1.0  # it reads the folder meanwhile
    files = next(region for region in file_browser().regions if region.type == "WINDOW")
    x, top = files.x + 60, files.y + files.height
    yield from click_one_of([(x, top - below) for below in range(34, 120, 10)], seen, what, times=2)
