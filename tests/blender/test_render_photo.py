"""Rendered from its own camera under Match Photo, a world looks like its photo."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from toy_world import intrinsics


def rendered(path):
    """(H, W, 4) float32 sRGB in [0, 1], rows from the top, of a still of the current scene."""
    scene = bpy.context.scene
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    values = values.reshape(image.size[1], image.size[0], 4)[::-1]
    bpy.data.images.remove(image)
    return values


def psnr(picture, rgb, mask):
    error = (picture[..., :3] - rgb / np.float32(255))[mask]
    return 10 * np.log10(1 / np.mean(error**2))


@pytest.mark.parametrize(("display", "decibels"), [("Points", 27), ("Surface", 32)])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_matched_render_reproduces_the_photo(scene_modules, tmp_path, display, decibels, scale):
    K = intrinsics(160, 120, fx=190, fy=170, cx=70, cy=66)
    world = scene_modules.world(160, 120, K=K)
    scene = bpy.context.scene
    objects = scene_modules.show(world, "a")
    objects.root.scale = (scale,) * 3
    objects.root.rotation_euler = (0.1, 0.2, 0.3)
    scene_modules.worlds.set_layer_inputs(objects, Display=display)
    scene_modules.render.match_photo(scene)
    scene_modules.render.cycles_still(scene)
    picture = rendered(tmp_path / "render.png")
    mask = world.valid[0]
    assert picture.shape[:2] == mask.shape
    assert psnr(picture, world.rgb, mask) >= decibels
    alpha = picture[..., 3]
    assert alpha[mask].min() > 0.99  # covered to the border
    assert alpha[~world.valid.any(0)].mean() < 0.02  # and not beyond


PHOTO = Path(__file__).resolve().parents[2] / "examples" / "coffee.jpg"


@pytest.mark.parametrize(("mode", "display"), [("object", "Points"), ("scene", "Surface")])
def test_a_real_photo_is_reproduced(scene_modules, submodule, tmp_path, mode, display):
    """The whole way of the pixels but for the worker's process, at the size that was traced."""
    photos, tracing = submodule("worldtracing_addon.scene.photo"), submodule("backend.worldtracing.tracing")
    pixels = submodule("backend.worldtracing.decoding.pixels")
    engines = submodule("backend.worldtracing.engines.base")
    photo = photos.load_image(PHOTO)
    rgb, alpha = photos.read_pixels(photo).to_photo()
    handoff = pixels.save_pixels(tmp_path / "photo.safetensors", rgb, alpha)
    request = tracing.TraceRequest(handoff, mode=mode, name=photo.name)
    world = tracing.trace_photo(request, engines.create_engine(request.engine))
    scene = bpy.context.scene
    objects = scene_modules.show(world, photo.name)
    scene_modules.worlds.set_layer_inputs(objects, Display=display)
    scene_modules.render.match_photo(scene)
    scene_modules.render.cycles_still(scene, samples=8)
    assert psnr(rendered(tmp_path / "render.png"), world.rgb, world.valid[0]) >= 40


def assert_reproduced(scene_modules, path):
    """Build a world in the current file as it is, and compare its render."""
    world = scene_modules.world(96, 72)
    scene = bpy.context.scene
    objects = scene_modules.show(world, "a")
    scene_modules.worlds.set_layer_inputs(objects, Display="Surface")
    scene_modules.render.match_photo(scene)
    scene_modules.render.cycles_still(scene)
    assert psnr(rendered(path), world.rgb, world.valid[0]) >= 32


@pytest.mark.skipif(bpy.app.version < (4, 3, 0), reason="4.2 has no white balance")
def test_white_balance_does_not_tint_the_photo(scene_modules, tmp_path):
    view = bpy.context.scene.view_settings
    view.use_white_balance, view.white_balance_temperature = True, 3000
    assert_reproduced(scene_modules, tmp_path / "render.png")
    scene_modules.render.restore_view(bpy.context.scene)
    assert view.use_white_balance


