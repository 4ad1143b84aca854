"""Every panel draws, and every button on a world does its work or says why not, whatever the artist has done to it."""

import bpy
import pytest
from layout import draw_panels

MODULE = "bl_ext.user_default.world_tracing"


def delete(*blocks):
    bpy.data.batch_remove([block for block in blocks if block is not None])


def edit(part):
    bpy.context.view_layer.objects.active = part
    bpy.ops.object.mode_set(mode="EDIT")


def empty(world):
    for layer in world.layers:
        edit(layer)
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.mesh.delete(type="VERT")
        bpy.ops.object.mode_set(mode="OBJECT")
        assert not layer.data.vertices


STATES = {
    "as traced": lambda world: None,
    "the root deleted": lambda world: delete(world.root),
    "the camera deleted": lambda world: delete(world.camera),
    "no photo behind the camera": lambda world: world.camera.data.background_images.clear(),
    "one layer deleted": lambda world: delete(world.layers[0]),
    "all layers deleted": lambda world: delete(*world.layers),
    "all points deleted": empty,
    "no modifiers": lambda world: [layer.modifiers.clear() for layer in world.layers],
    "the node groups deleted": lambda world: delete(*bpy.data.node_groups),
    "the materials deleted": lambda world: delete(*bpy.data.materials),
    "all objects deleted": lambda world: delete(*world.parts),
    "its collection deleted": lambda world: delete(world.collection),
    "its collections deleted": lambda world: delete(*world.collection.children),
    "in Edit Mode": lambda world: edit(world.layers[0]),
}
BUTTONS = {
    "look_through": {}, "match_photo": {}, "merge_layers": {}, "separate_layers": {}, "make_point_cloud": {},
    "suggest_range": {}, "show_coverage": {}, "view_settings": {"engine": "CYCLES"}, "add_rig": {"kind": "arc"},
    "fly_through": {"places": "0 1 1, 0.5 1 1"}, "pick_seed": {"seed": "1"}, "find_objects": {},
    "set_scale": {"point_a": (0, 0, 0), "point_b": (0, 1, 0), "length": 2.0}, "lift_object": {"x": 48, "y": 36},
    "put_back": {"everything": True}, "align_ground": {}, "remove_world": {},
}  # fmt: skip


def press(name, options):
    """Click a button; an error that it reports is an answer, a traceback is not."""
    try:
        getattr(bpy.ops.wt, name)(**options)
    except RuntimeError as error:
        assert "Traceback" not in str(error), f"{name}: {error}"


@pytest.fixture
def world(scene_modules):
    made = scene_modules.make()
    bpy.context.view_layer.update()
    yield made
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize("state", STATES)
def test_the_buttons_of_a_world_in_any_state(api, world, state):
    STATES[state](world)
    bpy.context.view_layer.update()
    draw_panels(MODULE)
    for name, options in BUTTONS.items():
        press(name, options)
        draw_panels(MODULE)


def test_nothing_is_changed_in_edit_mode(api, world):
    """Blender's undo steps of Edit Mode hold no other objects, and the points are away for so long."""
    edit(world.layers[0])
    before = {block.name: block.library for block in (*bpy.data.objects, *bpy.data.meshes)}
    for name in ("merge_layers", "make_point_cloud", "add_rig", "remove_world", "set_scale"):
        assert getattr(bpy.ops.wt, name)(**BUTTONS[name]) == {"CANCELLED"}
    assert {block.name: block.library for block in (*bpy.data.objects, *bpy.data.meshes)} == before


def test_what_the_panels_show(api, world):
    drawn = draw_panels(MODULE)
    assert {"WT_PT_trace", "WT_PT_world", "WT_PT_layers", "WT_PT_scale", "WT_PT_views", "WT_PT_edit"} <= set(drawn)
    assert "Trace World" in drawn["WT_PT_trace"] and "Merge Layers" in drawn["WT_PT_layers"]
    assert "Depth Jump" not in drawn["WT_PT_layers"]
    api.set_layers(world, Display="Surface")
    api.merge_layers(world)
    drawn = draw_panels(MODULE)
    assert "Separate Layers" in drawn["WT_PT_layers"] and "Depth Jump" in drawn["WT_PT_layers"]
    job = bpy.context.window_manager.world_tracing_job
    job.running, job.text, job.fraction = True, "Sampling", 0.5
    job.error_code, job.error_message, job.error_fix = "WT-IMG-MISSING", "It is gone.", "Bring it back."
    job.failures.add().photo = "cat.png"
    drawn = draw_panels(MODULE)
    assert {"Sampling", "WT-IMG-MISSING"} <= set(drawn["WT_PT_trace"]) and "Failed: 1" in drawn["WT_PT_batch"]
    job.reset()
    api.remove_world(world)
    drawn = draw_panels(MODULE)
    assert drawn["WT_PT_world"] == ["Nothing is traced yet"] and "WT_PT_layers" not in drawn


@pytest.mark.parametrize("override", [False, True])
def test_a_world_that_is_linked_from_another_file(api, scene_modules, world, tmp_path, override):
    """It can be looked at; a trace of the same photo becomes a world of this file's own, beside it."""
    api.save_blend(tmp_path / "world.blend")
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "world.blend"), link=True) as (source, target):
        target.collections = [name for name in source.collections if name == "World Tracing"]
    (linked,) = target.collections
    bpy.context.scene.collection.children.link(linked)
    if override:
        assert linked.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
        bpy.context.scene.collection.children.unlink(linked)
    (before,) = api.worlds(bpy.context.scene)
    assert before.is_linked and before.root and before.layers
    draw_panels(MODULE)
    for name, options in BUTTONS.items():
        press(name, options)
        draw_panels(MODULE)
    again = scene_modules.make()
    assert not again.is_linked and again.id != before.id
    assert scene_modules.make().id == again.id
