import numpy as np
import pytest
from lumpy_mesh import lumpy_mesh, volume

from worldtracing.meshing.align import (
    GLTF_TO_CAMERA,
    Similarity,
    align_to_points,
    match_moments,
    rotated,
    rotation_from_vector,
    sample_surface,
)

TRUE = Similarity(0.37, GLTF_TO_CAMERA @ rotation_from_vector(np.array([0.2, -0.1, 0.05])), np.array([0.2, -0.1, 1.9]))


@pytest.fixture(scope="module")
def mesh():
    return lumpy_mesh()


@pytest.fixture(scope="module")
def cloud(mesh):
    """What layers know of the mesh in its true place: noisy points of most of its surface, and some flyers."""
    random = np.random.default_rng(5)
    points, normals = sample_surface(*mesh, 9000, random)
    seen = points[(normals[:, 0] < 0.8) & (points[:, 1] > -0.3)]
    placed = TRUE(seen) + random.normal(0, 0.0005, seen.shape)
    flyers = placed[:200] + np.array([0.0, 0.0, 0.4])
    return np.concatenate([placed, flyers])


def error(found, mesh):
    """Largest distance of any vertex from its true place, relative to the object's size."""
    return np.linalg.norm(found(mesh[0]) - TRUE(mesh[0]), axis=1).max() / TRUE.scale


def test_the_test_mesh_is_closed_and_faces_outwards(mesh):
    vertices, faces = mesh
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert volume(vertices, faces) > 0


def test_scale_and_translation_are_found(mesh, cloud):
    start = match_moments(sample_surface(*mesh, 4000, np.random.default_rng(1))[0], cloud, TRUE.rotation)
    assert error(start, mesh) > 0.05
    found, distance = align_to_points(*mesh, cloud, [start])
    assert error(found, mesh) < 0.004
    assert distance < 0.004
    np.testing.assert_array_equal(found.rotation, TRUE.rotation)


def test_a_turned_mesh_is_turned_back(mesh, cloud):
    start = match_moments(sample_surface(*mesh, 4000, np.random.default_rng(1))[0], cloud, GLTF_TO_CAMERA)
    found, _ = align_to_points(*mesh, cloud, [start], turn=True)
    assert error(found, mesh) < 0.006
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_the_better_start_wins(mesh, cloud):
    surface = sample_surface(*mesh, 4000, np.random.default_rng(1))[0]
    turns = [rotation_from_vector(np.array([0, angle, 0])) for angle in (np.pi, 0.0)]
    starts = [match_moments(surface, cloud, GLTF_TO_CAMERA @ turn) for turn in turns]
    found, _ = align_to_points(*mesh, cloud, starts, turn=True)
    assert error(found, mesh) < 0.006


def test_a_mesh_in_place_stays(mesh, cloud):
    found, _ = align_to_points(*mesh, cloud, [TRUE])
    assert error(found, mesh) < 0.003


def test_few_points_and_flat_meshes_do_not_fail():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    faces = np.array([[0, 1, 2]])
    for target in (np.array([[0.2, 0.2, 3.0]]), np.array([[0.0, 0, 3], [1, 0, 3]])):
        found, distance = align_to_points(vertices, faces, target, [rotated(np.eye(3))], turn=True)
        assert np.isfinite(found(vertices)).all()
        assert np.isfinite(distance)


def test_transforms_compose():
    first = Similarity(2.0, rotation_from_vector(np.array([0.3, 0, 0])), np.array([1.0, 2, 3]))
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(TRUE.after(first)(points), TRUE(first(points)))


def test_samples_lie_on_the_surface_by_area():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [9, 0, 5], [0, 1, 5]], float)
    faces = np.array([[0, 1, 2], [3, 4, 5]])
    points, normals = sample_surface(vertices, faces, 2000, np.random.default_rng(0))
    np.testing.assert_allclose(normals, np.tile([0, 0, 1.0], (2000, 1)))
    assert (points[:, 2] == 5).mean() == pytest.approx(0.9, abs=0.03)
    assert (points[:, 0] / np.where(points[:, 2] == 5, 9, 1) + points[:, 1] <= 1 + 1e-9).all()
