"""Procedural shapes are closed and wound outwards; meshes keep their parts when moved and merged."""

import numpy as np
import pytest

from worldtracing.data import assemblies, shapes
from worldtracing.data.mesh import Mesh, merged

GENERATORS = [*shapes.PRIMITIVES, shapes.union, *assemblies.FURNITURE]


def open_edges(mesh):
    """Edges that are not crossed as often one way as the other, with corners welded."""
    corner = np.unique(np.round(mesh.vertices / 1e-5), axis=0, return_inverse=True)[1].reshape(-1)[mesh.faces]
    edges = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]], corner[:, [2, 0]]]).astype(np.int64)
    edges = edges[edges[:, 0] != edges[:, 1]]
    _, which = np.unique(np.sort(edges, 1), axis=0, return_inverse=True)
    return int((np.bincount(which.reshape(-1), np.where(edges[:, 0] < edges[:, 1], 1, -1)) != 0).sum())


def part_volumes(mesh):
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2).astype(float)
    return np.bincount(mesh.part, np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: g.__name__)
def test_shapes_are_closed_and_wound_outwards(generator):
    for seed in range(6):
        mesh = generator(np.random.default_rng(seed))
        assert open_edges(mesh) == 0
        assert (part_volumes(mesh) > 0).all()


def test_bending_keeps_a_shape_closed():
    mesh = shapes.bent(shapes.union(np.random.default_rng(3)), np.random.default_rng(4))
    assert open_edges(mesh) == 0 and mesh.size == pytest.approx(1, abs=1e-5)


def test_parts_are_found_across_doubled_vertices():
    box = shapes.box()
    split = Mesh.plain(box.vertices[box.faces].reshape(-1, 3), np.arange(36).reshape(12, 3))
    two = merged([split, split.moved(np.eye(3), (5, 0, 0))])
    alone = Mesh.plain(two.vertices, two.faces)  # without what merging knows of parts
    np.testing.assert_array_equal(alone.part, np.repeat([0, 1], 12))
    np.testing.assert_array_equal(two.part, alone.part)


def test_a_mirrored_mesh_still_faces_outwards():
    assert part_volumes(shapes.box().moved(np.diag([-1, 1, 1]))) == pytest.approx(8)


def test_merging_keeps_materials_apart():
    two = merged([Mesh.plain(*_triangle(), (1, 0, 0)), Mesh.plain(*_triangle(), (0, 1, 0))])
    np.testing.assert_array_equal(two.colors[two.material][:, :3], [[1, 0, 0], [0, 1, 0]])


def test_surface_points_are_uniform_by_area():
    small, large = Mesh.plain(*_triangle()), Mesh.plain(*_triangle()).moved(3 * np.eye(3), (10, 0, 0))
    points = merged([small, large]).sample_surface(20000, np.random.default_rng(0))
    assert (points[:, 0] > 5).mean() == pytest.approx(0.9, abs=0.01)
    near = points[points[:, 0] < 5]
    assert (near[:, 0] + near[:, 1]).max() <= 1 + 1e-5
    np.testing.assert_allclose(near.mean(0), [1 / 3, 1 / 3, 0], atol=0.02)


def _triangle():
    return [[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]
