"""All layers as one object, as a point cloud, and a group of an older version in a file that is opened."""

from pathlib import Path

import bpy
import numpy as np
import pytest

OLD_FILE = Path(__file__).resolve().parents[1] / "data" / "layers_v1.blend"


def make(modules, **options):
    """A toy world, and what was built of it."""
    world = modules.world(64, 48, **options)
    return world, modules.show(world, "cat")


def value(modules, part, name):
    """An input of a part's modifier."""
    return modules.compat.get_modifier_input(modules.worlds.layer_modifier(part), name)


def values(geometry, name, field, width=1):
    rows = np.empty((len(geometry.attributes[name].data), width), np.float32)
    geometry.attributes[name].data.foreach_get(field, rows.reshape(-1))
    return rows


def evaluated_mesh(part):
    """Of a part shown as a surface."""
    return part.evaluated_get(bpy.context.evaluated_depsgraph_get()).data


def test_the_merged_object_has_every_point_and_its_layer(scene_modules):
    world, objects = make(scene_modules, layers=3)
    scene_modules.worlds.set_layer_inputs(objects, Point_Radius=2.0, Color_Source="Layer")
    part = scene_modules.api.merge_layers(objects)
    assert part == objects.merged and part.parent == objects.root
    assert [int(n) for n in np.bincount(values(part.data, "wt_layer", "value")[:, 0].astype(int))] == [
        int(layer.sum()) for layer in world.valid
    ]
    points = np.concatenate([world.points[layer][world.valid[layer]] for layer in range(3)])
    np.testing.assert_array_equal(values(part.data, "position", "vector", 3)[:, 1], points[:, 2])
    assert value(scene_modules, part, "Point Radius") == 2.0 and value(scene_modules, part, "Color Source") == "Layer"
    assert all(layer.hide_viewport and layer.hide_render for layer in objects.layers)


def test_its_surface_is_that_of_the_layers_one_by_one(scene_modules):
    world, objects = make(scene_modules, layers=3)
    scene_modules.worlds.set_layer_inputs(objects, Display="Surface")
    alone = [evaluated_mesh(layer) for layer in objects.layers]
    expected = {"faces": sum(len(mesh.polygons) for mesh in alone), "corners": sum(len(m.vertices) for m in alone)}
    mesh = evaluated_mesh(scene_modules.api.merge_layers(objects))
    assert {"faces": len(mesh.polygons), "corners": len(mesh.vertices)} == expected
    assert expected["faces"] == world.valid.sum()
    assert mesh.color_attributes.active_color_name == "wt_color"
    counted = np.bincount(values(mesh, "wt_layer", "value")[:, 0].astype(int))
    np.testing.assert_array_equal(counted, world.valid.sum((1, 2)))
    scene_modules.worlds.set_layer_inputs(objects, **{"Layer Cut-Off": 1})
    assert len(evaluated_mesh(objects.merged).polygons) == world.valid[0].sum()


def test_a_retrace_renews_it_and_separating_shows_the_layers_again(scene_modules):
    _, objects = make(scene_modules, layers=3)
    scene_modules.api.merge_layers(objects)
    scene_modules.worlds.set_layer_inputs(objects, Display="Surface")
    world, _ = make(scene_modules, layers=4, seed=3)
    assert len(objects.merged.data.vertices) == world.valid.sum()
    assert value(scene_modules, objects.merged, "Display") == "Surface"
    assert len(objects.layers) == 4 and all(layer.hide_render for layer in objects.layers)
    scene_modules.api.separate_layers(objects)
    assert objects.merged is None and not any(layer.hide_render or layer.hide_viewport for layer in objects.layers)
    assert not [mesh for mesh in bpy.data.meshes if mesh.users == 0]
    scene_modules.api.separate_layers(objects)  # nothing is left to do


def test_it_is_removed_with_its_world(scene_modules):
    _, objects = make(scene_modules)
    scene_modules.api.merge_layers(objects)
    scene_modules.api.remove_world(objects)
    assert not bpy.data.objects and not bpy.data.meshes


def test_merging_is_one_undo_step(scene_modules):
    scene = bpy.context.scene.name
    make(scene_modules)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.wt.merge_layers()
    bpy.ops.ed.undo_push(message="merged")  # what the window does for an operator with UNDO
    assert scene_modules.worlds.worlds(bpy.data.scenes[scene])[0].merged
    bpy.ops.ed.undo()
    (world,) = scene_modules.worlds.worlds(bpy.data.scenes[scene])
    assert world.merged is None and not any(layer.hide_render for layer in world.layers)
    bpy.ops.ed.redo()
    assert world.merged and all(layer.hide_render for layer in world.layers)
    assert bpy.ops.wt.separate_layers() == {"FINISHED"} and world.merged is None


