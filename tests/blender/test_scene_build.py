"""A world enters the scene wholly and once, is saved, undone and removed."""

import bpy
import numpy as np
import pytest
from scene_help import census, photo_file


def test_collections_and_parts(scene_modules):
    objects = scene_modules.make()
    top = bpy.context.scene.collection.children["World Tracing"]
    collection = top.children["cat.png"]
    assert {child.name for child in collection.children} == {"Layers", "Objects", "Camera"}
    assert collection == objects.collection and objects.name == "cat.png"
    assert {child.color_tag for child in collection.children} != {"NONE"}
    assert objects.root.type == "EMPTY" and objects.root.name in collection.objects
    assert [layer.parent for layer in objects.layers] == [objects.root] * 2
    assert objects.camera.parent == objects.root
    assert bpy.context.scene.camera == objects.camera


def test_vertices_are_the_valid_points_with_their_attributes(scene_modules):
    world = scene_modules.world(layers=3)
    objects = scene_modules.build.build_world(bpy.context.scene, world, name="a", photo=None, source="")
    for layer, part in enumerate(objects.layers):
        mesh, valid = part.data, world.valid[layer]
        count = int(valid.sum())
        assert len(mesh.vertices) == count < valid.size

        def read(name, field, width, mesh=mesh, count=count):
            values = np.empty(count * width, np.float32)
            mesh.attributes[name].data.foreach_get(field, values)
            return values.reshape(count, width)

        x, y, z = world.points[layer][valid].T
        np.testing.assert_array_equal(read("position", "vector", 3), np.stack([x, z, -y], -1))
        rows, columns = np.nonzero(valid)
        np.testing.assert_array_equal(read("wt_pixel", "vector", 2), np.stack([columns + 0.5, rows + 0.5], -1))
        srgb = np.rint(255 * read("wt_color", "color_srgb", 4)[:, :3])
        np.testing.assert_array_equal(srgb, world.rgb[valid])
        assert {item.value for item in mesh.attributes["wt_layer"].data} == {layer}
        assert (read("wt_confidence", "value", 1) == 1).all()


def test_a_layer_without_points_gets_no_object(scene_modules, submodule):
    world = scene_modules.world(layers=3)
    valid = world.valid.copy()
    valid[1] = False
    world = type(world)(world.points, valid, world.rgb, world.K, world.scale)
    objects = scene_modules.build.build_world(bpy.context.scene, world, name="a", photo=None, source="")
    assert [part["wt_layer"] for part in objects.layers] == [0, 2]


def test_a_world_without_points_is_refused(scene_modules):
    world = scene_modules.world()
    empty = type(world)(world.points, np.zeros_like(world.valid), world.rgb, world.K, world.scale)
    before = census()
    with pytest.raises(scene_modules.errors.WorldTracingError) as caught:
        scene_modules.build.build_world(bpy.context.scene, empty, name="a", photo=None, source="")
    assert caught.value.code == "WT-SCENE-EMPTY" and census() == before


def test_root_tells_where_the_world_comes_from(scene_modules):
    root = scene_modules.make(seed=7).root
    assert (root["wt_engine"], root["wt_model"], root["wt_seed"], root["wt_mode"]) == ("toy", "ball", "7", "object")
    assert (root["wt_file"], root["wt_scale"], root["wt_format_version"]) == ("/tmp/cat.safetensors", "relative", 1)
    np.testing.assert_array_equal(np.reshape(root["wt_K"], (3, 3)), scene_modules.world().K)


def test_the_largest_seed_is_kept(scene_modules):
    assert scene_modules.make(seed=2**32 - 1).root["wt_seed"] == "4294967295"


def test_a_new_world_stands_on_the_ground(scene_modules):
    objects = scene_modules.make()
    bpy.context.view_layer.update()
    corners = np.concatenate([np.array([p.matrix_world @ v.co for v in p.data.vertices]) for p in objects.layers])
    np.testing.assert_allclose(corners.min(0)[2], 0, atol=1e-6)
    np.testing.assert_allclose(corners.min(0)[:2] + corners.max(0)[:2], 0, atol=1e-5)


def test_worlds_share_group_and_materials(scene_modules):
    scene_modules.make(name="a")
    shared = census()
    scene_modules.make(name="b")
    now = census()
    assert (now["node_groups"], now["materials"]) == (shared["node_groups"], shared["materials"]) == (2, 2)


def test_a_deleted_scene_leaves_no_world(scene_modules):
    scene = bpy.data.scenes.new("short-lived")
    objects = scene_modules.build.build_world(scene, scene_modules.world(), name="a", photo=None, source="")
    bpy.data.scenes.remove(scene)
    bpy.data.batch_remove([*bpy.data.objects, *bpy.data.collections])
    assert objects.scene is None and objects.root is None and objects.layers == []
    scene_modules.build.remove_world(objects)


