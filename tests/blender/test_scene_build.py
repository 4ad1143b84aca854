"""A world enters the scene wholly, once, or not at all."""

import bpy
import numpy as np
import pytest
from toy_world import make_world


@pytest.fixture
def scene_modules(submodule):
    """A namespace of the add-on's scene modules, and `world` to make one."""

    class Modules:
        build = submodule("worldtracing_addon.scene.build")
        camera = submodule("worldtracing_addon.scene.camera")
        layer_group = submodule("worldtracing_addon.scene.layer_group")
        layers = submodule("worldtracing_addon.scene.layers")
        points = submodule("worldtracing_addon.scene.points")
        worlds = submodule("worldtracing_addon.scene.worlds")
        compat = submodule("worldtracing_addon.compat")
        errors = submodule("backend.worldtracing.errors")

        @staticmethod
        def world(**options):
            return make_world(submodule("backend.worldtracing.world").LayeredWorld, **options)

        @classmethod
        def make(cls, name="cat.png", photo=None, **options):
            world = cls.world(**options)
            return cls.build.build_world(
                bpy.context.scene, world, name=name, photo=photo, source="/tmp/cat.safetensors"
            )

    return Modules


def census():
    """How many data-blocks of each kind the file holds."""
    kinds = ("collections", "objects", "meshes", "cameras", "images", "materials", "node_groups")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def photo_file(folder, name="cat.png", size=(96, 72)):
    folder.mkdir(exist_ok=True)
    image = bpy.data.images.new("temporary", *size)
    image.filepath_raw, image.file_format = str(folder / name), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return bpy.data.images.load(str(folder / name))


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


def test_worlds_share_group_and_materials(scene_modules):
    scene_modules.make(name="a")
    shared = census()
    scene_modules.make(name="b")
    now = census()
    assert (now["node_groups"], now["materials"]) == (shared["node_groups"], shared["materials"]) == (2, 2)


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


def test_a_deleted_scene_leaves_no_world(scene_modules):
    scene = bpy.data.scenes.new("short-lived")
    objects = scene_modules.build.build_world(scene, scene_modules.world(), name="a", photo=None, source="")
    bpy.data.scenes.remove(scene)
    bpy.data.batch_remove([*bpy.data.objects, *bpy.data.collections])
    assert objects.scene is None and objects.root is None and objects.layers == []
    scene_modules.build.remove_world(objects)


@pytest.mark.parametrize("case", ["in memory", "not in memory", "retrace"])
def test_a_photo_that_was_moved_away_is_replaced_by_the_traced_pixels(scene_modules, tmp_path, case):
    photo, warnings = photo_file(tmp_path, size=(192, 144)), []
    options = {"name": "cat.png", "photo": photo, "source": "", "warn": warnings.append}
    scene, world = bpy.context.scene, scene_modules.world()
    if case == "in memory":
        assert photo.pixels[0] == 0
    elif case == "retrace":
        first = scene_modules.build.build_world(scene, world, **options)
        photo.unpack(method="REMOVE")
    (tmp_path / "cat.png").unlink()
    objects = scene_modules.build.build_world(scene, world, **options)
    assert [warning.code for warning in warnings] == ["WT-SCENE-PHOTO-GONE"]
    background = objects.camera.data.background_images[0].image
    assert background != photo and background.packed_file
    assert tuple(background.size) == tuple(objects.camera["wt_frame"]) == (96, 72)
    assert case != "retrace" or objects == first


def test_paint_that_was_not_saved_survives_a_failed_build(scene_modules, monkeypatch, tmp_path):
    photo = photo_file(tmp_path)
    paint = np.tile(np.float32([1, 0, 0, 1]), 96 * 72)
    photo.pixels.foreach_set(paint)
    monkeypatch.setattr(scene_modules.build, "match_camera", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scene_modules.make(photo=photo)
    assert photo.packed_file or photo.is_dirty  # else it is only in memory, and Blender would drop it without asking
    np.testing.assert_array_equal(np.array(photo.pixels), paint)


FAILURES = [
    ("points", "linear_rgba"),
    ("build", "image_from_rgb"),
    ("layers", "ensure_group"),
    ("layer_group", "surface_branch"),
    ("build", "match_camera"),
    ("build", "look_through"),
]


@pytest.mark.parametrize(("module", "function"), FAILURES)
def test_a_failing_build_leaves_nothing_behind(scene_modules, monkeypatch, module, function):
    def fail(*_, **__):
        raise MemoryError("no memory")

    before, resolution = census(), bpy.context.scene.render.resolution_x
    monkeypatch.setattr(getattr(scene_modules, module), function, fail)
    with pytest.raises(MemoryError):
        scene_modules.make()
    assert census() == before and bpy.context.scene.render.resolution_x == resolution


@pytest.mark.parametrize(("module", "function"), [f for f in FAILURES if f[1] != "surface_branch"])
def test_a_failing_retrace_leaves_the_old_world(scene_modules, monkeypatch, module, function):
    objects = scene_modules.make(layers=3)
    before = census()
    state = [
        [(part.name, part.data.name, len(part.data.vertices)) for part in objects.layers],
        objects.root["wt_seed"],
        (objects.camera.data.name, objects.camera.data.lens, list(objects.camera["wt_frame"])),
        (bpy.context.scene.render.resolution_x, bpy.context.scene.camera.name),
    ]

    def fail(*_, **__):
        raise MemoryError("no memory")

    monkeypatch.setattr(getattr(scene_modules, module), function, fail)
    with pytest.raises(MemoryError):
        scene_modules.make(layers=2, width=64, height=64, seed=9)
    assert census() == before
    assert state == [
        [(part.name, part.data.name, len(part.data.vertices)) for part in objects.layers],
        objects.root["wt_seed"],
        (objects.camera.data.name, objects.camera.data.lens, list(objects.camera["wt_frame"])),
        (bpy.context.scene.render.resolution_x, bpy.context.scene.camera.name),
    ]
    modifier = scene_modules.worlds.layer_modifier(objects.layers[0])
    assert scene_modules.compat.get_modifier_input(modifier, "Width") == 96


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


def test_retracing_leaves_copies_alone(scene_modules):
    objects = scene_modules.make()
    copy = objects.layers[0].copy()
    copy.data = copy.data.copy()
    objects.sub_collection("layers").objects.link(copy)
    kept = copy.data.name
    scene_modules.make(layers=1, width=64, height=64)
    assert len(objects.layers) == 1 and copy not in objects.layers and copy.data.name == kept


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
