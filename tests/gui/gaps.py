"""How long the add-on keeps Blender's main thread from its event loop while a trace runs."""

import sys
import time
from pathlib import Path

import bpy

BLOCKED_SECONDS = 0.05
"""How long one turn of the add-on may take while a trace runs, but for building the scene."""
QUEUED = Path("/proc/thread-self/schedstat")  # its second number: nanoseconds in which other programs had the processor


def measure_gaps(extension):
    """Measure turns of the add-on and of the event loop, until the scene is built.

    Returns a dictionary that fills, in seconds: the longest turn of the add-on ("turn"), without the time in which
    other programs had the processor; the longest time between two turns of the event loop, on the clock ("loop") and in
    processor time ("computing"), drawing in software included; and how long the build took ("build").
    """
    addon = f"{extension}.worldtracing_addon"
    build, trace_class = sys.modules[f"{addon}.scene.build"], sys.modules[f"{addon}.trace"].Trace
    build_world, poll, last = build.build_world, trace_class.poll, None
    found = {"turn": 0.0, "loop": 0.0, "computing": 0.0}

    def look():
        nonlocal last
        now = {"loop": time.perf_counter(), "computing": time.thread_time()}
        for name in last or ():
            found[name] = max(found[name], now[name] - last[name])
        last = now
        return None if "build" in found else 0.002

    def timed_poll(trace):
        start = own_time()
        state = poll(trace)
        if "build" not in found:
            found["turn"] = max(found["turn"], own_time() - start)
        return state

    def timed_build(*args, **options):
        look()
        build.build_world, trace_class.poll = build_world, poll
        start = time.perf_counter()
        try:
            return build_world(*args, **options)
        finally:
            found["build"] = time.perf_counter() - start

    build.build_world, trace_class.poll = timed_build, timed_poll
    bpy.app.timers.register(look)
    return found


def own_time():
    """Seconds on the clock, less those in which this thread waited for the processor."""
    return time.perf_counter() - int(QUEUED.read_text().split()[1]) / 1e9
