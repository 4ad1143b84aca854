"""Rendered from its own camera under Match Photo, a world looks like its photo."""

import bpy
import numpy as np
import pytest
from toy_world import intrinsics, make_world


@pytest.fixture
def modules(submodule):
    class Modules:
        build = submodule("worldtracing_addon.scene.build")
        render = submodule("worldtracing_addon.scene.render")
        worlds = submodule("worldtracing_addon.scene.worlds")
        world_class = submodule("backend.worldtracing.world").LayeredWorld

    return Modules


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
def test_matched_render_reproduces_the_photo(modules, tmp_path, display, decibels, scale):
    K = intrinsics(160, 120, fx=190, fy=170, cx=70, cy=66)
    world = make_world(modules.world_class, 160, 120, K=K)
    scene = bpy.context.scene
    objects = modules.build.build_world(scene, world, name="a", photo=None, source="")
    objects.root.scale = (scale,) * 3
    objects.root.rotation_euler = (0.1, 0.2, 0.3)
    modules.worlds.set_layer_inputs(objects, Display=display)
    modules.render.match_photo(scene)
    modules.render.cycles_still(scene)
    picture = rendered(tmp_path / "render.png")
    mask = world.valid[0]
    assert picture.shape[:2] == mask.shape
    assert psnr(picture, world.rgb, mask) >= decibels
    alpha = picture[..., 3]
    assert alpha[mask].min() > 0.99  # covered to the border
    assert alpha[~world.valid.any(0)].mean() < 0.02  # and not beyond


def test_match_photo_is_needed_and_undone(modules):
    scene = bpy.context.scene
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Punchy"
    scene.view_settings.exposure = 0.5
    scene.render.film_transparent = False
    scene.cycles.filter_width = 2.0

    def settings():
        view, render, cycles = scene.view_settings, scene.render, scene.cycles
        return (
            (view.view_transform, view.look, view.exposure, view.gamma, view.use_curve_mapping),
            (render.film_transparent, render.dither_intensity, render.filter_size),
            (cycles.pixel_filter_type, cycles.filter_width),
        )

    before = settings()
    assert not modules.render.matches_photo(scene)
    modules.render.match_photo(scene)
    modules.render.match_photo(scene)  # a second call must not forget what was before the first
    assert modules.render.matches_photo(scene)
    assert scene.view_settings.view_transform == "Standard" and scene.render.film_transparent
    modules.render.restore_view(scene)
    assert settings() == before and not modules.render.matches_photo(scene)


def test_lit_world_is_dark_without_a_light_and_bright_with_one(modules, tmp_path):
    world = make_world(modules.world_class, 64, 48)
    scene = bpy.context.scene
    objects = modules.build.build_world(scene, world, name="a", photo=None, source="")
    modules.worlds.set_layer_inputs(objects, Display="Surface", Lit=True)
    modules.render.match_photo(scene)
    modules.render.cycles_still(scene)
    mask = world.valid[0]
    assert rendered(tmp_path / "dark.png")[mask][:, :3].max() < 0.02
    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3.0, (1.2, 0, 0)
    scene.collection.objects.link(sun)
    assert rendered(tmp_path / "lit.png")[mask][:, :3].mean() > 0.1
