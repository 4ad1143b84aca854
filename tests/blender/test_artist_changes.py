"""What an artist does to a world with Blender's own tools leads to no error but a sentence."""

import bpy
import numpy as np
import pytest
from editing_world import BALL, room
from mathutils import Vector
from scene_help import photo_file


@pytest.fixture
def rebuild(scene_modules, submodule):
    """Build the room; a second call traces it again."""
    picture, _ = room()
    world = submodule("backend.worldtracing.world").LayeredWorld(
        picture.points, picture.valid, picture.rgb, picture.K, picture.scale, metadata={"mode": "scene"}
    )
    return lambda: scene_modules.show(world, "room.png")


@pytest.fixture
def ball(scene_modules):
    """A click on the ball, in the traced picture."""
    row, column = np.argwhere(room()[1][0] == BALL).mean(0)
    return scene_modules.api.Click(column, row)


@pytest.fixture
def everything(scene_modules, submodule, rebuild, ball):
    """Does all that can be done with a world, and returns the codes of what was refused, by name."""

    def do(world):
        api, picking = scene_modules.api, submodule("worldtracing_addon.scene.picking")
        shown = world.root.world_tracing
        places = [world.root.matrix_world @ Vector((x, 3, 0)) for x in (0, 1)]
        actions = {
            "read": lambda: [getattr(shown, name) for name in ("display", "color_source", "point_radius", "lit")],
            "write": lambda: (setattr(shown, "display", "Surface"), setattr(shown, "point_radius", 1)),
            "find": lambda: api.find_objects(world),
            "lift": lambda: api.lift_object(world, [ball]),
            "pick": lambda: picking.pick_in_view(world, np.eye(4), (96, 96), (48, 48)),
            "rig": lambda: api.add_rig(world, "arc"),
            "merge": lambda: api.merge_layers(world),
            "cloud": lambda: api.make_point_cloud(world),
            "orbit": lambda: api.add_orbit_camera(bpy.context.scene, world, 10),
            "scale": lambda: api.set_scale(world, *places, 2),
            "retrace": rebuild,
            "put back": lambda: api.put_all_back(world),
            "remove": lambda: api.remove_world(world),
        }
        refused = {}
        for name, action in actions.items():
            try:
                action()
            except scene_modules.errors.WorldTracingError as error:
                refused[name] = error.code
        assert api.worlds(bpy.context.scene) == []
        return refused

    return do


@pytest.mark.parametrize("change", ["renamed", "removed", "cleared"])
def test_inputs_that_an_artist_takes_away_are_left_alone(scene_modules, rebuild, everything, change):
    world = rebuild()
    modifiers = [scene_modules.worlds.layer_modifier(layer) for layer in world.layers]
    interface = modifiers[0].node_group.interface
    for name in ("Display", "Color Source", "Point Radius", "Near", "UV Min", "Material"):
        socket = next(item for item in interface.items_tree if item.name == name)
        if change == "renamed":
            socket.name = f"My {name}"
        elif change == "removed":
            interface.remove(socket)
        elif not hasattr(modifiers[0], "properties"):  # from 5.2 on they cannot be
            for modifier in modifiers:
                del modifier[socket.identifier]
    assert everything(world) == {}


@pytest.mark.parametrize("kind", ["MESH", "POINTCLOUD"])
def test_a_layer_that_was_converted_is_the_artists(scene_modules, rebuild, everything, kind):
    if kind not in bpy.ops.object.convert.get_rna_type().properties["target"].enum_items:
        pytest.skip("this Blender cannot")
    world = rebuild()
    layer = world.layers[0]
    world.root.world_tracing.display = "Surface" if kind == "MESH" else "Points"
    with bpy.context.temp_override(selected_objects=[layer], selected_editable_objects=[layer], object=layer):
        bpy.context.view_layer.objects.active = layer
        layer.select_set(True)
        assert bpy.ops.object.convert(target=kind) == {"FINISHED"}
    assert layer not in world.point_layers and len(world.point_layers) > 0
    refused = everything(world)
    assert set(refused.values()) <= {"WT-SCENE-LIFTED", "WT-SCENE-PROMPT"}
    if kind == "POINTCLOUD":
        assert layer.name in bpy.context.scene.objects, "it could not become a layer again"


