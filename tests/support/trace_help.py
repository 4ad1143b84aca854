"""Pictures and waiting, for the tests that trace inside Blender."""

import time

import bpy
import numpy as np

SIZE = 96


def disk_image(name="disk.png", size=SIZE, alpha=True):
    """A red and blue disk on nothing, as an image that exists in Blender alone."""
    v, u = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    inside = u**2 + v**2 < 0.16
    pixels = np.zeros((size, size, 4), np.float32)
    pixels[..., 0], pixels[..., 2] = 0.25 + u / 2, 0.5
    pixels[..., 3] = inside if alpha else 1.0
    image = bpy.data.images.new(name, size, size, alpha=True)
    image.pixels.foreach_set(pixels.reshape(-1))
    image.update()
    return image, inside


def snapshot():
    """What is in the file, to see that nothing was left behind."""
    kinds = ("objects", "collections", "meshes", "cameras", "images", "materials", "node_groups")
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds}


def poll_until(trace, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition(trace.poll()):
        assert time.monotonic() < deadline, trace.state
        time.sleep(0.01)


def until(condition, seconds=60):
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
