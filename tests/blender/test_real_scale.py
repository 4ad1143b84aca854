"""Real lengths: the world is scaled about its feet, what the camera sees stays, other seeds keep the length."""

from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Vector
from toy_world import make_world


@pytest.fixture
def make(submodule):
    """Build a toy world whose depths are scaled by a factor, in the place of the one before."""
    build = submodule("worldtracing_addon.scene.build").build_world
    keep = submodule("worldtracing_addon.scene.scale").keep_scale
    kind = submodule("backend.worldtracing.world").LayeredWorld

    def make(factor=1.0, **options):
        toy = make_world(kind, **options)
        scaled = kind(toy.points * np.float32(factor), toy.valid, toy.rgb, toy.K, "relative")
        world = build(bpy.context.scene, scaled, name="toy", photo=None, source="")
        keep(world)
        bpy.context.view_layer.update()
        return world

    return make


def two_points(world):
    """The same two places of the picture, in the scene."""
    layer = world.layers[0]
    pixels = np.empty(len(layer.data.vertices) * 2, np.float32)
    layer.data.attributes["wt_pixel"].data.foreach_get("vector", pixels)
    size = np.array(world.root["wt_size"].to_list())
    for place in ((0.3, 0.5), (0.7, 0.4)):
        index = np.linalg.norm(pixels.reshape(-1, 2) / size - place, axis=1).argmin()
        yield layer.matrix_world @ layer.data.vertices[int(index)].co


def distance(world):
    a, b = two_points(world)
    return (b - a).length


def lowest(world):
    return min((layer.matrix_world @ vertex.co).z for layer in world.layers for vertex in layer.data.vertices)


def test_the_length_is_what_was_asked_for_and_the_feet_stay(api, make):
    world = make()
    feet = lowest(world)
    a, b = two_points(world)
    factor = api.set_scale(world, a, b, 2.5)
    bpy.context.view_layer.update()
    assert distance(world) == pytest.approx(2.5, rel=1e-5) and factor == pytest.approx(2.5 / (b - a).length)
    assert lowest(world) == pytest.approx(feet, abs=1e-5)
    assert tuple(world.root.scale) == pytest.approx((factor,) * 3)


def test_a_turned_and_parented_world(api, make):
    world = make()
    parent = bpy.data.objects.new("parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.location, parent.rotation_euler, parent.scale = (3, 1, 2), (0.3, 0.2, 1), (2, 2, 2)
    world.root.parent = parent
    world.root.rotation_euler = (0.1, 0, 2)
    bpy.context.view_layer.update()
    feet = lowest(world)
    api.set_scale(world, *two_points(world), 0.7)
    bpy.context.view_layer.update()
    assert distance(world) == pytest.approx(0.7, rel=1e-4) and lowest(world) == pytest.approx(feet, abs=1e-5)


def test_another_guess_of_another_scale_and_size_keeps_the_length(api, make):
    world = make()
    api.set_scale(world, *two_points(world), 2.5)
    again = make(factor=7.0, width=192, height=144)
    assert again.id == world.id and distance(again) == pytest.approx(2.5, rel=0.03)


@pytest.fixture
def viewport(submodule, make):
    """A real 3D viewport, and clicks into it."""
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    make()
    area = next(area for area in bpy.context.window.screen.areas if area.type == "VIEW_3D")
    with bpy.context.temp_override(area=area):
        return area, submodule("worldtracing_addon.ops.viewport").ViewportClicks(bpy.context, "Click")


def at(area, x=0.5, y=0.5):
    return SimpleNamespace(mouse_x=area.x + int(area.width * x), mouse_y=area.y + int(area.height * y))


def test_only_clicks_into_the_viewport_itself_are_taken(viewport):
    area, clicks = viewport
    assert clicks.region(at(area)).type == "WINDOW"
    others = [other for other in bpy.context.window.screen.areas if other != area]
    assert others and all(clicks.region(at(other)) is None for other in others), "other editors stay usable"
    assert clicks.region(at(area, y=0.999)) is None, "the header"


@pytest.mark.parametrize("close", [
    lambda area: setattr(area, "type", "IMAGE_EDITOR"),
    lambda area: bpy.ops.wm.read_homefile(use_factory_startup=True),
])  # fmt: skip
def test_a_viewport_that_is_closed_while_points_are_clicked(viewport, submodule, close):
    area, clicks = viewport
    overlay = submodule("worldtracing_addon.ui.overlay").LineOverlay(area)
    overlay.show(Vector((0, 0, 0)), None)
    place = at(area)
    close(area)
    assert clicks.region(place) is None
    overlay.show(Vector((0, 0, 0)), None)
    overlay.remove()


def test_a_root_that_was_scaled_by_hand_is_left_alone(api, make):
    world = make()
    api.set_scale(world, *two_points(world), 2.5)
    world.root.scale = (9, 9, 9)
    assert tuple(make(factor=7.0).root.scale) == (9, 9, 9)
    assert "wt_scale_length" not in world.root


def test_the_camera_sees_what_it_saw(api, make):
    from bpy_extras.object_utils import world_to_camera_view

    world = make()
    scene = bpy.context.scene
    before = [tuple(world_to_camera_view(scene, world.camera, point))[:2] for point in two_points(world)]
    api.set_scale(world, *two_points(world), 40)
    bpy.context.view_layer.update()
    after = [tuple(world_to_camera_view(scene, world.camera, point))[:2] for point in two_points(world)]
    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize("length", [0.0, -1.0, float("nan")])
def test_impossible_lengths(api, errors, make, length):
    world = make()
    with pytest.raises(errors.WorldTracingError) as caught:
        api.set_scale(world, *two_points(world), length)
    assert caught.value.code == "WT-SCENE-SCALE"


def test_one_point_has_no_length(api, errors, make):
    world = make()
    point = Vector((1, 1, 1))
    with pytest.raises(errors.WorldTracingError) as caught:
        api.set_scale(world, point, point, 1)
    assert caught.value.code == "WT-SCENE-SCALE"


def test_the_operator_is_one_step_and_tells_when_there_is_nothing(make):
    with pytest.raises(RuntimeError, match="WT-SCENE-SCALE"):
        bpy.ops.wt.set_scale(point_a=(0, 0, 0), point_b=(1, 0, 0), length=1)
    world = make()
    a, b = two_points(world)
    assert bpy.ops.wt.set_scale(point_a=a, point_b=b, length=3) == {"FINISHED"}
    bpy.context.view_layer.update()
    assert distance(world) == pytest.approx(3, rel=1e-4)