def test_removing_a_world_keeps_what_the_artist_added(scene_modules):
    before = census()
    objects = scene_modules.make()
    other = scene_modules.make(name="dog.png")
    guest = bpy.data.objects.new("my lamp", None)
    objects.sub_collection("objects").objects.link(guest)
    guest.parent = objects.root
    bpy.context.view_layer.update()
    place = guest.matrix_world.copy()
    scene_modules.build.remove_world(objects)
    assert scene_modules.worlds.worlds(bpy.context.scene) == [other]
    assert guest.name in bpy.context.scene.collection.objects and guest.matrix_world == place
    scene_modules.build.remove_world(other)
    shared = {"objects": 1, "materials": 2, "node_groups": 2}  # the guest, and what worlds share
    assert census() == {kind: count + shared.get(kind, 0) for kind, count in before.items()}


def test_removing_a_world_keeps_copies_and_collections_of_the_artist(scene_modules):
    scene = bpy.context.scene
    objects = scene_modules.make()
    copy = objects.layers[0].copy()  # as Alt D; it carries the world's id as well
    objects.sub_collection("layers").objects.link(copy)
    mine, nested, elsewhere = (bpy.data.collections.new(name) for name in ("mine", "nested", "elsewhere"))
    objects.sub_collection("objects").children.link(mine)
    mine.children.link(nested)
    scene.collection.children.link(elsewhere)
    lamp, chair = (bpy.data.objects.new(name, None) for name in ("lamp", "chair"))
    nested.objects.link(lamp)
    for home in (objects.collection, elsewhere):
        home.objects.link(chair)
    chair.parent = objects.root
    objects.root.location.x += 5
    bpy.context.view_layer.update()
    places = {part: part.matrix_world.copy() for part in (copy, chair)}

    scene_modules.build.remove_world(objects)
    assert set(scene.collection.children) == {mine, elsewhere} and set(mine.children) == {nested}
    assert set(scene.collection.objects) == {copy} and set(nested.objects) == {lamp}
    assert set(elsewhere.objects) == {chair}
    bpy.context.view_layer.update()
    assert all(part.matrix_world == place for part, place in places.items())
    assert "wt_world" not in copy and len(copy.data.vertices) > 0
    scene_modules.build.remove_world(objects)  # nothing is left to do
    assert set(scene.objects) == {copy, lamp, chair}


def test_a_group_of_another_version_is_replaced_and_keeps_its_values(scene_modules, monkeypatch):
    objects = scene_modules.make(name="old")
    scene_modules.worlds.set_layer_inputs(objects, Display="Surface", Point_Radius=2.0)
    old = scene_modules.worlds.layer_modifier(objects.layers[0]).node_group
    for group in bpy.data.node_groups:
        group["wt_version"] = 0
    old.name = "older"
    scene_modules.make(name="new")
    modifier = scene_modules.worlds.layer_modifier(objects.layers[0])
    assert modifier.node_group["wt_version"] == scene_modules.layer_group.VERSION
    assert scene_modules.compat.get_modifier_input(modifier, "Display") == "Surface"
    assert scene_modules.compat.get_modifier_input(modifier, "Point Radius") == 2.0
    assert len(bpy.data.node_groups) == 2


def test_saved_file_opens_with_everything(scene_modules, tmp_path):
    photo = photo_file(tmp_path / "photos")
    objects = scene_modules.make(photo=photo)
    scene_modules.worlds.set_layer_inputs(objects, Display="Surface", Color_Source="Layer")
    points = [len(part.data.vertices) for part in objects.layers]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    (tmp_path / "photos" / "cat.png").unlink()
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))

    assert [len(part.data.vertices) for part in objects.layers] == points
    modifier = scene_modules.worlds.layer_modifier(objects.layers[1])
    assert scene_modules.compat.get_modifier_input(modifier, "Display") == "Surface"
    assert scene_modules.compat.get_modifier_input(modifier, "Color Source") == "Layer"
    assert {material.name for material in bpy.data.materials} == {"World Tracing Unlit", "World Tracing Lit"}
    background = objects.camera.data.background_images[0].image
    assert background.packed_file and tuple(background.size) == (96, 72)
    assert scene_modules.make(photo=background).id == objects.id


def test_undo_takes_the_world_back_and_redo_brings_it(scene_modules):
    scene = bpy.context.scene.name
    bpy.ops.ed.undo_push(message="before")
    scene_modules.make()
    bpy.ops.ed.undo_push(message="trace")
    bpy.ops.ed.undo()
    assert scene_modules.worlds.worlds(bpy.data.scenes[scene]) == []
    bpy.ops.ed.redo()
    (world,) = scene_modules.worlds.worlds(bpy.data.scenes[scene])
    assert len(world.layers) == 2 and scene_modules.make() == world
