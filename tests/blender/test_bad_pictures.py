"""Picture files on disk that Blender opens and that cannot be traced."""

import struct

import bpy
import numpy as np
import pytest

MARK = struct.pack("<f", 0.123)


def save_exr(path, value):
    """An OpenEXR file of grey that Blender has written, with `value` put into one channel of one pixel."""
    image = bpy.data.images.new("source", 32, 32, alpha=False, float_buffer=True)
    pixels = np.ones((32 * 32, 4), np.float32) / 2
    pixels[500, 0] = 0.123
    image.pixels.foreach_set(pixels.reshape(-1))
    scene = bpy.context.scene
    output = scene.render.image_settings
    output.file_format, output.color_depth, output.exr_codec = "OPEN_EXR", "32", "NONE"
    image.save_render(str(path), scene=scene)
    bpy.data.images.remove(image)
    content = path.read_bytes()
    assert content.count(MARK) == 1
    path.write_bytes(content.replace(MARK, struct.pack("<f", value)))
    return path


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_a_number_in_an_exr_file(api, errors, tmp_path, value):
    path = save_exr(tmp_path / "bad.exr", value)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.trace_world(path, output=tmp_path / "bad.safetensors")
    assert caught.value.code == "WT-IMG-NAN"
    assert not bpy.data.objects and not any(image.users for image in bpy.data.images)
    assert [file.name for file in tmp_path.iterdir()] == ["bad.exr"]


def test_the_same_exr_file_with_numbers_alone_is_traced(api, tmp_path):
    path = save_exr(tmp_path / "good.exr", 0.25)
    world = api.trace_world(
        path, settings=api.TraceSettings(mode="scene", resolution=64), output=tmp_path / "good.safetensors"
    )
    assert world.layers
