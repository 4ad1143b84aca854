"""How long Blender's main thread is kept from its event loop while a trace runs."""

import sys
import time

import bpy

BLOCKED_SECONDS = 0.05
"""How long the main thread may compute between two turns of the event loop while a trace runs."""


def measure_gaps(extension):
    """Measure how long the main thread is busy between two turns of the event loop, until the scene is built.

    Returns a dictionary that fills, in seconds: the longest gap on the clock, which drawing in software and other
    programs lengthen; the longest in processor time, which they do not; the add-on's own longest turn on the clock; and
    how long the build took.
    """
    addon = f"{extension}.worldtracing_addon"
    build, trace_class = sys.modules[f"{addon}.scene.build"], sys.modules[f"{addon}.trace"].Trace
    build_world, poll, last = build.build_world, trace_class.poll, None
    found = {"clock": 0.0, "processor": 0.0, "poll": 0.0}

    def turn():
        nonlocal last
        now = {"clock": time.perf_counter(), "processor": time.thread_time()}
        for name in last or ():
            found[name] = max(found[name], now[name] - last[name])
        last = now
        return None if "build" in found else 0.002

    def timed_poll(trace):
        start = time.perf_counter()
        state = poll(trace)
        if "build" not in found:
            found["poll"] = max(found["poll"], time.perf_counter() - start)
        return state

    def timed_build(*args, **options):
        turn()
        build.build_world, trace_class.poll = build_world, poll
        start = time.perf_counter()
        try:
            return build_world(*args, **options)
        finally:
            found["build"] = time.perf_counter() - start

    build.build_world, trace_class.poll = timed_build, timed_poll
    bpy.app.timers.register(turn)
    return found
