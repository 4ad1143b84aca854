"""Tracing again: what belongs to the artist stays, and nothing piles up."""

import hashlib

import bpy
import numpy as np
import pytest
from scene_help import photo_file
from trace_help import SIZE, disk_image


@pytest.fixture
def lying_photo(tmp_path):
    """A JPEG that its EXIF orientation turns by a quarter, under a name that is too long for Blender before 5.0."""
    Image = pytest.importorskip("PIL.Image")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (120, 90), "white")
    picture.paste((200, 30, 30), (40, 30, 80, 60))
    path = tmp_path / f"{'long' * 20}.jpg"
    picture.save(path, exif=exif, quality=95)
    return path


def test_a_turned_photo_keeps_one_world_and_one_upright_copy(api, lying_photo, tmp_path):
    for _ in range(3):
        world = api.trace_world(lying_photo, output=tmp_path / "world.safetensors")
    background = world.camera.data.background_images[0].image
    assert tuple(background.size) == (90, 120) and background.packed_file
    pixels = np.empty(90 * 120 * 4, np.float32)
    background.pixels.foreach_get(pixels)
    saved = api.LayeredWorld.load(tmp_path / "world.safetensors")
    shown = pixels.reshape(120, 90, 4)[::-1, :, :3] * 255
    np.testing.assert_allclose(shown, saved.rgb, atol=1)
    assert saved.metadata["image_sha256"] == hashlib.sha256(lying_photo.read_bytes()).hexdigest()
    assert len(api.worlds(bpy.context.scene)) == 1 and len(bpy.data.images) == 2


def test_an_outdated_upright_copy_is_replaced(api, lying_photo, tmp_path):
    api.trace_world(lying_photo, output=tmp_path / "world.safetensors")
    with lying_photo.open("ab") as file:
        file.write(b"edited")  # after the picture's end; what is packed is the photo as it was
    photo = next(image for image in bpy.data.images if "wt_source" not in image)
    if photo.packed_file:
        photo.unpack(method="REMOVE")
    photo.reload()
    world = api.trace_world(photo, output=tmp_path / "world.safetensors")
    background = world.camera.data.background_images[0].image
    assert background["wt_source_sha256"] == hashlib.sha256(lying_photo.read_bytes()).hexdigest()
    assert len(bpy.data.images) == 2


def test_a_retrace_leaves_the_artists_camera_and_size_alone(api, tmp_path):
    scene = bpy.context.scene
    image, _ = disk_image()
    first = api.trace_world(image, output=tmp_path / "disk.safetensors")
    assert scene.camera == first.camera and scene.render.resolution_x == SIZE
    own = bpy.data.objects.new("own", bpy.data.cameras.new("own"))
    scene.collection.objects.link(own)
    scene.camera, scene.render.resolution_x = own, 777
    api.set_match_photo(scene, False)
    trace = api.start_trace(image, output=tmp_path / "disk.safetensors")
    assert trace.wait().status == "done" and not trace.uses_camera
    assert scene.camera == own and scene.render.resolution_x == 777 and not api.matches_photo(scene)
    scene.camera = trace.world.camera
    api.trace_world(image, output=tmp_path / "disk.safetensors")
    assert scene.render.resolution_x == SIZE and api.matches_photo(scene)


