"""From rays to a closed surface: volume, marching cubes, topology, decimation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_help import CENTER, RADIUS, ball_world, world_of_depths

from worldtracing.camera import Camera
from worldtracing.meshing.base import MeshOptions, chosen_points
from worldtracing.meshing.decimate import decimate, make_manifold
from worldtracing.meshing.generator import build_surface
from worldtracing.meshing.intervals import clean_depths
from worldtracing.meshing.isosurface import case_table, marching_cubes
from worldtracing.meshing.ray_grid import depths_on_rays, fit_grid
from worldtracing.meshing.topology import face_parts, inspect
from worldtracing.meshing.volume import solid_intervals
from worldtracing.progress import silent

TETRAHEDRON = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])


def solid_volume(vertices, faces):
    """By the divergence theorem; negative where faces run clockwise."""
    a, b, c = vertices[faces].astype(np.float64).transpose(1, 0, 2)
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def surface_of(world, **options):
    camera = Camera.from_K(world.K, world.width, world.height)
    chosen = chosen_points(world, None)
    return build_surface(world.points, chosen, camera, MeshOptions(**options), silent)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 7), st.floats(0, 1))
def test_marching_cubes_closes_around_any_signs(seed, side, share):
    volume = np.full((side + 2,) * 3, -1, np.float32)
    rng = np.random.default_rng(seed)
    inside = np.where(rng.random((side,) * 3) < share, 1, -1) * rng.uniform(0, 1, (side,) * 3)
    volume[1:-1, 1:-1, 1:-1] = inside
    vertices, faces = marching_cubes(volume)
    topology = inspect(faces)
    assert topology.watertight and topology.manifold
    assert (solid_volume(vertices, faces) > 0) == (volume > 0).any()


def test_the_case_table_has_both_signs_of_every_pattern():
    table = case_table()
    assert len(table[0]) == len(table[255]) == 0
    assert all(len(table[case]) for case in range(1, 255))


def test_marching_cubes_finds_a_ball():
    grid = np.mgrid[:40, :40, :40].astype(np.float32) - 19.3
    vertices, faces = marching_cubes(15 - np.sqrt((grid**2).sum(0)))
    assert np.allclose(np.linalg.norm(vertices - 19.3, axis=1), 15, atol=0.02)
    assert solid_volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.01)


def test_inspect_tells_every_fault():
    assert inspect(TETRAHEDRON).watertight and inspect(TETRAHEDRON).manifold
    assert inspect(TETRAHEDRON[1:]).open_edges == 3 and inspect(TETRAHEDRON[1:]).manifold
    turned = TETRAHEDRON.copy()
    turned[0] = turned[0, ::-1]
    assert inspect(turned).turned_edges == 3 and not inspect(turned).watertight
    share_vertex = np.concatenate([TETRAHEDRON, np.where(TETRAHEDRON == 0, 0, TETRAHEDRON + 3)])
    assert inspect(share_vertex).pinched_vertices == 1
    assert inspect(share_vertex).watertight and not inspect(share_vertex).manifold
    share_edge = np.concatenate([TETRAHEDRON, np.where(TETRAHEDRON < 2, TETRAHEDRON, TETRAHEDRON + 2)])
    assert inspect(share_edge).crowded_edges == 1
    assert inspect(np.array([[0, 0, 1]])).flat_faces == 1


@pytest.mark.parametrize("shared", [1, 2, 3])
def test_what_is_glued_together_is_parted(shared):
    """Two tetrahedra with one, two or three vertices in common."""
    other = np.where(shared > TETRAHEDRON, TETRAHEDRON, TETRAHEDRON + 4 - shared)
    faces = np.concatenate([TETRAHEDRON, other])
    vertices = np.random.default_rng(0).random((8 - shared, 3)).astype(np.float32)
    assert not inspect(faces).manifold
    vertices, faces = make_manifold(vertices, faces)
    assert inspect(faces).manifold and inspect(faces).watertight


def test_decimation_stays_closed_and_close():
    pytest.importorskip("fast_simplification")
    grid = np.mgrid[:40, :40, :40].astype(np.float32) - 19.5
    tube = np.hypot(np.hypot(grid[0], grid[1]) - 12, grid[2])
    vertices, faces = decimate(*marching_cubes(5 - tube), 1000)
    assert 900 < len(faces) < 1100
    assert inspect(faces).watertight and inspect(faces).manifold
    assert solid_volume(vertices, faces) == pytest.approx(2 * np.pi**2 * 12 * 25, rel=0.03)


@pytest.mark.parametrize("hollow", [0, 0.25])
def test_the_surface_of_a_ball_stands_where_it_is(hollow):
    surface = surface_of(ball_world(96, hollow), resolution=64, faces=4000)
    distance = np.linalg.norm(surface.vertices - CENTER, axis=1)
    near = np.abs(distance[:, None] - [RADIUS, hollow or RADIUS]).min(1)
    assert near.mean() < 0.15 * 2 * RADIUS / 64 and near.max() < 2.5 * RADIUS / 32
    assert face_parts(surface.faces).max() == (1 if hollow else 0)
    volume = 4 / 3 * np.pi * (RADIUS**3 - hollow**3)
    assert solid_volume(surface.vertices, surface.faces) == pytest.approx(volume, rel=0.03)


def test_a_grid_keeps_rays_and_depths():
    world = ball_world(48)
    camera = Camera.from_K(world.K, world.width, world.height)
    depth = clean_depths(world.points, world.valid)
    grid = fit_grid(depth, camera, 40)
    assert np.prod(grid.shape) < 1.6 * 46**3
    index = np.random.default_rng(0).uniform(0, 40, (50, 3))
    points = grid.to_camera(index)
    slopes = grid.origin[:2] + index[:, :2] * grid.step
    assert np.allclose(camera.project(points), slopes * (camera.fx, camera.fy) + (camera.cx, camera.cy), atol=1e-3)
    assert np.allclose(grid.depth_index(points[:, 2]), index[:, 2], atol=1e-3)
    rays = depths_on_rays(depth, camera, grid)
    inside = ~np.isnan(rays[0])
    assert 0.9 * grid.shape[0] * grid.shape[1] > inside.sum() / 9 > 0.4 * grid.shape[0] * grid.shape[1]
    enter, leave = solid_intervals(rays)
    assert (leave[0][inside] > enter[0][inside]).all()


def test_single_holes_and_lost_layers_are_closed():
    depth = np.stack([np.full((5, 5), 2.0), np.full((5, 5), 3.0)])
    depth[:, 2, 2] = 0
    depth[1, 1, 3] = 0
    world = world_of_depths(depth, 50)
    cleaned = clean_depths(world.points, world.valid)
    assert np.allclose(cleaned, np.array([2, 3])[:, None, None], rtol=1e-6)


def test_crossing_and_repeated_layers_are_put_in_order():
    depth = np.array([3.0, 2.0, 2.0, 4.0])[:, None, None] * np.ones((4, 3, 3))
    world = world_of_depths(depth, 50)
    cleaned = clean_depths(world.points, world.valid)
    assert np.allclose(cleaned[:, 1, 1], [2, 3, 4])


def test_one_layer_becomes_a_thin_sheet_that_does_not_bridge_steps():
    depth = np.full((1, 40, 40), 2.0)
    depth[:, :, 20:] = 4.0
    surface = surface_of(world_of_depths(depth, 50), resolution=48, faces=5000)
    z = surface.vertices[:, 2]
    assert face_parts(surface.faces).max() == 1
    assert ((z > 2.4) & (z < 3.9)).sum() == 0
