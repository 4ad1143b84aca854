"""A build that fails leaves the scene as it was."""

import bpy
import numpy as np
import pytest
from scene_help import census, photo_file


@pytest.mark.parametrize("case", ["in memory", "not in memory", "retrace"])
def test_a_photo_that_was_moved_away_is_replaced_by_the_traced_pixels(scene_modules, tmp_path, case):
    photo, warnings = photo_file(tmp_path, size=(192, 144)), []
    options = {"name": "cat.png", "photo": photo, "source": "", "warn": warnings.append}
    scene, world = bpy.context.scene, scene_modules.world()
    if case == "in memory":
        assert photo.pixels[0] == 0
    elif case == "retrace":
        first = scene_modules.build.build_world(scene, world, **options)
        photo.unpack(method="REMOVE")
    (tmp_path / "cat.png").unlink()
    objects = scene_modules.build.build_world(scene, world, **options)
    assert [warning.code for warning in warnings] == ["WT-SCENE-PHOTO-GONE"]
    background = objects.camera.data.background_images[0].image
    assert background != photo and background.packed_file
    assert tuple(background.size) == tuple(objects.camera["wt_frame"]) == (96, 72)
    assert case != "retrace" or objects == first


def test_paint_that_was_not_saved_survives_a_failed_build(scene_modules, monkeypatch, tmp_path):
    photo = photo_file(tmp_path)
    paint = np.tile(np.float32([1, 0, 0, 1]), 96 * 72)
    photo.pixels.foreach_set(paint)
    monkeypatch.setattr(scene_modules.build, "match_camera", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scene_modules.make(photo=photo)
    assert photo.packed_file or photo.is_dirty  # else it is only in memory, and Blender would drop it without asking
    np.testing.assert_array_equal(np.array(photo.pixels), paint)


FAILURES = [
    ("points", "linear_rgba"),
    ("build", "image_from_rgb"),
    ("layers", "ensure_group"),
    ("layer_group", "surface_branch"),
    ("build", "match_camera"),
    ("build", "look_through"),
]


@pytest.mark.parametrize(("module", "function"), FAILURES)
def test_a_failing_build_leaves_nothing_behind(scene_modules, monkeypatch, module, function):
    def fail(*_, **__):
        raise MemoryError("no memory")

    before, resolution = census(), bpy.context.scene.render.resolution_x
    monkeypatch.setattr(getattr(scene_modules, module), function, fail)
    with pytest.raises(MemoryError):
        scene_modules.make()
    assert census() == before and bpy.context.scene.render.resolution_x == resolution


@pytest.mark.parametrize(("module", "function"), [f for f in FAILURES if f[1] != "surface_branch"])
def test_a_failing_retrace_leaves_the_old_world(scene_modules, monkeypatch, module, function):
    objects = scene_modules.make(layers=3)
    before = census()
    state = [
        [(part.name, part.data.name, len(part.data.vertices)) for part in objects.layers],
        objects.root["wt_seed"],
        (objects.camera.data.name, objects.camera.data.lens, list(objects.camera["wt_frame"])),
        (bpy.context.scene.render.resolution_x, bpy.context.scene.camera.name),
    ]

    def fail(*_, **__):
        raise MemoryError("no memory")

    monkeypatch.setattr(getattr(scene_modules, module), function, fail)
    with pytest.raises(MemoryError):
        scene_modules.make(layers=2, width=64, height=64, seed=9)
    assert census() == before
    assert state == [
        [(part.name, part.data.name, len(part.data.vertices)) for part in objects.layers],
        objects.root["wt_seed"],
        (objects.camera.data.name, objects.camera.data.lens, list(objects.camera["wt_frame"])),
        (bpy.context.scene.render.resolution_x, bpy.context.scene.camera.name),
    ]
    modifier = scene_modules.worlds.layer_modifier(objects.layers[0])
    assert scene_modules.compat.get_modifier_input(modifier, "Width") == 96
