"""The installed extension traces a picture with its real worker, and bad input leaves the file as it was."""

import bpy
import numpy as np
import pytest
from trace_help import SIZE, disk_image, snapshot


def test_a_trace_builds_a_world_with_the_pictures_own_pixels(api, tmp_path):
    image, inside = disk_image()
    world = api.trace_world(image, output=tmp_path / "disk.safetensors")
    saved = api.LayeredWorld.load(tmp_path / "disk.safetensors")
    assert saved.metadata["image"] == "disk.png" and saved.metadata["mask_method"] == "alpha"
    assert saved.valid[0].sum() == pytest.approx(inside.sum(), rel=0.02)
    assert [len(layer.data.vertices) for layer in world.layers] == saved.valid.sum((1, 2)).tolist()
    assert bpy.context.scene.camera == world.camera
    assert api.matches_photo(bpy.context.scene)


def test_retracing_updates_instead_of_piling_up(api, tmp_path):
    image, _ = disk_image()
    first = api.trace_world(image, output=tmp_path / "disk.safetensors")
    before = snapshot()
    second = api.trace_world(image, output=tmp_path / "disk.safetensors")
    assert first.id == second.id
    assert {kind: len(names) for kind, names in snapshot().items()} == {k: len(n) for k, n in before.items()}


def test_the_operator_traces_without_a_window(api):
    bpy.context.scene.world_tracing.image = disk_image()[0]
    assert bpy.ops.wt.trace_world() == {"FINISHED"}
    assert len(api.worlds(bpy.context.scene)) == 1
    assert bpy.context.window_manager.world_tracing_job.error_code == ""


def test_an_error_stays_in_the_panel_and_its_fix_button_works(api):
    scene = bpy.context.scene
    scene.world_tracing.image = disk_image(alpha=False)[0]
    mask = bpy.data.images.new("everything", SIZE, SIZE)
    mask.pixels.foreach_set(np.ones(SIZE * SIZE * 4, np.float32))
    scene.world_tracing.mask = mask
    before = snapshot()
    with pytest.raises(RuntimeError, match="WT-IMG-FULL-MASK"):
        bpy.ops.wt.trace_world()
    job = bpy.context.window_manager.world_tracing_job
    assert job.error_code == "WT-IMG-FULL-MASK" and not job.running
    assert snapshot() == before
    bpy.ops.wt.fix_error()
    assert scene.world_tracing.mode == "scene" and job.error_code == ""


def test_a_folder_that_cannot_be_written(api, errors, tmp_path):
    (tmp_path / "file").write_text("in the way")
    before = snapshot()
    with pytest.raises(errors.WorldTracingError) as caught:
        api.trace_world(disk_image()[0], output=tmp_path / "file" / "disk.safetensors")
    assert caught.value.code == "WT-IO-WRITE"
    bpy.data.images.remove(bpy.data.images["disk.png"])
    assert snapshot() == before


def test_a_missing_worker_python(api, errors, settings, monkeypatch, submodule, tmp_path):
    preferences = submodule("worldtracing_addon.preferences")
    monkeypatch.setattr(
        preferences, "worker_settings", lambda: settings.WorkerSettings(python=tmp_path / "no" / "python")
    )
    with pytest.raises(errors.WorldTracingError) as caught:
        api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")
    assert caught.value.code == "WT-WORKER-NO-PYTHON"


@pytest.mark.parametrize("content", [b"this is no picture", b""])
def test_a_text_file_named_png(api, errors, tmp_path, content):
    path = tmp_path / "text.png"
    path.write_bytes(content)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.trace_world(path, output=tmp_path / "text.safetensors")
    assert caught.value.code == "WT-SCENE-NO-PIXELS"
    assert not bpy.data.images and not bpy.data.objects


def test_not_a_number_in_a_float_picture(api, errors, tmp_path):
    image = bpy.data.images.new("nan.exr", 32, 32, alpha=True, float_buffer=True)
    pixels = np.full(32 * 32 * 4, 0.5, np.float32)
    pixels[40] = np.nan
    image.pixels.foreach_set(pixels)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.trace_world(image, output=tmp_path / "nan.safetensors")
    assert caught.value.code == "WT-IMG-NAN"


def test_one_pixel_and_an_empty_mask(api, errors, tmp_path):
    with pytest.raises(errors.WorldTracingError) as caught:
        api.trace_world(bpy.data.images.new("one", 1, 1), output=tmp_path / "one.safetensors")
    assert caught.value.code == "WT-IMG-SMALL" and caught.value.message.startswith("one is 1 x 1 pixels")
    mask = bpy.data.images.new("black", SIZE, SIZE)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.trace_world(disk_image()[0], mask=mask, output=tmp_path / "empty.safetensors")
    assert caught.value.code == "WT-IMG-EMPTY-MASK"


def test_the_rendered_still_has_the_pictures_colors(api, tmp_path):
    world = api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")
    engine = bpy.context.scene.render.engine
    api.set_layers(world, Display="Surface")
    path = api.render_still(bpy.context.scene, tmp_path / "still.png", samples=4)
    assert bpy.context.scene.render.engine == engine
    still = bpy.data.images.load(str(path))
    pixels = np.empty(SIZE * SIZE * 4, np.float32)
    still.pixels.foreach_get(pixels)
    middle = pixels.reshape(SIZE, SIZE, 4)[SIZE // 2, SIZE // 2]
    np.testing.assert_allclose(middle, (0.25, 0.0, 0.5, 1.0), atol=0.02)


def test_the_focal_length_survives_packing(api, tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 28
    picture = Image.new("RGB", (120, 90), "white")
    picture.paste((200, 30, 30), (40, 30, 80, 60))
    picture.save(tmp_path / "tele.jpg", exif=exif, quality=95)
    for _ in range(2):  # the first trace packs the photo
        world = api.trace_world(tmp_path / "tele.jpg", output=tmp_path / "tele.safetensors")
        saved = api.LayeredWorld.load(tmp_path / "tele.safetensors")
        assert saved.metadata["camera_source"] == "exif"
        assert saved.rgb.shape[:2] == (120, 90), "turned upright"
        assert tuple(world.camera.data.background_images[0].image.size) == (90, 120)
    assert len(api.worlds(bpy.context.scene)) == 1


def test_a_mask_painted_over_a_lying_photo_is_turned_with_it(api, tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # the file's upper left corner is the upper right one of the upright picture
    Image.new("RGB", (120, 90), (90, 140, 60)).save(tmp_path / "lying.jpg", exif=exif, quality=95)
    mask = bpy.data.images.new("painted", 120, 90)
    pixels = np.zeros((90, 120, 4), np.float32)
    pixels[-40:, :60] = 1  # rows from the bottom: the upper left of the lying picture
    mask.pixels.foreach_set(pixels.reshape(-1))
    api.trace_world(tmp_path / "lying.jpg", mask=mask, output=tmp_path / "lying.safetensors")
    valid = api.LayeredWorld.load(tmp_path / "lying.safetensors").valid[0]
    assert valid.shape == (120, 90)
    assert valid[:58, 52:].all()
    assert not valid[62:].any()
    assert not valid[:, :48].any()
