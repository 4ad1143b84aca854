"""Fifty traces in one scene, and two Blenders that trace at once under one profile."""

import json
import subprocess
import sys
from pathlib import Path

import bpy
from trace_help import disk_image

CLIENT = Path(__file__).resolve().parents[1] / "support" / "second_blender.py"
COUNT = 50


def test_fifty_traces_in_one_scene(api, tmp_path):
    scene = bpy.context.scene
    settings = api.TraceSettings(engine="silhouette", resolution=64)
    for number in range(COUNT):
        image, _ = disk_image(f"disk {number}", size=64)
        api.trace_world(image, settings=settings, output=tmp_path / f"{number}.safetensors")
    worlds = api.worlds(scene)
    assert len({world.root["wt_name"] for world in worlds}) == COUNT == len(worlds)
    assert (len(bpy.data.node_groups), len(bpy.data.materials)) == (2, 2), "worlds share what they can"
    places = [tuple(round(value, 3) for value in world.root.location) for world in worlds]
    assert len(set(places)) == COUNT, "none stands in another"
    api.remove_world(worlds[7])
    api.trace_world(bpy.data.images["disk 9"], settings=settings, output=tmp_path / "9.safetensors")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "fifty.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "fifty.blend"))
    reopened = api.worlds(bpy.context.scene)
    assert [world.id for world in reopened] == [world.id for world in worlds if world != worlds[7]]
    assert all(len(world.layers) == 2 and world.camera for world in reopened)


def test_two_blenders_at_once_under_one_profile(api, tmp_path):
    bpy.data.images.new("shared", 8, 8)  # this Blender keeps the add-on enabled meanwhile
    command = [sys.executable, str(CLIENT), str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    blenders = [subprocess.Popen(command, **pipes) for _ in range(2)]
    results = []
    try:
        for blender in blenders:
            for line in blender.stdout:
                if line.startswith("READY"):
                    break
        for blender in blenders:
            blender.stdin.write("go\n")
            blender.stdin.flush()
        for blender in blenders:
            output, _ = blender.communicate(timeout=120)
            assert "RESULT " in output, output
            results.append(json.loads(output.partition("RESULT ")[2].splitlines()[0]))
    finally:
        for blender in blenders:
            blender.kill()
    files = [result["file"] for result in results]
    assert files[0] != files[1], "each trace has a file of its own"
    assert {Path(file).parent.name for file in files} == {"worlds"}, "in the extension's own folder"
    for result in results:
        assert api.LayeredWorld.load(result["file"]).valid.sum() == result["points"] > 0
