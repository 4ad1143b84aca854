"""What is kept of worlds, so that nothing is computed twice, is freed once nobody can ask for it."""

import gc
import weakref

import bpy
import editing_world as room
import pytest
from editing_scene import lift


def traced(edit_modules, world):
    """The arrays of a world as they are kept, without keeping them."""
    return weakref.ref(edit_modules.world_data.read_world(world).world)


def is_freed(reference):
    gc.collect()
    return reference() is None


def use(api, world, owners):
    """Have everything computed that is kept."""
    ball = lift(api, world, owners, room.BALL, "ball")
    api.find_objects(world)
    with pytest.raises(api.WorldTracingError, match="WT-SCENE-PROMPT"):
        api.lift_object(world, [api.Click(-50, -50)])
    api.repaint(world)
    api.put_back(world, ball)


def test_opening_another_file_frees_what_was_computed(api, edit_modules, build_room):
    world, owners = build_room()
    use(api, world, owners)
    kept = traced(edit_modules, world)
    assert not is_freed(kept)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert is_freed(kept)


def test_what_a_thread_finds_out_after_another_file_was_opened_is_freed(submodule, edit_modules, build_room):
    segmentation = submodule("worldtracing_addon.scene.segmentation").segmentation
    world, _ = build_room()
    kept = traced(edit_modules, world)
    left = [edit_modules.world_data.read_world(world).world]
    bpy.ops.wm.read_homefile(use_empty=True)
    work = submodule("worldtracing_addon.ops.waiting").started(lambda: bool(segmentation(left.pop()).planes))
    assert work.result(60)
    assert is_freed(kept)


def test_switching_the_add_on_off_frees_what_was_computed(api, edit_modules, build_room):
    world, owners = build_room()
    use(api, world, owners)
    kept, world_data = traced(edit_modules, world), edit_modules.world_data
    world_data.unregister()
    try:
        assert is_freed(kept)
    finally:
        world_data.register()


def test_points_that_were_edited_free_what_was_computed_of_those_before(api, edit_modules, build_room):
    world, owners = build_room()
    use(api, world, owners)
    kept = traced(edit_modules, world)
    mesh = world.layers[0].data
    mesh.vertices[0].co.x += 1e-3
    api.find_objects(world)
    assert is_freed(kept)


def test_of_many_worlds_only_the_last_are_kept(api, edit_modules, build_room):
    kept = []
    for name in ("one", "two", "three"):
        world, owners = build_room(name)
        use(api, world, owners)
        kept.append(traced(edit_modules, world))
    assert [is_freed(one) for one in kept] == [True, False, False]


def test_prompts_at_nothing_are_said_by_an_error_of_their_own(api, build_room):
    """One that were raised again and again would hold on to all that its tracebacks lead to."""
    world, _ = build_room()
    errors = []
    for _ in range(2):
        with pytest.raises(api.WorldTracingError, match="WT-SCENE-PROMPT") as caught:
            api.lift_object(world, [api.Click(-50, -50)])
        errors.append(caught.value)
    assert errors[0] is not errors[1]
