"""Worlds of which Blender does not keep the places: new ones, switched off, hidden, or in another scene."""

import bpy
import numpy as np
import pytest
from editing_world import BALL, room
from mathutils import Vector


@pytest.fixture
def set_shown(submodule):
    return submodule("worldtracing_addon.scene.visibility").set_shown


def lowest(world):
    return min((world.root.matrix_basis @ point.co).z for layer in world.layers for point in layer.data.vertices)


def set_length(api, world, length):
    """Set the distance of two points, where they are by the root's own transform."""
    points = world.layers[0].data.vertices
    return api.set_scale(world, *(world.root.matrix_basis @ points[index].co for index in (0, 100)), length)


def test_a_world_that_a_batch_has_just_switched_off_is_scaled_where_it_stands(scene_modules, set_shown):
    scene_modules.make("first.png")
    world = scene_modules.make("second.png")
    set_shown(world, False)
    assert world.root.matrix_world.translation.length == 0 < world.root.location.x, "else there is nothing to test"
    before = world.root.location.copy()
    set_length(scene_modules.api, world, 2.5)
    assert world.root["wt_scale_length"] == pytest.approx(2.5, rel=1e-4)
    assert world.root.location.x == pytest.approx(before.x) and lowest(world) == pytest.approx(0, abs=1e-4)


def test_a_world_in_another_scene_is_scaled_and_removed_there(scene_modules):
    other = bpy.data.scenes.new("other")
    world = scene_modules.build.build_world(other, scene_modules.world(), name="cat.png", photo=None, source="")
    guest = bpy.data.objects.new("guest", None)
    other.collection.objects.link(guest)
    guest.parent = world.root
    world.root.location = (5, 6, 7)
    set_length(scene_modules.api, world, 1.5)
    assert world.root["wt_scale_length"] == pytest.approx(1.5, rel=1e-4)
    place = world.root.location.copy()
    scene_modules.api.remove_world(world)
    assert list(other.objects) == [guest] and (guest.location - place).length < 1e-5


def test_coverage_counts_hidden_layers_where_they_are_rendered(scene_modules):
    world = scene_modules.make()
    bpy.context.view_layer.update()
    before = scene_modules.api.view_coverage(world, world.camera)
    for layer in world.layers:
        layer.hide_viewport = True
    world.root.location.x += 50
    bpy.context.view_layer.update()
    assert before > 0.5 and scene_modules.api.view_coverage(world, world.camera) == pytest.approx(before, abs=1e-3)


def test_an_object_moves_as_far_in_a_world_that_is_switched_off(scene_modules, submodule, set_shown):
    picture, owners = room()
    world_class = submodule("backend.worldtracing.world").LayeredWorld
    traced = world_class(picture.points, picture.valid, picture.rgb, picture.K, "metric", metadata={"mode": "scene"})
    row, column = np.argwhere(owners[0] == BALL).mean(0)
    scene_modules.show(traced, "first.png")
    world = scene_modules.show(traced, "second.png")
    set_shown(world, False)
    item = scene_modules.api.lift_object(world, [scene_modules.api.Click(column, row)])
    place = world.root.matrix_basis @ item.location
    scene_modules.api.run_command(world, f"move the {item.name} right 0.5 m")
    moved = world.root.matrix_basis @ item.matrix_parent_inverse @ item.location - place
    assert (moved - Vector((0.5, 0, 0))).length < 0.01
