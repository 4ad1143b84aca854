"""Rendering the current scene small, for tests that look at pictures."""

import bpy
import numpy as np


def render(path, camera, samples=8, longer_side=120):
    """(H, W, 4) float32 sRGB in [0, 1], rows from the top, with Cycles; the scene keeps its camera."""
    scene = bpy.context.scene
    before = scene.camera, scene.render.resolution_percentage, scene.render.filepath
    size = max(scene.render.resolution_x, scene.render.resolution_y)
    scene.camera, scene.render.resolution_percentage = camera, max(1, round(100 * longer_side / size))
    scene.render.engine, scene.cycles.device, scene.cycles.samples = "CYCLES", "CPU", samples
    scene.cycles.use_denoising = False
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    scene.camera, scene.render.resolution_percentage, scene.render.filepath = before
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(image.size[1], image.size[0], 4)[::-1].copy()
    bpy.data.images.remove(image)
    return values
