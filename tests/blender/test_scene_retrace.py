"""A world that is traced again is renewed in its place, and what is the artist's stays."""

import bpy
import pytest
from scene_help import census, photo_file


def test_retracing_updates_in_place(scene_modules, tmp_path):
    photo = photo_file(tmp_path)
    first = scene_modules.make(photo=photo)
    first.root.location, first.root.scale = (1, 2, 3), (2, 2, 2)
    guest = bpy.data.objects.new("my lamp", None)
    first.sub_collection("objects").objects.link(guest)
    scene_modules.worlds.set_layer_inputs(first, Display="Surface", Point_Radius=1.5, Lit=True, Color_Source="Depth")
    before, counted = first.layers[0].data.name, census()

    second = scene_modules.make(photo=photo, seed=3, layers=2)
    assert second == first and census() == counted
    assert second.layers[0].data.name != before
    assert tuple(second.root.location) == (1, 2, 3) and tuple(second.root.scale) == (2, 2, 2)
    assert second.root["wt_seed"] == "3"
    assert guest.name in second.sub_collection("objects").objects
    modifier = scene_modules.worlds.layer_modifier(second.layers[1])
    kept = {n: scene_modules.compat.get_modifier_input(modifier, n) for n in ("Display", "Point Radius", "Lit")}
    assert kept == {"Display": "Surface", "Point Radius": 1.5, "Lit": True}
    assert scene_modules.compat.get_modifier_input(modifier, "Color Source") == "Depth"


def test_retracing_follows_another_number_of_layers_and_size(scene_modules):
    objects = scene_modules.make(layers=4)
    scene_modules.worlds.set_layer_inputs(objects, Display="Surface")
    scene_modules.make(layers=1)
    assert [part["wt_layer"] for part in objects.layers] == [0]
    scene_modules.make(layers=3, width=64, height=80)
    assert [part["wt_layer"] for part in objects.layers] == [0, 1, 2]
    for part in objects.layers:
        modifier = scene_modules.worlds.layer_modifier(part)
        assert scene_modules.compat.get_modifier_input(modifier, "Width") == 64
        assert scene_modules.compat.get_modifier_input(modifier, "Display") == "Surface"
    assert tuple(objects.camera["wt_frame"]) == (64, 80)


def test_retracing_restores_what_the_artist_deleted(scene_modules):
    objects = scene_modules.make()
    for part in (objects.camera, objects.layers[1]):
        bpy.data.objects.remove(part)
    bpy.data.collections.remove(objects.sub_collection("objects"))
    objects.layers[0].modifiers.clear()
    assert scene_modules.make() == objects
    assert objects.camera and len(objects.layers) == 2 and objects.sub_collection("objects")
    assert all(scene_modules.worlds.layer_modifier(part) for part in objects.layers)


def test_the_same_file_name_from_two_folders_is_two_worlds(scene_modules, tmp_path):
    photos = [photo_file(tmp_path / folder) for folder in ("one", "two")]
    first, second = (scene_modules.make(photo=photo) for photo in photos)
    assert first != second and first.name != second.name
    assert len(scene_modules.worlds.worlds(bpy.context.scene)) == 2
    assert scene_modules.make(photo=photos[1]) == second


@pytest.mark.parametrize("name", ["Katze im Schnee.png", "猫" * 40, "x" * 200, "a/b\nc", ""])
def test_any_name_works_and_is_found_again(scene_modules, name):
    objects = scene_modules.make(name=name)
    assert objects.root["wt_name"] == name
    assert objects.camera.name.endswith(" Camera") and objects.layers[1].name.endswith(" L2")
    counted = census()
    assert scene_modules.make(name=name) == objects and census() == counted


def test_renamed_and_moved_parts_are_still_found(scene_modules):
    objects = scene_modules.make()
    objects.collection.name, objects.layers[0].name = "something else", "renamed"
    part = objects.layers[0]
    bpy.context.scene.collection.objects.link(part)
    objects.sub_collection("layers").objects.unlink(part)
    assert scene_modules.make() == objects and len(objects.layers) == 2


def test_a_renamed_scene_still_has_its_world(scene_modules):
    objects = scene_modules.make()
    bpy.context.scene.name = "shot 12"
    bpy.data.scenes.new("Scene")
    assert objects.scene == bpy.context.scene and objects.root and len(objects.layers) == 2
    assert scene_modules.make() == objects


def test_retracing_leaves_copies_alone(scene_modules):
    objects = scene_modules.make()
    copy = objects.layers[0].copy()
    copy.data = copy.data.copy()
    objects.sub_collection("layers").objects.link(copy)
    kept = copy.data.name
    scene_modules.make(layers=1, width=64, height=64)
    assert len(objects.layers) == 1 and copy not in objects.layers and copy.data.name == kept