def test_a_lifted_object_that_was_converted_stays_and_the_layers_become_whole(scene_modules, rebuild, ball):
    api, world = scene_modules.api, rebuild()
    item = api.lift_object(world, [ball])
    count = len(item.data.vertices)
    item.modifiers.clear()
    item.data = bpy.data.meshes.new("sculpted")
    assert item in api.lifted_objects(world)
    for refused in (lambda: api.split_object(world, item, [ball]), lambda: api.make_mesh(item)):
        with pytest.raises(scene_modules.errors.WorldTracingError) as caught:
            refused()
        assert caught.value.code == "WT-SCENE-SELECT"
    rebuild()
    assert item.name in bpy.context.scene.objects and api.lifted_objects(world) == []
    assert len(api.lift_object(world, [ball]).data.vertices) == count


@pytest.mark.parametrize("kind", ["layers", "objects", "cameras"])
def test_new_parts_go_elsewhere_where_a_collection_was_deleted(rebuild, everything, kind):
    world = rebuild()
    collection = world.sub_collection(kind)
    for part in collection.objects:
        world.collection.objects.link(part)
    bpy.data.collections.remove(collection)
    assert everything(world) == {}


def test_a_world_whose_root_was_deleted_stands_on_a_new_one_after_a_retrace(scene_modules, rebuild, ball):
    api, world = scene_modules.api, rebuild()
    item = api.lift_object(world, [ball])
    bpy.context.view_layer.update()
    before = [world.root.matrix_world.inverted() @ part.matrix_world for part in (world.camera, item, *world.layers)]
    bpy.data.objects.remove(world.root)
    for refused in (
        lambda: api.make_point_cloud(world),
        lambda: api.add_orbit_camera(bpy.context.scene, world, 5),
        lambda: api.insert_object(world, item),
        lambda: api.replace_object(world, item, world.layers[0]),
    ):
        with pytest.raises(scene_modules.errors.WorldTracingError, match=r"WT-SCENE-(EMPTY|CAMERA)"):
            refused()
    bpy.context.view_layer.objects.active = item
    with pytest.raises(RuntimeError, match="WT-SCENE-EMPTY"):
        bpy.ops.wt.insert_object()
    rebuild()
    bpy.context.view_layer.update()
    after = [world.root.matrix_world.inverted() @ part.matrix_world for part in (world.camera, item, *world.layers)]
    np.testing.assert_allclose(np.array(after), np.array(before), atol=1e-5)
    bpy.data.objects.remove(world.camera)
    with pytest.raises(scene_modules.errors.WorldTracingError, match="WT-SCENE-CAMERA"):
        api.add_orbit_camera(bpy.context.scene, world, 5)


@pytest.mark.parametrize("saved", [False, True])
def test_a_copy_that_is_renamed_does_not_become_the_part(scene_modules, rebuild, ball, tmp_path, saved):
    api, world = scene_modules.api, rebuild()
    parts = [world.camera, world.layers[0], api.lift_object(world, [ball])]
    names = [part.name for part in parts]
    for part in parts:
        copy = part.copy()
        copy.name = f"A {part.name}"
        bpy.context.scene.collection.objects.link(copy)
    if saved:
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
        (world,) = api.worlds(bpy.context.scene)
    assert [part.name for part in (world.camera, world.layers[0], *api.lifted_objects(world))] == names
    copy = bpy.data.objects[f"A {names[-1]}"]
    api.put_back(world, copy)
    assert names[-1] in bpy.data.objects and f"A {names[-1]}" not in bpy.data.objects


@pytest.mark.parametrize("kind", ["world", "objects"])
def test_objects_are_lifted_in_a_collection_that_is_switched_off(scene_modules, rebuild, ball, kind):
    world = rebuild()
    entries = [bpy.context.view_layer.layer_collection]
    for entry in entries:
        entries.extend(entry.children)
    next(entry for entry in entries if entry.collection == world.sub_collection(kind)).exclude = True
    assert bpy.ops.wt.lift_object(x=ball.x, y=ball.y) == {"FINISHED"}
    (item,) = scene_modules.api.lifted_objects(world)
    with pytest.raises(scene_modules.errors.WorldTracingError) as caught:
        scene_modules.api.run_command(world, f"select the {item.name}")
    assert caught.value.code == "WT-SCENE-SELECT" and "switched off" in caught.value.message
    assert scene_modules.api.run_command(world, f"move the {item.name} left 0.5 m").startswith("Move")


