"""Other people's mesh generators from Blender: their options, their maps in the material, and one more try."""

from importlib.util import find_spec
from pathlib import Path

import bpy
import numpy as np
import pytest
from ball_world import DEPTH, RADIUS
from fake_server import serving
from glb_help import glb
from layout import Layout, context, draw_panels
from mathutils import Vector

MODULE = "bl_ext.user_default.world_tracing"
CORNERS = {(0, 0): (250, 40, 20), (0, 1): (30, 220, 60), (1, 0): (20, 60, 240), (1, 1): (240, 230, 90)}
ROUGHNESS, METALLIC = 200, 60


@pytest.fixture
def world(ball):
    return ball[0]


@pytest.fixture
def settings(submodule):
    settings = bpy.context.scene.world_tracing_mesh
    settings.faces, settings.texture_size, settings.resolution = 2000, 64, 48
    submodule("worldtracing_addon.mesh_properties").declare_options()
    return settings


@pytest.fixture
def preferences(settings):
    """Those of mesh generators, which are as new afterwards."""
    preferences = bpy.context.preferences.addons[MODULE].preferences.generators
    yield preferences
    for name in ("trellis2", "pixal3d", "sam3d", "hunyuan3d", "comfyui"):
        group = getattr(preferences, f"options_{name}")
        for prop in group.bl_rna.properties:
            group.property_unset(prop.identifier)


def ball_glb():
    """A GLB as a generator writes it: upright, of its own size; colors, and one picture of roughness and metal."""
    rings, sides = 24, 48
    v, u = np.mgrid[0 : rings + 1, 0 : sides + 1]
    polar, around = np.pi * v / rings, 2 * np.pi * u / sides
    points = np.stack([np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)], -1).reshape(
        -1, 3
    )
    first = (v[:-1, :-1] * (sides + 1) + u[:-1, :-1]).reshape(-1)
    square = np.stack([first, first + sides + 1, first + sides + 2, first + 1], 1)
    faces = np.concatenate([square[:, [0, 1, 2]], square[:, [0, 2, 3]]])
    base = np.zeros((8, 8, 4), np.uint8)
    for (row, column), color in CORNERS.items():
        base[4 * row : 4 * row + 4, 4 * column : 4 * column + 4, :3] = color
    packed = np.full((8, 8, 3), (7, ROUGHNESS, METALLIC), np.uint8)  # red is for occlusion, and is not ours

    def opaque(gltf):
        gltf["materials"][0]["pbrMetallicRoughness"] |= {"roughnessFactor": 1.0, "metallicFactor": 0.5}

    return glb(0.5 * points, faces, np.stack([u / sides, v / rings], -1).reshape(-1, 2), base, packed, change=opaque)


def shader_of(mesh):
    (material,) = mesh.data.materials
    return next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def picture_of(mesh, name):
    """The picture at an input of the mesh's shader, and its pixels from 0 to 255, the first row on top."""
    (link,) = shader_of(mesh).inputs[name].links
    image = link.from_node.image
    pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return image, np.rint(pixels.reshape(image.size[1], image.size[0], 4)[::-1] * 255)


def check_maps(mesh):
    """What `ball_glb` has said is what Blender's material shows."""
    image, base = picture_of(mesh, "Base Color")
    assert image.colorspace_settings.name == "sRGB" and image.packed_file
    assert {place: tuple(base[7 * place[0], 7 * place[1], :3]) for place in CORNERS} == CORNERS
    for name, value in (("Roughness", ROUGHNESS), ("Metallic", METALLIC / 2)):
        image, values = picture_of(mesh, name)
        assert image.colorspace_settings.name == "Non-Color" and (values[..., :3] == value).all()
    assert not shader_of(mesh).inputs["Alpha"].links  # the picture's alpha is 0, the material is opaque
    assert shader_of(mesh).inputs["Specular IOR Level"].default_value == 0.5


def test_maps_of_a_glb_arrive_in_the_material(api, submodule, world, tmp_path):
    generated = submodule("backend.worldtracing.meshing.adapters.glb").read_glb(ball_glb())
    file = generated.textured({"generator": "toy"}).save(tmp_path / "mesh.safetensors")
    loaded = submodule("worldtracing_addon.mesh_jobs")._load(file)
    build = submodule("worldtracing_addon.scene.meshes").build_mesh
    check_maps(build(world, None, *loaded, "toy", "Toy", True))


