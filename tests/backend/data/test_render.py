"""Shading and textures: light comes from where the lamp is, shadows fall, colors are where they should be."""

import numpy as np
import pytest

from worldtracing.camera import Camera
from worldtracing.data import assemblies, render, shapes
from worldtracing.data.mesh import Mesh, merged
from worldtracing.data.raycast import RayCaster
from worldtracing.data.textures import KINDS, SolidTexture, noise
from worldtracing.data.views import look_at, object_view

pytest.importorskip("embreex")

CAMERA = Camera.from_fov(48, 48, 40)


def lighting(lamp, sky=0.0):
    return render.Lighting(
        sky=np.full(3, sky, np.float32),
        sky_up=np.array([0, 1, 0], np.float32),
        lamps=np.array([lamp], np.float32) / np.float32(np.linalg.norm(lamp)),
        lamp_colors=np.ones((1, 3), np.float32),
        gloss=0.0,
        sharpness=1.0,
        exposure=1.0,
    )


def picture(mesh, lights, eye=(0, 0, 4), **options):
    pose = look_at(np.array(eye, float), np.zeros(3))
    color, face = render.shade(RayCaster(mesh), CAMERA, pose, lights, np.random.default_rng(0), **options)
    return render.reduced(color), face


def test_a_ball_is_bright_on_the_side_of_the_lamp():
    ball = shapes.torus(0.01, 0.8, n=40, m=40)
    color, _ = picture(ball, lighting((1, 0, 0.2)))
    assert color[24, 32].mean() > color[24, 24].mean() > color[24, 16].mean()


def test_a_plate_throws_its_shadow_on_the_ground_unless_told_not_to():
    plate, ground = shapes.box((0.4, 0.02, 0.4), (0, 0.8, 0)), assemblies.ground(3, 0)
    scene = merged([plate, ground])
    shaded, _ = picture(scene, lighting((0, 1, 0)), eye=(0, 2, 4))
    free, face = picture(scene, lighting((0, 1, 0)), eye=(0, 2, 4), shading_faces=0)
    on_ground = render.reduced((face >= 12).astype(float)) == 1
    assert (shaded[on_ground].mean(1) < 0.1).sum() > 20
    assert (free[on_ground].mean(1) > 0.5).all()


def test_the_silhouette_is_antialiased_and_the_rest_empty():
    color, face = picture(shapes.box((0.5, 0.5, 0.5)).moved(shapes.about_y(0.5)), lighting((0, 0, 1)))
    coverage = render.reduced((face >= 0).astype(float))
    assert set(np.unique(coverage)) <= {0, 0.25, 0.5, 0.75, 1} and ((coverage > 0) & (coverage < 1)).any()
    assert not color[coverage == 0].any()


def test_a_picture_texture_is_looked_up_with_v_up():
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0, 0], texture[1, 1] = (255, 0, 0), (0, 0, 255)  # top left red, bottom right blue
    colors = render.picture_color(texture, np.array([[0.25, 0.75], [0.75, 0.25], [1.25, -0.25], [0.5, 0.75]]))
    np.testing.assert_allclose(colors, [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0.5, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_solid_textures_vary_and_stay_in_their_palette(kind):
    rng = np.random.default_rng(1)
    palette = np.array([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]], np.float32)
    texture = SolidTexture(kind, palette, 6.0, np.eye(3), np.zeros(3), 0.3, 5)
    points = rng.uniform(-1, 1, (4000, 3))
    normals = np.tile([0.0, 0.0, 1.0], (4000, 1))
    colors = texture.color(points, normals)
    assert colors.dtype == np.float32 and colors.std(0).min() > 0.05
    assert (colors >= palette[0] - 1e-6).all() and (colors <= palette[1] + 1e-6).all()
    np.testing.assert_array_equal(colors, texture.color(points, normals))


def test_noise_is_continuous_and_repeats():
    points = np.random.default_rng(0).uniform(0, 8, (500, 3))
    assert np.abs(noise(points) - noise(points + 1e-3)).max() < 0.02
    np.testing.assert_allclose(noise(points), noise(points + 8), atol=1e-3)


def test_jpeg_noise_changes_little():
    pixels = (np.add.outer(np.arange(64), np.arange(64)) % 128)[..., None].repeat(3, 2).astype(np.uint8)
    changed = render.jpeg(pixels, 70)
    assert changed.shape == pixels.shape and 0 < np.abs(changed.astype(int) - pixels).mean() < 5


def test_object_views_hold_the_object_and_the_range_of_fields_of_view():
    mesh = shapes.union(np.random.default_rng(0))
    for seed in range(40):
        camera, pose = object_view(np.random.default_rng(seed), mesh, 64)
        points = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
        pixels = camera.project(points)
        assert points[:, 2].min() > 0
        assert ((pixels > -8) & (pixels < 72)).all(1).mean() > 0.6
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)


def test_look_at_keeps_up_up():
    pose = look_at(np.array([0, 1, 4.0]), np.zeros(3))
    up_in_camera = pose[:3, :3] @ [0, 1, 0]
    assert up_in_camera[1] < -0.9  # y is down in the camera's frame
    np.testing.assert_allclose(pose @ [0, 0, 0, 1], [0, 0, np.sqrt(17), 1], atol=1e-9)


def test_flat_colors_come_out_as_given_under_full_light():
    wall = Mesh.plain([[-3, -3, 0], [3, -3, 0], [3, 3, 0], [-3, 3, 0]], [[0, 1, 2], [0, 2, 3]], (0.8, 0.4, 0.2))
    color, _ = picture(wall, lighting((0, 0, 1)))
    np.testing.assert_allclose(color[24, 24], [0.8, 0.4, 0.2], atol=1e-3)