def test_nothing_is_inserted_in_edit_mode_or_into_a_linked_world(scene_modules, rebuild, ball, tmp_path):
    item = scene_modules.api.lift_object(rebuild(), [ball])
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        assert bpy.ops.wt.insert_object() == {"CANCELLED"}
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, linked):
        linked.collections = ["World Tracing"]
    scene = bpy.context.scene
    scene.collection.children.link(linked.collections[0])
    scene.camera = next(part for part in scene.objects if part.type == "CAMERA")
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    scene.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    assert bpy.ops.wt.insert_object() == {"CANCELLED"} and len(bpy.data.objects) == len(scene.objects)


@pytest.mark.parametrize("hidden", ["collection", "fixed"])
def test_no_empty_file_is_exported(scene_modules, tmp_path, hidden):
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    data = bpy.data.meshes.new("Triangle")
    data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    part, collection = bpy.data.objects.new("Triangle", data), bpy.data.collections.new("Parts")
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(part)
    path = tmp_path / "triangle.glb"
    if hidden == "fixed":
        part.hide_select = True
        assert b"POSITION" in scene_modules.api.export_mesh(part, path).read_bytes() and part.hide_select
        return
    collection.hide_viewport = True
    bpy.context.view_layer.update()
    with pytest.raises(scene_modules.errors.WorldTracingError) as caught:
        scene_modules.api.export_mesh(part, path)
    assert caught.value.code == "WT-SCENE-EXPORT" and not path.exists()


def test_a_file_is_saved_whose_photo_was_moved_away(scene_modules, tmp_path):
    gone, there = photo_file(tmp_path, "gone.png"), photo_file(tmp_path, "there.png")
    assert gone.pixels[0] == there.pixels[0] == 0  # read
    (tmp_path / "gone.png").unlink()
    scene_modules.api.save_blend(tmp_path / "saved.blend")
    assert (tmp_path / "saved.blend").is_file() and there.packed_file and not gone.packed_file


def test_nothing_is_added_to_an_override(scene_modules, rebuild, tmp_path):
    rebuild()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, linked):
        linked.collections = ["World Tracing"]
    scene, (collection,) = bpy.context.scene, linked.collections
    scene.collection.children.link(collection)
    collection.override_hierarchy_create(scene, bpy.context.view_layer, do_fully_editable=True)
    scene.collection.children.unlink(collection)
    (world,) = scene_modules.api.worlds(scene)
    count = len(bpy.data.objects)
    for add in (
        lambda: scene_modules.api.add_rig(world, "arc"),
        lambda: scene_modules.api.add_orbit_camera(scene, world, 5),
        lambda: scene_modules.api.merge_layers(world),
    ):
        with pytest.raises(scene_modules.errors.WorldTracingError) as caught:
            add()
        assert caught.value.code == "WT-SCENE-LINKED" and len(bpy.data.objects) == count


def test_vertices_that_an_artist_adds_do_not_keep_from_making_a_mesh(rebuild, submodule):
    world = rebuild()
    layer = world.layers[0]
    count = len(layer.data.vertices)
    layer.data.vertices.add(20)
    points = submodule("worldtracing_addon.scene.meshes").read_points(world, None)
    assert points.layers <= 6 and points.valid.sum() >= count


def test_a_world_that_was_appended_twice_is_two_worlds_once_it_is_saved(scene_modules, rebuild, ball, tmp_path):
    api = scene_modules.api
    api.lift_object(rebuild(), [ball])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    for _ in range(2):
        with bpy.data.libraries.load(str(tmp_path / "library.blend")) as (_, appended):
            appended.collections = ["World Tracing"]
        bpy.context.scene.collection.children.link(appended.collections[0])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "both.blend"))
    first, second = api.worlds(bpy.context.scene)
    assert first.id != second.id and len(first.parts) == len(second.parts)
    for world in (first, second):
        api.put_back(world, *api.lifted_objects(world))
        assert world.root.world_tracing.display == "Points" and world.camera and api.lift_object(world, [ball])
    api.remove_world(first)
    assert second.root and len(bpy.context.scene.objects) == len(second.parts)
