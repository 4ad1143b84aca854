"""Textured meshes in the scene: made by the worker, where the points are, in the photo's colors, with alternatives."""

import os
import shutil
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from ball_world import COLORS, DEPTH, RADIUS, SIZE
from mathutils import Vector
from rendering import render


@pytest.fixture
def quick(api):
    return api.MeshSettings(faces=4000, texture_size=256, resolution=64)


def in_scene(part):
    """(N, 3) an object's vertices in scene coordinates."""
    values = np.empty(3 * len(part.data.vertices), np.float32)
    part.data.vertices.foreach_get("co", values)
    return np.c_[values.reshape(-1, 3), np.ones(len(values) // 3)] @ np.array(part.matrix_world).T[:, :3]


def far_from(points, others):
    """The largest of the distances of each point from the nearest of the others."""
    return max(np.sqrt(((others - point) ** 2).sum(1).min()) for point in points[:: max(1, len(points) // 300)])


def test_a_mesh_stands_where_the_points_are(api, ball, quick):
    world, _ = ball
    world.root.location, world.root.rotation_euler, world.root.scale = (1, 2, 3), (0.1, 0.2, 0.3), (2, 2, 2)
    bpy.context.view_layer.update()
    stages = []
    mesh = api.make_mesh(world, quick, on_progress=lambda state: stages.append(state.stage))
    bpy.context.view_layer.update()
    center = np.array(world.root.matrix_world @ Vector((0, DEPTH, 0)))
    distance = np.linalg.norm(in_scene(mesh) - center, axis=1)
    assert np.abs(distance / 2 - RADIUS).max() < 0.06 and abs(distance.mean() / 2 - RADIUS) < 0.01
    assert mesh.name in world.sub_collection("objects").objects and mesh.parent == world.root
    assert tuple(mesh.matrix_world.translation) == pytest.approx(tuple(world.root.matrix_world.translation))
    assert len(stages) > 3 and "Object" not in stages[-1]
    assert 500 < len(mesh.data.polygons) < 6000 and mesh.data.polygons[0].use_smooth


def test_its_material_holds_the_picture(api, ball, quick):
    mesh = api.make_mesh(ball[0], quick)
    (material,) = mesh.data.materials
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    (link,) = shader.inputs["Base Color"].links
    image = link.from_node.image
    assert image.packed_file and tuple(image.size) == (256, 256) and image.colorspace_settings.name == "sRGB"
    assert shader.inputs["Roughness"].default_value == 1 and not shader.inputs["Alpha"].links
    assert [layer.name for layer in mesh.data.uv_layers] == ["UVMap"]
    pixels = np.empty(256 * 256 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    near = [np.abs(pixels.reshape(-1, 4)[:, :3] * 255 - color).max(1).min() for color in COLORS]
    assert max(near) < 8


def test_a_render_from_the_photos_camera_shows_the_photo(api, ball, tmp_path):
    world, traced = ball
    api.make_mesh(world, api.MeshSettings(faces=20_000, texture_size=512, resolution=128))
    scene = bpy.context.scene
    api.set_match_photo(scene, True)
    scene.world = bpy.data.worlds.new("White")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    picture = render(tmp_path / "mesh.png", world.camera, longer_side=SIZE)
    shown = traced.valid[0]
    seen = picture[..., 3] > 0.5
    assert (seen & shown).sum() / (seen | shown).sum() > 0.97
    inside = seen & shown
    error = (picture[..., :3] - traced.rgb / 255)[inside]
    psnr = -10 * np.log10((error**2).mean())
    assert psnr > 28


def test_alternatives_stand_side_by_side(api, ball, quick, submodule):
    world, _ = ball
    first = api.make_mesh(world, quick)
    again = api.make_mesh(world, quick)
    assert again == first and api.meshes_of(world) == [first]
    assert len(bpy.data.materials) == 3 and len([m for m in bpy.data.meshes if m.name.startswith("ball Mesh")]) == 1
    other = api.make_mesh(world, submodule("worldtracing_addon.core.generators").MeshSettings(
        faces=2000, texture_size=64, resolution=48, replace=False))  # fmt: skip
    assert len(api.meshes_of(world)) == 2 and other.visible_get() and not first.visible_get()
    assert not any(layer.visible_get() for layer in world.layers)
    api.show_mesh(first)
    assert first.visible_get() and not other.visible_get() and other.hide_render
    api.show_points(world)
    assert all(layer.visible_get() for layer in world.layers) and not first.visible_get()


def test_remeshing_and_shading(api, ball, quick):
    mesh = api.make_mesh(ball[0], quick)
    bpy.context.view_layer.objects.active = mesh
    mesh.select_set(True)
    bpy.context.view_layer.update()
    assert bpy.ops.object.shade_flat() == {"FINISHED"} and not mesh.data.polygons[0].use_smooth
    assert bpy.ops.object.shade_smooth() == {"FINISHED"} and mesh.data.polygons[0].use_smooth
    assert [layer.name for layer in mesh.data.uv_layers] == ["UVMap"]
    assert bpy.ops.object.voxel_remesh() == {"FINISHED"}
    assert [layer.name for layer in mesh.data.uv_layers] == ["UVMap"]
    assert len(mesh.data.polygons) > 5000 and len(mesh.data.materials) == 1
    distance = np.linalg.norm(in_scene(mesh) - np.array(mesh.matrix_world @ Vector((0, DEPTH, 0))), axis=1)
    assert np.abs(distance - RADIUS).max() < 0.06


@pytest.mark.parametrize("ending", [".glb", ".usdc", ".usdz"])
def test_an_export_comes_back_as_it_was(api, ball, quick, tmp_path, ending):
    world, _ = ball
    world.root.location, world.root.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.3)
    mesh = api.make_mesh(world, quick)
    bpy.context.view_layer.update()
    before, selected = in_scene(mesh), list(bpy.context.selected_objects)
    path = api.export_mesh(mesh, tmp_path / f"ball{ending}")
    assert path.stat().st_size > 10_000 and list(bpy.context.selected_objects) == selected
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    if ending == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    (back,) = [part for part in bpy.data.objects if part.type == "MESH" and len(part.data.polygons) > 100]
    bpy.context.view_layer.update()
    after = in_scene(back)
    assert far_from(before, after) < 1e-3 and far_from(after, before) < 1e-3
    images = [node.image for node in back.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE"]
    assert len(images) == 1 and tuple(images[0].size) == (256, 256)


def test_what_cannot_be_exported_is_told(api, errors, ball, quick, tmp_path, submodule):
    mesh = api.make_mesh(ball[0], quick)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.export_mesh(mesh, tmp_path / "ball.obj")
    assert caught.value.code == "WT-SCENE-EXPORT"
    mesh.hide_viewport = True
    mesh.hide_set(True)
    assert api.export_mesh(mesh, tmp_path / "hidden.glb").stat().st_size > 10_000
    assert mesh.hide_viewport and mesh.hide_get()
    submodule("worldtracing_addon.scene.visibility").set_shown(ball[0], False)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.export_mesh(mesh, tmp_path / "ball.glb")
    assert caught.value.code == "WT-SCENE-EXPORT"
    with pytest.raises(errors.WorldTracingError) as caught:
        api.make_mesh(mesh, quick)
    assert caught.value.code == "WT-SCENE-SELECT"


def test_cancelling_leaves_nothing(api, ball, submodule):
    world, _ = ball
    work = api.start_meshes(world)
    while work.poll().status in ("starting",):
        pass
    work.cancel()
    assert work.wait().status == "cancelled" and not work.meshes and not api.meshes_of(world)
    assert all(layer.visible_get() for layer in world.layers)
    folder = bpy.utils.extension_path_user(submodule("worldtracing_addon.preferences").EXTENSION_PACKAGE, path="meshes")
    assert not list(Path(folder).iterdir())


def test_what_a_crash_has_left_goes_after_a_day(api, ball, quick, submodule):
    package = submodule("worldtracing_addon.preferences").EXTENSION_PACKAGE
    folder = Path(bpy.utils.extension_path_user(package, path="meshes", create=True))
    for name, hours in (("mesh-old", 25), ("mesh-new", 1)):
        (folder / name).mkdir()
        (folder / name / "points.safetensors").touch()
        os.utime(folder / name, (time.time() - 3600 * hours,) * 2)
    api.make_mesh(ball[0], quick)
    assert [path.name for path in folder.iterdir()] == ["mesh-new"]
    shutil.rmtree(folder / "mesh-new")


def test_generators_tell_their_health(api, submodule, monkeypatch):
    monkeypatch.setattr(submodule("worldtracing_addon.client.session"), "_generators", [])  # of another test
    assert all(known.health is None for known in api.mesh_generators())
    known = {one.info.name: one for one in api.check_mesh_generators()}
    assert known["layers"].health.ok and not known["trellis2"].health.ok and known["trellis2"].health.fix
    assert known["hunyuan3d"].info.licence.startswith("Tencent")
