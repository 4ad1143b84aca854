"""A new world stands on the ground, beside what is there."""

import bpy
import numpy as np
import pytest
from mathutils import Vector


@pytest.fixture
def placement(submodule):
    return submodule("worldtracing_addon.scene.placement")


LOW, HIGH = (-0.5, 2, -0.5), (0.5, 3, 0.5)  # a world one unit wide and high, two units before its eye


def add_box(low, high):
    corners = [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    mesh = bpy.data.meshes.new("box")
    mesh.from_pydata(corners, [], [])
    part = bpy.data.objects.new("box", mesh)
    bpy.context.scene.collection.objects.link(part)
    bpy.context.view_layer.update()
    return part


def test_alone_it_is_centered_on_the_ground(placement):
    assert placement.ground_location(bpy.context.scene, LOW, HIGH) == Vector((0, -2.5, 0.5))


@pytest.mark.parametrize(
    ("low", "high"),
    [((-100, -100, 0), (100, 100, 0)), ((-50, -50, -1), (50, 50, 50)), ((3, -1, 0), (4, 1, 2))],
    ids=["ground plane", "surrounding room", "beside"],
)
def test_what_is_not_in_the_way_does_not_move_it(placement, low, high):
    add_box(low, high)
    assert placement.ground_location(bpy.context.scene, LOW, HIGH).x == 0


def test_it_stands_to_the_right_of_the_default_cube_and_of_its_neighbor(placement):
    add_box((-1, -1, -1), (1, 1, 1))
    first = placement.ground_location(bpy.context.scene, LOW, HIGH).x
    assert first - 0.5 > 1
    add_box((first - 0.5, 0, 0), (first + 0.5, 1, 1))
    assert placement.ground_location(bpy.context.scene, LOW, HIGH).x - 0.5 > first + 0.5


def test_something_between_the_eye_and_the_world_counts(placement):
    add_box((-0.1, -1.5, 0.4), (0.1, -1.4, 0.6))
    assert placement.ground_location(bpy.context.scene, LOW, HIGH).x > 0.5


def test_what_the_picture_shows_beside_the_world_counts(placement):
    add_box((-2, -1, 0), (-1, 1, 2))
    assert placement.ground_location(bpy.context.scene, LOW, HIGH).x == 0
    assert placement.ground_location(bpy.context.scene, LOW, HIGH, (-1.5, 1.5)).x > 0.5


def test_hidden_and_endless_obstacles_do_not_count(placement):
    add_box((-1, -1, -1), (1, 1, 1)).hide_render = True
    add_box((-1, -1, -1), (500, 1, 1))
    location = placement.ground_location(bpy.context.scene, LOW, HIGH)
    assert np.allclose(location, (0, -2.5, 0.5))
