"""Supports are found where they are, and what is no support is not."""

import numpy as np
import pytest
from editing_world import BALL, CRATE, CUP, EYE_HEIGHT, FLOOR, PITCH, TABLE, WALL, WALL_DISTANCE, room

from worldtracing.editing import find_planes, ground_alignment
from worldtracing.editing.base import Plane, front_points
from worldtracing.editing.normals import surface_normals
from worldtracing.editing.planes import support_map
from worldtracing.world import LayeredWorld

UP = np.array([0, -np.cos(PITCH), -np.sin(PITCH)])


@pytest.fixture(scope="module")
def scene():
    return room()


def with_depth_noise(world, relative):
    noise = 1 + relative * np.random.default_rng(0).standard_normal(world.valid.shape).astype(np.float32)
    return LayeredWorld(world.points * noise[..., None], world.valid, world.rgb, world.K, world.scale)


def test_floor_wall_and_table_are_found_where_they_are(scene):
    planes = {plane.kind: plane for plane in find_planes(scene[0])[::-1]}
    assert planes.keys() == {"floor", "wall", "table"}
    assert planes["floor"].normal @ UP == pytest.approx(1, abs=1e-4)
    assert planes["floor"].offset == pytest.approx(-EYE_HEIGHT, abs=0.01)
    assert planes["wall"].offset == pytest.approx(-WALL_DISTANCE, abs=0.01)
    assert planes["table"].offset == pytest.approx(-0.75, abs=0.01)


def test_two_tables_of_nearly_one_height_stay_two(scene):
    offsets = sorted(plane.offset for plane in find_planes(scene[0]) if plane.kind == "table")
    assert offsets == pytest.approx([-0.75, -0.7], abs=0.01)  # the crate's top is one too


def test_the_supports_points_are_the_floors_and_walls(scene):
    world, owners = scene
    planes = find_planes(world)
    points, seen = front_points(world)
    support = support_map(planes, points, seen, surface_normals(points, seen))
    bounds = np.isin(support, [k for k, plane in enumerate(planes) if plane.kind != "table"])
    assert np.mean(bounds[np.isin(owners[0], (FLOOR, WALL))]) > 0.97
    assert np.mean(bounds[np.isin(owners[0], (BALL, CRATE, TABLE, CUP))]) < 0.01


def test_noisy_depth_still_gives_floor_and_wall(scene):
    planes = find_planes(with_depth_noise(scene[0], 0.005))
    assert {"floor", "wall"} <= {plane.kind for plane in planes}
    floor = next(plane for plane in planes if plane.kind == "floor")
    assert floor.normal @ UP > np.cos(np.radians(3))
    assert floor.offset == pytest.approx(-EYE_HEIGHT, rel=0.03)


def test_the_trace_of_one_object_has_no_supports(scene):
    world = scene[0]
    alone = LayeredWorld(world.points, world.valid, world.rgb, world.K, world.scale, metadata={"mode": "object"})
    assert find_planes(alone) == ()


def test_planes_are_the_same_every_time(scene):
    first, second = find_planes(scene[0]), find_planes(scene[0])
    assert all(np.array_equal(a.normal, b.normal) and a.offset == b.offset for a, b in zip(first, second, strict=True))


def test_the_ground_is_level_at_zero_after_alignment(scene):
    world, owners = scene
    floor = next(plane for plane in find_planes(world) if plane.kind == "floor")
    matrix = ground_alignment(floor)
    assert matrix[:3, :3] @ matrix[:3, :3].T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)
    ground = world.points[owners == FLOOR] @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.abs(ground[:, 2]).max() < 0.01
    assert matrix[:3, 3] == pytest.approx([0, 0, EYE_HEIGHT], abs=0.01)  # the camera stands over the origin
    ahead = matrix[:3, :3] @ [0, 0, 1]
    assert ahead[0] == pytest.approx(0, abs=1e-9)
    assert ahead[1] > 0.9


def test_a_camera_that_looks_straight_down_has_an_alignment_too():
    matrix = ground_alignment(Plane(np.array([0.0, 0.0, -1.0]), -2.0))
    assert matrix[:3, :3] @ [0, -1, 0] == pytest.approx([0, 1, 0])  # the picture's top is ahead
    assert matrix[:3, 3] == pytest.approx([0, 0, 2])


def test_normals_face_the_camera_and_do_not_mix_at_depth_jumps(scene):
    world, owners = scene
    points, seen = front_points(world)
    normals = surface_normals(points, seen)
    floor = owners[0] == FLOOR
    assert np.mean(normals[floor] @ UP > 0.999) > 0.97
    assert (np.einsum("ijk,ijk->ij", normals, points) <= 0).all()
    assert (surface_normals(points, np.zeros_like(seen)) == 0).all()