@pytest.fixture
def working_space():
    """Switch the file to another working space; the next test gets the usual one."""
    usual = bpy.data.colorspace.working_space
    yield lambda name, **options: bpy.ops.wm.set_working_color_space(working_space=name, **options)
    bpy.ops.wm.set_working_color_space(working_space=usual, convert_colors=False)


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="before 5.0 there is one working space")
@pytest.mark.parametrize("name", ["Linear Rec.2020", "ACEScg"])
def test_wide_working_spaces_reproduce_the_photo(scene_modules, working_space, tmp_path, name):
    working_space(name, convert_colors=False)
    assert_reproduced(scene_modules, tmp_path / "render.png")


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="before 5.0 there is one working space")
def test_float_pictures_keep_their_colors_in_wide_working_spaces(submodule, working_space, tmp_path):
    photos = submodule("worldtracing_addon.scene.photo")
    picture = bpy.data.images.new("picture", 32, 32, float_buffer=True)
    picture.pixels.foreach_set(np.tile(np.float32([0.8, 0.1, 0.02, 1]), 32 * 32))
    picture.filepath_raw, picture.file_format = str(tmp_path / "picture.exr"), "OPEN_EXR"
    picture.save()
    before = photos.read_pixels(photos.load_image(tmp_path / "picture.exr")).to_photo()[0]
    bpy.data.batch_remove(bpy.data.images)
    working_space("Linear Rec.2020", convert_colors=False)
    image = photos.load_image(tmp_path / "picture.exr")
    assert abs(image.pixels[0] - 0.8) > 0.1  # Blender holds it in the wide space
    after = photos.read_pixels(image).to_photo()[0]
    assert np.abs(after.astype(int) - before).max() <= 1


VIEW = ("view_transform", "look", "exposure", "gamma", "use_curve_mapping", "use_white_balance", "use_hdr_view")


def settings(scene):
    """What Match Photo may change, as far as this Blender has it."""
    groups = (
        (scene.view_settings, VIEW),
        (scene.render, ("film_transparent", "dither_intensity", "filter_size")),
        (scene.cycles, ("pixel_filter_type", "filter_width")),
    )
    return [getattr(owner, name, None) for owner, names in groups for name in names]


@pytest.fixture
def own_settings():
    """The scene's settings, none of them as Match Photo wants them."""
    scene = bpy.context.scene
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Punchy"
    scene.view_settings.exposure = 0.5
    scene.render.film_transparent = False
    scene.cycles.filter_width = 2.0
    return settings(scene)


def test_match_photo_is_needed_and_undone(scene_modules, own_settings):
    scene = bpy.context.scene
    assert not scene_modules.render.matches_photo(scene)
    scene_modules.render.match_photo(scene)
    scene_modules.render.match_photo(scene)  # a second call must not forget what was before the first
    assert scene_modules.render.matches_photo(scene)
    assert scene.view_settings.view_transform == "Standard" and scene.render.film_transparent
    scene_modules.render.restore_view(scene)
    assert settings(scene) == own_settings and not scene_modules.render.matches_photo(scene)


@pytest.mark.parametrize(
    ("group", "name"),
    [("_VIEW", "view_transform"), ("_VIEW", "look"), ("_CYCLES", "pixel_filter_type")],
)
def test_match_photo_changes_all_or_nothing(scene_modules, own_settings, monkeypatch, group, name):
    scene = bpy.context.scene
    monkeypatch.setitem(getattr(scene_modules.render, group), name, "not in this Blender")
    with pytest.raises(scene_modules.errors.WorldTracingError) as caught:
        scene_modules.render.match_photo(scene)
    assert caught.value.code == "WT-SCENE-VIEW" and caught.value.fix
    assert settings(scene) == own_settings and not scene_modules.render.matches_photo(scene)


def test_match_photo_is_undone_after_cycles_came_back(scene_modules, own_settings):
    scene = bpy.context.scene
    bpy.ops.preferences.addon_disable(module="cycles")
    try:
        scene_modules.show(scene_modules.world(), "a")
        scene_modules.render.match_photo(scene)
    finally:
        bpy.ops.preferences.addon_enable(module="cycles")
    scene_modules.render.restore_view(scene)
    assert settings(scene) == own_settings


@pytest.mark.skipif(bpy.app.version < (5, 0, 0), reason="before 5.0 a video is one of the file formats")
def test_a_file_set_to_video_renders_stills(scene_modules, tmp_path):
    image = bpy.context.scene.render.image_settings
    image.media_type = "VIDEO"
    assert_reproduced(scene_modules, tmp_path / "render.png")
    assert image.file_format == "PNG"


def test_lit_world_is_dark_without_a_light_and_bright_with_one(scene_modules, tmp_path):
    world = scene_modules.world(64, 48)
    scene = bpy.context.scene
    objects = scene_modules.show(world, "a")
    scene_modules.worlds.set_layer_inputs(objects, Display="Surface", Lit=True)
    scene_modules.render.match_photo(scene)
    scene_modules.render.cycles_still(scene)
    mask = world.valid[0]
    assert rendered(tmp_path / "dark.png")[mask][:, :3].max() < 0.02
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3.0, (1.2, 0, 0)
    scene.collection.objects.link(sun)
    assert rendered(tmp_path / "lit.png")[mask][:, :3].mean() > 0.1