def test_results_stand_beside_the_saved_file_each_in_its_own(api, tmp_path):
    """So that what was traced before, of a photo that has changed since or with another version, can be built again."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    image, _ = disk_image("a" * 60)
    results = [api.trace_world(image).root["wt_file"] for _ in range(2)]
    assert {str(file) for file in (tmp_path / "shot worlds").iterdir()} == set(results) and len(set(results)) == 2


def test_names_of_results(submodule, tmp_path):
    preferences = submodule("worldtracing_addon.preferences")
    first = preferences.new_result(tmp_path, "ä" * 200 + ".jpg")
    assert len(first.name.encode()) < 160
    first.touch()
    assert not preferences.new_result(tmp_path, "ä" * 200 + ".jpg").exists()


def test_looking_through_a_world_of_another_scene(api, tmp_path):
    other = bpy.data.scenes.new("other")
    world = api.trace_world(disk_image()[0], scene=other, output=tmp_path / "disk.safetensors")
    other.camera = None
    api.look_through(bpy.context, world)
    assert other.camera == world.camera and bpy.context.scene.camera is None


def test_a_mask_means_what_it_means_to_the_command_line(api, submodule, tmp_path):
    mask = bpy.data.images.new("mask", SIZE, SIZE, alpha=True)
    pixels = np.ones((SIZE, SIZE, 4), np.float32)
    pixels[..., :3] = (0.0, 0.0, 1.0)  # blue: bright in one channel, dark in luma
    pixels[30:60, 30:60] = 1.0
    mask.pixels.foreach_set(pixels.reshape(-1))
    world = api.trace_world(disk_image(alpha=False)[0], mask=mask, output=tmp_path / "disk.safetensors")
    saved = api.LayeredWorld.load(tmp_path / "disk.safetensors")
    assert world.layers and saved.metadata["mask_method"] == "given"
    assert saved.valid[0].sum() == 30 * 30


def test_a_failed_render_leaves_the_file_and_the_settings(api, errors, tmp_path):
    scene = bpy.context.scene
    api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")
    before = scene.render.filepath, scene.render.use_compositing, scene.render.engine
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.WorldTracingError) as caught:
        api.render_still(scene, tmp_path / "file" / "still.png", samples=1)
    assert caught.value.code == "WT-IO-WRITE"
    scene.render.use_border = True
    scene.render.border_max_x = 0.5
    path = api.render_still(scene, tmp_path / "still.png", samples=1)
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert sorted(file.name for file in tmp_path.glob("*still*")) == ["still.png"]
    assert (scene.render.filepath, scene.render.use_compositing, scene.render.engine) == before
    assert scene.render.use_border


def test_a_still_of_a_scene_that_is_set_to_video(api, tmp_path):
    scene = bpy.context.scene
    output = scene.render.image_settings
    if hasattr(output, "media_type"):  # 5.0 on
        output.media_type = "VIDEO"
    output.file_format = "FFMPEG"
    api.trace_world(disk_image()[0], output=tmp_path / "disk.safetensors")
    assert api.render_still(scene, tmp_path / "still.png", samples=1).read_bytes()[:4] == b"\x89PNG"
    assert output.file_format == "FFMPEG"


def test_a_photo_is_the_same_after_the_file_was_saved_elsewhere(api, settings, tmp_path):
    quick = settings.TraceSettings(engine="silhouette", mode="scene", resolution=64)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one.blend"))
    photo = photo_file(tmp_path)
    photo.filepath = "//cat.png"
    world = api.trace_world(photo, settings=quick)
    (tmp_path / "elsewhere").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "elsewhere" / "two.blend"))
    assert photo.filepath == "//../cat.png"
    assert api.trace_world(photo, settings=quick).id == world.id and len(api.worlds(bpy.context.scene)) == 1


@pytest.mark.parametrize("lying", [False, True])
def test_a_photo_is_the_same_after_its_folder_was_moved(api, settings, request, tmp_path, lying):
    quick = settings.TraceSettings(engine="silhouette", mode="scene", resolution=64)
    folder, moved = tmp_path / "project", tmp_path / "moved"
    folder.mkdir()
    photo_file(folder)
    if lying:
        request.getfixturevalue("lying_photo").replace(folder / "cat.png")
    photo = bpy.data.images["cat.png"]
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "one.blend"))
    photo.filepath = "//cat.png"
    photo.reload()
    world = api.trace_world(photo, settings=quick)
    bpy.ops.wm.save_mainfile()
    folder.rename(moved)
    bpy.ops.wm.open_mainfile(filepath=str(moved / "one.blend"))
    photo = bpy.data.images["cat.png"]
    again = api.trace_world(photo, settings=quick)
    assert again.id == world.id and len(api.worlds(bpy.context.scene)) == 1
    folder.mkdir()
    (moved / "cat.png").replace(folder / "cat.png")
    photo_file(moved)  # another photo of the same name: the first one's path is there again
    assert api.trace_world(moved / "cat.png", settings=quick).id != world.id


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_that_has_changed_is_traced_as_it_is_now(api, settings, tmp_path, packed):
    quick = settings.TraceSettings(engine="silhouette", mode="scene", resolution=64)
    photo_file(tmp_path, "black.png")
    path = tmp_path / "cat.png"
    (tmp_path / "black.png").rename(path)
    world = api.trace_world(path, settings=quick)
    image = next(image for image in bpy.data.images if image.name == "cat.png")
    if not packed:
        image.unpack(method="REMOVE")
        assert image.pixels[0] == 0  # read
    white = bpy.data.images.new("white", 96, 72)
    white.pixels.foreach_set(np.ones(96 * 72 * 4, np.float32))
    white.filepath_raw, white.file_format = str(path), "PNG"
    white.save()
    assert api.trace_world(path, settings=quick).id == world.id
    assert tuple(world.layers[0].data.attributes["wt_color"].data[0].color) == (1, 1, 1, 1)
    assert image.packed_file and image.pixels[0] == 1
    image.pixels[0] = 0.5
    assert api.trace_world(path, settings=quick).id == world.id and image.is_dirty, "paint stays"