def test_a_failed_merge_leaves_nothing(scene_modules, monkeypatch):
    _, objects = make(scene_modules)
    before = [len(bpy.data.objects), len(bpy.data.meshes)]
    monkeypatch.setattr(scene_modules.compat, "set_modifier_input", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scene_modules.api.merge_layers(objects)
    assert [len(bpy.data.objects), len(bpy.data.meshes)] == before
    assert not any(layer.hide_render for layer in objects.layers)


def test_a_world_whose_layers_were_deleted(scene_modules):
    _, objects = make(scene_modules)
    objects.layers[0].modifiers.clear()
    assert scene_modules.api.make_point_cloud(objects), "the other layer still tells the radius"
    bpy.data.batch_remove(objects.layers)
    for function in (scene_modules.api.merge_layers, scene_modules.api.make_point_cloud):
        with pytest.raises(scene_modules.errors.WorldTracingError) as caught:
            function(objects)
        assert caught.value.code == "WT-SCENE-EMPTY"
    with pytest.raises(RuntimeError, match="WT-SCENE-EMPTY"):
        bpy.ops.wt.merge_layers()


def test_a_real_point_cloud_survives_saving(scene_modules, tmp_path):
    world, objects = make(scene_modules, layers=2)
    before = len(bpy.data.objects)
    part = scene_modules.api.make_point_cloud(objects)
    assert part.type == "POINTCLOUD" and len(bpy.data.objects) == before + 1
    assert part.name in objects.sub_collection("objects").objects and part.parent == objects.root
    name = part.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "cloud.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "cloud.blend"))
    cloud = bpy.data.objects[name].data
    assert len(cloud.points) == world.valid.sum() and cloud.materials[0].name == "World Tracing Unlit"
    depth = np.concatenate([world.points[layer][world.valid[layer]][:, 2] for layer in range(2)])
    np.testing.assert_array_equal(values(cloud, "position", "vector", 3)[:, 1], depth)
    np.testing.assert_allclose(values(cloud, "radius", "value")[:, 0], 0.75 * depth / world.K[0, 0], rtol=1e-5)
    srgb = np.rint(255 * values(cloud, "wt_color", "color_srgb", 4)[:, :3])
    np.testing.assert_array_equal(srgb[: world.valid[0].sum()], world.rgb[world.valid[0]])


def test_a_group_of_an_older_version_is_renewed_when_its_file_is_opened(scene_modules, tmp_path):
    """The file was saved by version 0.1.0 with the group's version 1, in Blender 4.2."""
    bpy.ops.wm.open_mainfile(filepath=str(OLD_FILE))
    (world,) = scene_modules.worlds.worlds(bpy.context.scene)
    assert {group["wt_version"] for group in bpy.data.node_groups} == {scene_modules.layer_group.VERSION}
    assert len(bpy.data.node_groups) == 2
    for part in world.layers:
        kept = {name: value(scene_modules, part, name) for name in ("Display", "Point Radius", "Color Source", "Width")}
        assert kept == {"Display": "Surface", "Point Radius": 2.0, "Color Source": "Depth", "Width": 24}
        assert len(evaluated_mesh(part).polygons) == len(part.data.vertices) > 0
    assert scene_modules.api.merge_layers(world)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "new.blend"))
    before = [group.name for group in bpy.data.node_groups]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "new.blend"))
    assert [group.name for group in bpy.data.node_groups] == before


def test_inputs_keep_the_numbers_that_animation_finds_them_by(scene_modules):
    with bpy.data.libraries.load(str(OLD_FILE)) as (source, target):
        target.node_groups = list(source.node_groups)
    (old,) = (group for group in bpy.data.node_groups if group["wt_group"] == scene_modules.layer_group.NAME)
    before = [(item.name, item.identifier) for item in old.interface.items_tree if item.item_type == "SOCKET"]
    make(scene_modules)
    (new,) = (group for group in bpy.data.node_groups if group["wt_group"] == scene_modules.layer_group.NAME)
    after = [(item.name, item.identifier) for item in new.interface.items_tree if item.item_type == "SOCKET"]
    assert set(before) <= set(after)


def test_a_group_of_a_newer_version_is_left_alone(scene_modules, tmp_path):
    _, objects = make(scene_modules)
    for group in bpy.data.node_groups:
        group["wt_version"] = scene_modules.layer_group.VERSION + 1
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "newer.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "newer.blend"))
    group = scene_modules.worlds.layer_modifier(objects.layers[0]).node_group
    assert group["wt_version"] == scene_modules.layer_group.VERSION + 1
