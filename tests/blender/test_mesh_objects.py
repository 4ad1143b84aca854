"""Meshes of lifted objects: one, all of them, by the buttons, and what becomes of the rest of the world."""

import bpy
import editing_world as room
import numpy as np
import pytest
from layout import draw_panels
from mathutils import Vector

BALL_RADIUS = 0.4


@pytest.fixture
def world(submodule):
    """A room with a ball before a crate."""
    kind = submodule("backend.worldtracing.world").LayeredWorld
    traced, _ = room.room((room.BALL, room.CRATE))
    traced = kind(traced.points.copy(), traced.valid.copy(), traced.rgb.copy(), traced.K.copy(), "metric",
                  metadata={"mode": "scene", "engine": "toy"})  # fmt: skip
    build = submodule("worldtracing_addon.scene.build").build_world
    world = build(bpy.context.scene, traced, name="room", photo=None, source="")
    bpy.context.view_layer.update()
    return world


@pytest.fixture
def lifted(api, world):
    """The ball and the crate as objects of their own."""
    _, owners = room.room((room.BALL, room.CRATE))
    items = []
    for thing, name in ((room.BALL, "Ball"), (room.CRATE, "Crate")):
        items.append(api.lift_object(world, mask=owners[0] == thing, name=name))
        bpy.context.view_layer.update()
    return items


@pytest.fixture
def quick(api):
    return api.MeshSettings(faces=2000, texture_size=128, resolution=48)


@pytest.fixture
def panel_settings():
    """The panel's choices, small enough for a test."""
    settings = bpy.context.scene.world_tracing_mesh
    settings.faces, settings.texture_size, settings.resolution = 2000, 128, 48
    return settings


def corners(part):
    bpy.context.view_layer.update()
    points = np.array([part.matrix_world @ vertex.co for vertex in part.data.vertices])
    return points.min(0), points.max(0)


def select(*parts):
    for part in bpy.context.view_layer.objects:
        part.select_set(part in parts)
    bpy.context.view_layer.objects.active = parts[-1] if parts else None


def test_an_objects_mesh_has_its_origin_and_place(api, world, lifted, quick):
    ball, _ = lifted
    ball.location.x += 0.5
    wanted_low, wanted_high = corners(ball)
    place = np.array(ball.matrix_world)
    mesh = api.make_mesh(ball, quick)
    low, high = corners(mesh)
    assert np.allclose(mesh.matrix_world, place, atol=1e-6)
    step = 2 * BALL_RADIUS / 20
    assert np.abs(low - wanted_low).max() < 2 * step and np.abs(high - wanted_high).max() < 2 * step
    assert mesh.visible_get() and not ball.visible_get() and all(layer.visible_get() for layer in world.layers)
    api.show_points(ball)
    assert ball.visible_get() and not mesh.visible_get()


def test_the_worlds_mesh_leaves_out_what_was_lifted(api, world, lifted, quick):
    mesh = api.make_mesh(world, quick)
    bpy.context.view_layer.update()
    into_root = world.root.matrix_world.inverted() @ mesh.matrix_world
    points = np.array([into_root @ vertex.co for vertex in mesh.data.vertices])
    level = np.array(room.SPHERES[room.BALL][0]) @ room.TO_LEVEL  # the ball's center in the camera frame
    center = np.array((level[0], level[2], -level[1]))
    assert np.linalg.norm(points - center, axis=1).min() > 0.75 * BALL_RADIUS
    assert lifted[0].visible_get() and not any(layer.visible_get() for layer in world.layers)


def test_all_objects_in_one_go(api, world, lifted, quick):
    stages = []
    made, failures = api.make_meshes(world, quick, on_progress=lambda state: stages.append(state.stage))
    assert [mesh["wt_source"] for mesh in made] == [item["wt_item"] for item in lifted] and not failures
    assert any(stage.startswith("Object 1 of 2") for stage in stages)
    assert any(stage.startswith("Object 2 of 2") for stage in stages)


def test_one_that_fails_does_not_stop_the_others(api, world, lifted, quick):
    lifted[0].data.clear_geometry()
    made, failures = api.make_meshes(world, quick)
    assert [mesh["wt_source"] for mesh in made] == [lifted[1]["wt_item"]]
    assert [(failure.name, failure.error.code) for failure in failures] == [("Ball", "WT-SCENE-EMPTY")]


def test_a_cancel_keeps_what_is_done(api, world, lifted, quick):
    work = api.start_meshes(world, lifted, settings=quick)
    while not work.meshes:
        work.poll(wait_for_user=False)
    work.cancel()
    assert work.wait().status == "cancelled"
    assert [mesh["wt_source"] for mesh in work.meshes] == [lifted[0]["wt_item"]]