@pytest.mark.skipif(not find_spec("scipy"), reason="the worker's Python has no scipy to bring a mesh into place")
def test_two_generators_are_alternatives(api, world, settings, preferences):
    """The built-in one and a server's stand in one place, one of them is shown, and each is renewed by itself."""
    routes = {
        ("GET", "/health"): lambda path, body: (200, {"status": "healthy"}),
        ("POST", "/generate"): lambda path, body: (200, ball_glb()),
    }
    assert bpy.ops.wt.make_mesh() == {"FINISHED"}
    (ours,) = api.meshes_of(world)
    with serving(routes) as (fake, address):
        preferences.options_hunyuan3d.address = address
        settings.generator = "hunyuan3d"
        assert bpy.ops.wt.check_generators() == {"FINISHED"}
        assert {one.info.name: one.health.ok for one in api.mesh_generators()}["hunyuan3d"]
        assert bpy.ops.wt.make_mesh() == {"FINISHED"}
        theirs = next(mesh for mesh in api.meshes_of(world) if mesh != ours)
        assert bpy.ops.wt.make_mesh() == {"FINISHED"}
    assert len(fake.bodies("/generate")) == 2 and sorted(api.meshes_of(world), key=id) == sorted((ours, theirs), key=id)
    check_maps(theirs)
    assert theirs.visible_get() and not ours.visible_get()
    bpy.context.view_layer.update()
    for mesh in (ours, theirs):
        points = np.array([mesh.matrix_world @ vertex.co for vertex in mesh.data.vertices])
        distance = np.linalg.norm(points - np.array(world.root.matrix_world @ Vector((0, DEPTH, 0))), axis=1)
        assert np.abs(distance - RADIUS).max() < 0.06, mesh.name
    assert "ball Mesh Hunyuan3D-2.1" in draw_panels(MODULE)["WT_PT_mesh"]
    assert bpy.ops.wt.show_mesh(mesh=ours.name) == {"FINISHED"} and not theirs.visible_get() and ours.visible_get()
    settings.generator = "layers"
    assert bpy.ops.wt.make_mesh() == {"FINISHED"} and len(api.meshes_of(world)) == 2
    bpy.data.objects.remove(theirs)
    assert api.meshes_of(world) == [ours] and ours.visible_get()


def test_the_panel_shows_what_a_generator_declares(api, world, settings, preferences):
    def drawn():
        texts = draw_panels(MODULE)["WT_PT_mesh_options"]
        return [text for text in texts if text in ("Faces", "Texture Size", "Resolution", "Seed", "Model", "Set Up...")]

    assert drawn() == ["Faces", "Texture Size", "Resolution"]
    settings.generator = "comfyui"
    assert drawn() == ["Faces", "Texture Size", "Seed", "Model", "Resolution", "Set Up..."]
    settings.generator = "hunyuan3d"
    assert drawn() == ["Set Up..."]
    settings.generator_name = "elsewhere"
    assert drawn() == ["Faces", "Texture Size", "Resolution", "Seed"]
    for info in (known.info for known in api.mesh_generators()):
        for option in info.options:
            owner = preferences if option.machine else settings
            prop = getattr(owner, f"options_{(info.settings_of or info.name)}").bl_rna.properties[option.name]
            assert (prop.name, prop.description) == (option.label, option.description.removesuffix("."))
            assert not option.values or prop.enum_items.keys() == [str(value) for value in option.values]


def test_the_preferences_have_what_belongs_to_the_machine(submodule, preferences):
    layout, addon = Layout(), bpy.context.preferences.addons[MODULE]
    submodule("worldtracing_addon.ui.preferences").draw_preferences(layout, addon.preferences, context())
    shown = layout.texts[layout.texts.index("Mesh Generators") : layout.texts.index("Memory and Speed")]
    assert shown.count("Address") == 2 and shown.count("Python") == shown.count("Folder") == 3
    assert {"TRELLIS.2", "Pixal3D", "SAM 3D Objects", "May Download", "Waiting Time", "Check Generators"} <= set(shown)


def test_what_is_chosen_reaches_the_generator(api, settings, preferences, submodule):
    complete = submodule("worldtracing_addon.meshing")._complete
    settings.generator = "pixal3d"
    assert settings.mesh_settings().extra == {} and complete(settings.mesh_settings()).extra == {}
    settings.options_pixal3d.resolution = "1536"
    preferences.options_pixal3d.python, preferences.options_pixal3d.repository = " ~/bin/python ", " "
    preferences.options_pixal3d.low_vram = False
    assert settings.mesh_settings().extra == {"resolution": 1536}
    wanted = {"resolution": 1536, "python": str(Path("~/bin/python").expanduser()), "low_vram": False}
    assert complete(settings.mesh_settings()).extra == wanted
    given = api.MeshSettings("pixal3d", extra={"python": "/mine", "resolution": 1024})
    assert complete(given).extra == {**wanted, "python": "/mine", "resolution": 1024}
    preferences.options_trellis2.python = "/their/python"
    assert complete(api.MeshSettings("trellis2-texture")).extra == {"python": "/their/python"}
    settings.generator, settings.options_comfyui.model = "comfyui", "trellis2"
    preferences.options_comfyui.timeout = 12.3
    assert complete(settings.mesh_settings()).extra == {"model": "trellis2", "timeout": 12.3}


