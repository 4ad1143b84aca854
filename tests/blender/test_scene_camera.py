"""The matched camera sees each point in its own pixel; the novel one keeps the world's center in place."""

from math import radians

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from toy_world import intrinsics, make_world

CAMERAS = {
    "landscape": {"width": 96, "height": 72},
    "portrait": {"width": 72, "height": 96},
    "square": {"width": 80, "height": 80},
    "off-centre": {"width": 96, "height": 72, "K": intrinsics(96, 72, cx=20, cy=55)},
    "off-centre portrait": {"width": 72, "height": 96, "K": intrinsics(72, 96, cx=60, cy=30)},
    "tall pixels": {"width": 96, "height": 72, "K": intrinsics(96, 72, fx=130, fy=100, cx=50, cy=33)},
    "wide pixels": {"width": 96, "height": 72, "K": intrinsics(96, 72, fx=90, fy=125, cx=45, cy=40)},
    "wide lens": {"width": 96, "height": 72, "K": intrinsics(96, 72, fx=30)},
}
ROOTS = {
    "as built": ((0, 0, 0), (0, 0, 0), 1),
    "moved, turned, scaled": ((3, -2, 1), (0.3, -0.2, 1.1), 7.5),
}


@pytest.fixture
def build(submodule):
    """build(name=..., photo=..., **toy_world options) -> (world, objects)"""
    world_class = submodule("backend.worldtracing.world").LayeredWorld
    module = submodule("worldtracing_addon.scene.build")

    def make(name="a", photo=None, **options):
        world = make_world(world_class, **options)
        return world, module.build_world(bpy.context.scene, world, name=name, photo=photo, source="")

    return make


def vertices(part):
    values = np.empty(len(part.data.vertices) * 3, np.float32)
    part.data.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3).astype(np.float64)


def project(part, camera, width, height):
    """(N, 2) pixels, origin top left, of an object's vertices, with the matrices that Blender renders with."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    render = bpy.context.scene.render
    projection = camera.calc_matrix_camera(
        depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    matrix = np.array(projection @ camera.evaluated_get(depsgraph).matrix_world.normalized().inverted())
    points = np.c_[vertices(part), np.ones(len(part.data.vertices))] @ np.array(part.matrix_world).T @ matrix.T
    x, y = (points[:, :2] / points[:, 3:]).T
    return np.stack([(x + 1) / 2 * width, (1 - y) / 2 * height], -1)


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("camera", CAMERAS)
def test_every_point_projects_onto_its_pixel(build, camera, root):
    world, objects = build(**CAMERAS[camera])
    objects.root.location, objects.root.rotation_euler, scale = ROOTS[root]
    objects.root.scale = (scale,) * 3
    bpy.context.view_layer.update()
    for layer, part in enumerate(objects.layers):
        rows, columns = np.nonzero(world.valid[layer])
        expected = np.stack([columns + 0.5, rows + 0.5], -1)
        found = project(part, objects.camera, world.width, world.height)
        assert np.abs(found - expected).max() < 0.05


def test_blenders_own_projection_agrees(build):
    world, objects = build(**CAMERAS["off-centre portrait"])
    scene, part = bpy.context.scene, objects.layers[0]
    bpy.context.view_layer.update()
    rows, columns = np.nonzero(world.valid[0])
    for index in range(0, len(rows), 97):
        place = part.matrix_world @ part.data.vertices[index].co
        x, y, _ = world_to_camera_view(scene, objects.camera, place)
        assert x * world.width == pytest.approx(columns[index] + 0.5, abs=0.05)
        assert (1 - y) * world.height == pytest.approx(rows[index] + 0.5, abs=0.05)


def test_frame_is_the_whole_photo_of_a_crop(build):
    photo = bpy.data.images.new("photo", 200, 150)
    world, objects = build(photo=photo, crop=[10, 20, 106, 92])  # as large as the traced picture
    scene = bpy.context.scene
    assert (scene.render.resolution_x, scene.render.resolution_y) == (200, 150)
    bpy.context.view_layer.update()
    rows, columns = np.nonzero(world.valid[0])
    found = project(objects.layers[0], objects.camera, 200, 150)
    assert np.abs(found - np.stack([columns + 10.5, rows + 20.5], -1)).max() < 0.05
    assert objects.camera.data.background_images[0].image == photo


def test_a_photo_of_another_shape_is_not_used(build):
    photo = bpy.data.images.new("photo", 100, 300)
    _, objects = build(photo=photo)
    assert bpy.context.scene.render.resolution_x == 96
    background = objects.camera.data.background_images[0].image
    assert background != photo and background.packed_file and tuple(background.size) == (96, 72)


def test_photo_with_alpha_stays_as_it_is(build, tmp_path):
    photo = bpy.data.images.new("photo", 96, 72, alpha=True)
    photo.pixels.foreach_set(np.tile(np.float32([1, 0.5, 0, 0.25]), 96 * 72))
    photo.filepath_raw, photo.file_format = str(tmp_path / "photo.png"), "PNG"
    photo.save()
    photo = bpy.data.images.load(str(tmp_path / "photo.png"))
    _, objects = build(photo=photo)
    assert objects.camera.data.background_images[0].image == photo
    assert photo.packed_file and photo.channels == 4
    assert np.allclose(photo.pixels[:4], [1, 0.5, 0, 0.25], atol=0.01)


def test_render_size_follows_and_percentage_stays(build):
    render = bpy.context.scene.render
    render.resolution_percentage = 50
    build(**CAMERAS["tall pixels"])
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (96, 72, 50)
    assert render.pixel_aspect_y == pytest.approx(1.3) and render.pixel_aspect_x == 1


def test_orbit_turns_about_the_center(build, submodule):
    camera_module = submodule("worldtracing_addon.scene.camera")
    _, objects = build()
    scene = bpy.context.scene
    objects.root.rotation_euler.z = 0.7
    objects.root.scale = (3, 3, 3)
    novel = camera_module.orbit_camera(scene, objects, 25)
    bpy.context.view_layer.update()
    points = np.concatenate([vertices(part) for part in objects.layers])
    center = objects.root.matrix_world @ Vector(np.median(points, 0))
    before = world_to_camera_view(scene, objects.camera, center)
    after = world_to_camera_view(scene, novel, center)
    assert (after - before).length < 1e-4
    angle = objects.camera.matrix_world.to_quaternion().rotation_difference(novel.matrix_world.to_quaternion()).angle
    assert angle == pytest.approx(radians(25), abs=1e-4)
    moved = objects.camera.matrix_world.inverted() @ novel.matrix_world.translation
    assert moved.x > 0  # to the right
    assert scene.camera == objects.camera
    assert camera_module.orbit_camera(scene, objects, -10) == novel
    assert len(bpy.data.cameras) == 2