def test_the_button_takes_what_is_selected(api, world, lifted, panel_settings):
    ball, crate = lifted
    select(crate)
    assert bpy.ops.wt.make_mesh() == {"FINISHED"}
    (mesh,) = api.meshes_of(crate)
    assert bpy.context.view_layer.objects.active == mesh and not api.meshes_of(ball) and not api.meshes_of(world)
    assert bpy.ops.wt.make_mesh() == {"FINISHED"}  # the mesh is selected now, and stands for the crate
    assert api.meshes_of(crate) == [mesh]
    assert bpy.ops.wt.show_mesh(mesh="") == {"FINISHED"} and bpy.context.view_layer.objects.active == crate
    assert bpy.ops.wt.show_mesh(mesh=mesh.name) == {"FINISHED"} and mesh.visible_get()


def test_the_button_for_all_and_export(api, world, lifted, panel_settings, tmp_path):
    select(world.root)
    assert bpy.ops.wt.make_all_meshes() == {"FINISHED"}
    assert all(len(api.meshes_of(item)) == 1 for item in lifted)
    assert bpy.ops.wt.export_mesh(filepath=str(tmp_path / "crate"), ending=".glb") == {"FINISHED"}
    assert (tmp_path / "crate.glb").read_bytes()[:4] == b"glTF"


def test_one_undo_takes_a_mesh_back(api, world, lifted, panel_settings):
    select(lifted[0])
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.wt.make_mesh("EXEC_DEFAULT", True) == {"FINISHED"}
    assert len(api.meshes_of(bpy.data.objects["Ball"])) == 1
    bpy.ops.ed.undo()
    ball = bpy.data.objects["Ball"]
    assert not api.meshes_of(ball) and ball.visible_get()
    assert not [material for material in bpy.data.materials if material.name.startswith("Ball")]


def test_copies_and_empty_worlds_are_told(api, errors, world, quick):
    with pytest.raises(errors.WorldTracingError) as caught:
        api.make_meshes(world, quick)
    assert caught.value.code == "WT-SCENE-SELECT"
    other = bpy.data.objects.new("Other", None)
    bpy.context.scene.collection.objects.link(other)
    with pytest.raises(errors.WorldTracingError) as caught:
        api.make_mesh(other, quick)
    assert caught.value.code == "WT-SCENE-SELECT"


def test_removing_the_world_removes_its_meshes(api, world, lifted, quick):
    api.make_mesh(lifted[0], quick)
    assert Vector(bpy.data.objects["Ball"].location).length > 0
    api.remove_world(world)
    assert not [part for part in bpy.data.objects if part.type == "MESH"]


def test_what_the_panel_shows(api, world, lifted, panel_settings):
    package = api.__name__.rpartition(".")[0]
    select(world.root)
    drawn = draw_panels(package)
    assert "Of room" in drawn["WT_PT_mesh"] and "Points" not in drawn["WT_PT_mesh"]
    assert "Licence: GPL-3.0-or-later" in drawn["WT_PT_mesh_options"]
    select(lifted[1])
    bpy.ops.wt.make_mesh()
    assert bpy.ops.wt.check_generators() == {"FINISHED"}
    drawn = draw_panels(package)
    shown = ["Of Crate", "Make Mesh", "Make Meshes of All Objects", "Points", "Crate Mesh From Layers"]
    assert drawn["WT_PT_mesh"] == [*shown, "Export GLB...", "Export USD..."]
    assert any(text.startswith("Ready") for text in drawn["WT_PT_mesh_options"])
    panel_settings.generator = "trellis2"
    texts = " ".join(draw_panels(package)["WT_PT_mesh_options"])
    assert "MIT" in texts and "24 GB" in texts


def test_who_deletes_the_mesh_that_is_shown_gets_the_points_back(api, world, panel_settings):
    package = api.__name__.rpartition(".")[0]
    assert "Points" not in draw_panels(package)["WT_PT_mesh"]
    assert bpy.ops.wt.make_mesh() == {"FINISHED"}
    bpy.data.objects.remove(api.meshes_of(world)[0])
    assert "Points" in draw_panels(package)["WT_PT_mesh"] and not any(part.visible_get() for part in world.layers)
    assert bpy.ops.wt.show_mesh(mesh="") == {"FINISHED"} and all(part.visible_get() for part in world.layers)
    assert "Points" not in draw_panels(package)["WT_PT_mesh"]


def test_the_points_of_a_world_without_a_root_are_shown(api, world):
    bpy.data.objects.remove(world.root)
    world.layers[0].hide_viewport = True
    assert bpy.ops.wt.show_mesh(mesh="") == {"FINISHED"} and not world.layers[0].hide_viewport


def test_a_failed_mesh_is_told_in_the_panel(world, panel_settings):
    panel_settings.generator_name = "elsewhere"
    with pytest.raises(RuntimeError, match="WT-MODEL-UNKNOWN"):
        bpy.ops.wt.make_mesh()
    job = bpy.context.window_manager.world_tracing_job
    job.running = True
    assert not bpy.ops.wt.make_mesh.poll() and not bpy.ops.wt.check_generators.poll()
    job.running = False
    assert job.error_code == "WT-MODEL-UNKNOWN" and not job.running and all(part.visible_get() for part in world.layers)
