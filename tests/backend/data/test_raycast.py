"""Layered ground truth against closed forms: sphere, nested boxes, torus, touching and interpenetrating parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldtracing.camera import Camera
from worldtracing.data import shapes
from worldtracing.data.mesh import Mesh, merged
from worldtracing.data.raycast import RayCaster
from worldtracing.data.views import look_at, orbit

pytest.importorskip("embreex")

CAMERA = Camera.from_fov(64, 64, 49.1)


def cast(mesh, camera=CAMERA, eye=(0.0, 0.0, 3.0), **options):
    return RayCaster(mesh).layers(camera, look_at(np.array(eye), np.zeros(3)), **options)


def sphere(n=256):
    latitude, longitude = np.linspace(-np.pi / 2, np.pi / 2, n)[:, None], np.linspace(0, 2 * np.pi, 2 * n)[None]
    points = np.stack(np.broadcast_arrays(np.cos(latitude) * np.cos(longitude), np.sin(latitude), 0), -1).copy()
    points[..., 2] = np.cos(latitude) * np.sin(longitude)
    return shapes.grid(points)


def test_a_sphere_has_its_two_closed_form_depths():
    layers = cast(sphere())
    rays = CAMERA.rays().astype(np.float64)
    # |d ray - (0, 0, 3)| = 1, a quadratic in the depth d.
    a, root = (rays**2).sum(-1), 9 - (rays**2).sum(-1) * 8
    inside = root > 0.05
    near, far = (3 - np.sqrt(root[inside])) / a[inside], (3 + np.sqrt(root[inside])) / a[inside]
    assert layers.valid[:2, inside].all() and not layers.valid[2:].any()
    np.testing.assert_allclose(layers.depth[0][inside], near, atol=3e-4)
    np.testing.assert_allclose(layers.depth[1][inside], far, atol=3e-4)
    assert not layers.valid[0][root < -0.05].any()


def test_nested_boxes_give_six_layers_in_their_places():
    boxes = merged([shapes.box((half,) * 3) for half in (1.0, 0.7, 0.4)])
    layers = cast(boxes, eye=(0.0, 0.0, 5.0), solid=False)
    middle = np.s_[28:36, 28:36]
    assert layers.valid[:, *middle].all()
    expected = np.array([4, 4.3, 4.6, 5.4, 5.7, 6])[:, None, None]
    np.testing.assert_allclose(layers.depth[:, *middle], np.broadcast_to(expected, (6, 8, 8)), atol=1e-5)


def test_what_lies_inside_a_solid_is_no_surface():
    layers = cast(merged([shapes.box((half,) * 3) for half in (1.0, 0.7, 0.4)]), eye=(0.0, 0.0, 5.0))
    np.testing.assert_allclose(layers.depth[:2, 32, 32], [4, 6], atol=1e-5)
    assert not layers.valid[2:].any()


def test_a_cavity_stays():
    inner = shapes.box((0.5,) * 3)
    hollow = merged([shapes.box(), Mesh.plain(inner.vertices, inner.faces[:, ::-1])])
    layers = cast(hollow, eye=(0.0, 0.0, 5.0))
    np.testing.assert_allclose(layers.depth[:4, 32, 32], [4, 4.5, 5.5, 6], atol=1e-5)


def test_a_torus_is_crossed_four_times_through_its_hole():
    torus = shapes.torus(0.7, 0.25, n=400, m=200)
    layers = cast(torus, eye=(0.0, 0.0, 3.0))
    rays = CAMERA.rays().astype(np.float64)
    valid = layers.valid[:4].all(0)
    assert valid.sum() > 40 and not layers.valid[4:].any()
    points = layers.depth[:4, valid, None].astype(np.float64) * rays[valid]
    x, y, z = points[..., 0], -points[..., 1], 3 - points[..., 2]
    radius = np.hypot(np.hypot(x, z) - 0.7, y)
    np.testing.assert_allclose(radius, 0.25, atol=3e-4)


def test_interpenetrating_parts_become_their_union():
    left, right = shapes.box((0.6, 0.5, 0.5), (-0.4, 0, 0)), shapes.box((0.5, 0.4, 0.4), (0.6, 0, 0))
    layers = cast(merged([left, right]), eye=(5.0, 0.0, 0.0))
    np.testing.assert_allclose(layers.depth[:2, 32, 32], [3.9, 6], atol=1e-5)
    assert not layers.valid[2, 30:34, 30:34].any()


def test_the_wall_between_touching_parts_disappears():
    stacked = merged([shapes.box((0.5,) * 3, (x, 0, 0)) for x in (-0.5, 0.5)])
    layers = cast(stacked, eye=(5.0, 0.0, 0.0))
    np.testing.assert_allclose(layers.depth[:2, 32, 32], [4, 6], atol=1e-5)
    assert not layers.valid[2:, 32, 32].any()


def test_doubled_faces_add_no_layers():
    box = shapes.box()
    doubled = Mesh.plain(np.concatenate([box.vertices] * 2), np.concatenate([box.faces, box.faces + 8]))
    assert cast(doubled, eye=(0.0, 0.0, 5.0), solid=False).valid.sum((1, 2)).tolist()[2:] == [0, 0, 0, 0]


def test_an_open_sheet_hides_nothing_far_behind_it():
    sheet = Mesh.plain([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], [[0, 1, 2], [0, 2, 3]])
    layers = cast(merged([sheet, shapes.box((0.5,) * 3, (0, 0, -0.5))]), eye=(0.0, 0.0, 5.0))
    np.testing.assert_allclose(layers.depth[:3, 32, 32], [4, 5, 6], atol=1e-5)


def test_faces_left_out_are_neither_hit_nor_hide():
    front, back = shapes.box((0.5,) * 3, (0, 0, -0.6)), shapes.box((0.5,) * 3, (0, 0, 0.6))
    layers = cast(merged([front, back]), eye=(0.0, 0.0, 5.0), faces=12)
    np.testing.assert_allclose(layers.depth[:2, 32, 32], [5.1, 6.1], atol=1e-5)
    assert not layers.valid[2:].any() and layers.face.max() < 12


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(-80, 80), st.floats(0, 360), st.booleans())
def test_layers_are_ordered_and_lie_on_their_rays_and_faces(seed, elevation, azimuth, solid):
    mesh = shapes.union(np.random.default_rng(seed))
    pose = look_at(orbit(elevation, azimuth, 1.9), np.zeros(3))
    layers = RayCaster(mesh).layers(Camera.from_fov(24, 24, 49.1), pose, solid)
    assert (layers.depth[layers.valid] > 0).all() and not layers.depth[~layers.valid].any()
    assert (layers.valid[:-1] | ~layers.valid[1:]).all()  # no gaps
    both = layers.valid[1:]
    assert (layers.depth[1:][both] > layers.depth[:-1][both]).all()
    points = layers.points[layers.valid]
    np.testing.assert_allclose(points[:, :2] / points[:, 2:], _rays_of(layers)[:, :2], atol=1e-5)
    corners = (mesh.vertices @ pose[:3, :3].T + pose[:3, 3])[mesh.faces[layers.face[layers.valid]]]
    u, v = layers.bary[layers.valid].T[..., None]
    on_face = (1 - u - v) * corners[:, 0] + u * corners[:, 1] + v * corners[:, 2]
    assert np.linalg.norm(on_face - points, axis=1).max() < 2e-4


def _rays_of(layers):
    return np.broadcast_to(layers.rays, (*layers.valid.shape, 3))[layers.valid]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_surfaces_of_closed_shapes_face_the_camera_and_away_in_turn(seed):
    mesh = shapes.union(np.random.default_rng(seed))
    pose = look_at(orbit(20, seed % 360, 1.9), np.zeros(3))
    layers = RayCaster(mesh).layers(Camera.from_fov(32, 32, 49.1), pose)
    toward = np.einsum("lhwc,hwc->lhw", mesh.normals[layers.face] @ pose[:3, :3].T, layers.rays) < 0
    expected = (np.arange(6) % 2 == 0)[:, None, None]
    in_turn = ((toward == expected) | ~layers.valid).all(0)
    assert in_turn[layers.valid[0]].mean() > 0.95  # grazing rays lose slivers that are thinner than a repeated hit