def test_choices_stay_in_the_file(settings, submodule, tmp_path):
    settings.options_trellis2.pipeline = "512"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert bpy.context.scene.world_tracing_mesh.options_trellis2.pipeline == "512"


def test_a_wrong_option_is_one_sentence(api, errors, world):
    with pytest.raises(errors.WorldTracingError) as caught:
        api.make_mesh(world, api.MeshSettings("comfyui", extra={"resolution": 7}))
    assert caught.value.code == "WT-MESH-OPTION" and caught.value.fix == "Give one of 512, 1024, 1536."


def test_a_generator_of_the_workers_python_gets_its_properties(settings, submodule):
    """What another Python declares is known once it was asked; another version of it may declare something else."""
    option = submodule("backend.worldtracing.meshing.options").GeneratorOption
    module, owner = submodule("worldtracing_addon.generator_options"), type(settings)
    changed = []
    strength = option("strength", "Strength", "number", 0.5, "How much.", low=0, high=1)
    module.declare(owner, "my-gen", [strength], changed.append)
    settings.options_my_gen.strength = 3
    assert settings.options_my_gen.strength == 1 and module.chosen(settings, "my-gen") == {"strength": 1.0}
    steps = option("steps", "Steps", "whole", 5, "How many.", low=1, high=1 << 40)
    module.declare(owner, "my-gen", [strength, steps], changed.append)
    assert (settings.options_my_gen.strength, settings.options_my_gen.steps) == (1, 5)
    module.declare(owner, "my-gen", [], changed.append)
    assert not hasattr(settings, "options_my_gen") and module.chosen(settings, "my-gen") == {}
    assert changed == ["my-gen"]


def test_a_health_counts_for_the_options_that_were_asked_with(api, settings, preferences, world):
    settings.generator = "comfyui"
    assert bpy.ops.wt.check_generators() == {"FINISHED"}
    asked = {one.info.name for one in api.mesh_generators() if one.health is not None}
    assert {"layers", "comfyui", "trellis2", "trellis2-texture"} <= asked
    preferences.options_trellis2.python = "/other/python"
    settings.options_comfyui.model = "trellis2"
    left = {one.info.name for one in api.mesh_generators() if one.health is not None}
    assert asked - left == {"comfyui", "trellis2", "trellis2-texture"}
    draw_panels(MODULE)
    assert bpy.ops.wt.check_generators() == {"FINISHED"}
    assert asked == {one.info.name for one in api.mesh_generators() if one.health is not None}


def test_while_blender_is_offline_no_other_computer_is_asked(api, submodule, preferences, world):
    preferences.options_hunyuan3d.address = "http://192.0.2.1:8081"
    assert not bpy.app.online_access
    known = {one.info.name: one for one in api.check_mesh_generators()}
    if find_spec("scipy"):
        assert "stay offline" in known["hunyuan3d"].health.message


def test_a_mesh_that_the_worker_died_at_is_made_again(api, submodule, world, settings, monkeypatch):
    """The button makes that mesh, whatever is selected by then."""
    jobs, session = submodule("worldtracing_addon.mesh_jobs"), submodule("worldtracing_addon.client.session")
    poll, killed = jobs.MeshWork.poll, []

    def poll_and_kill(work, wait_for_user=True):
        state = poll(work, wait_for_user)
        if state.status == "running" and not killed:
            killed.append(session._worker.kill())
        return state

    item = api.lift_object(world, mask=np.ones((240, 240), bool), name="Ball")
    bpy.context.view_layer.objects.active = item
    item.select_set(True)
    monkeypatch.setattr(jobs.MeshWork, "poll", poll_and_kill)
    with pytest.raises(RuntimeError, match="WT-WORKER-DIED"):
        bpy.ops.wt.make_mesh()
    assert killed and "Make Mesh Again" in draw_panels(MODULE)["WT_PT_trace"]
    assert "Trace" not in bpy.context.window_manager.world_tracing_job.error_fix
    item.select_set(False)
    bpy.context.view_layer.objects.active = world.root
    assert bpy.ops.wt.fix_error() == {"FINISHED"}
    assert len(api.meshes_of(item)) == 1 and not api.meshes_of(world)
    assert "Make Mesh Again" not in draw_panels(MODULE)["WT_PT_trace"]
    bpy.data.objects.remove(api.meshes_of(item)[0])
    targets = f"{world.id} {item['wt_item']}"
    bpy.data.objects.remove(item)
    with pytest.raises(RuntimeError, match="WT-SCENE-EMPTY"):
        bpy.ops.wt.make_mesh(targets=targets)
