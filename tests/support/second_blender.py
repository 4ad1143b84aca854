"""Traces a picture in the extension that the profile has installed, at a sign on stdin: run by test_many_worlds.py."""

import importlib
import json
import os
import sys

import bpy
from trace_help import disk_image

MODULE = "bl_ext.user_default.world_tracing"


def main() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    bpy.ops.preferences.addon_enable(module=MODULE)
    api = importlib.import_module(f"{MODULE}.worldtracing_addon.api")
    image, _ = disk_image("shared.png")
    print("READY", flush=True)
    sys.stdin.readline()
    world = api.trace_world(image, settings=api.TraceSettings(engine="silhouette"))
    points = sum(len(layer.data.vertices) for layer in world.layers)
    print("RESULT", json.dumps({"file": world.root["wt_file"], "points": points}), flush=True)
    importlib.import_module(f"{MODULE}.worldtracing_addon.client.session").shutdown()
    sys.stdout.flush()
    os._exit(0)  # as a module, some versions crash when Python ends with an add-on enabled


if __name__ == "__main__":
    main()
