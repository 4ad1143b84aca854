"""Undo and redo through fifty random edits return to the same scene."""

import random
from hashlib import sha256

import bpy
import numpy as np
import pytest


@pytest.fixture
def steps():
    """Room for all undo steps."""
    edit = bpy.context.preferences.edit
    before = edit.undo_steps
    edit.undo_steps = 120
    yield
    edit.undo_steps = before


def snapshot(read):
    """Everything that edits change, by object."""
    bpy.context.view_layer.update()
    state = {}
    for part in bpy.data.objects:
        points = b""
        if part.type == "MESH":
            for name in ("position", "wt_color", "wt_owner", "wt_layer"):
                values = read(part.data, name)
                points += b"" if values is None else np.ascontiguousarray(values).tobytes()
        state[part.name] = (
            np.round(np.array(part.matrix_basis), 5).tolist(),
            part.parent.name if part.parent else "",
            part.hide_viewport,
            part.hide_render,
            part.select_get(),
            part.get("wt_kind"),
            sha256(points).hexdigest(),
        )
    return state


def random_edit(api, world, choice):
    """One edit that may fail, as the artist's may."""
    lifted = [item.name for item in world.items if item["wt_kind"] != "filled"]
    one = choice.choice([*lifted, "Object 1", "Object 2", "Object 3"])
    edits = (
        lambda: api.lift_object(world, [api.Click(choice.uniform(0, 96), choice.uniform(0, 96))]),
        lambda: api.run_command(world, f'move "{one}" left {choice.uniform(-1, 1):.2f} m'),
        lambda: api.run_command(world, f'rotate "{one}" {choice.uniform(-90, 90):.0f} degrees'),
        lambda: api.run_command(world, f'scale "{one}" by {choice.uniform(0.5, 2):.2f}'),
        lambda: api.run_command(world, f'duplicate "{one}" up 10 cm'),
        lambda: api.run_command(world, f'{choice.choice(["remove", "hide", "show", "select"])} "{one}"'),
        lambda: api.run_command(world, f'put back "{one}"'),
        lambda: api.run_command(world, f'replace "{one}" with "{choice.choice(lifted)}"'),
        lambda: api.merge_objects(world, choice.sample(api.lifted_objects(world), 2)),
        lambda: api.split_object(
            world,
            choice.choice(api.lifted_objects(world)),
            [api.Box(0, 0, choice.uniform(20, 80), choice.uniform(20, 80))],
        ),
        lambda: api.align_ground(world),
        lambda: choice.random() < 0.2 and api.put_all_back(world),
        lambda: api.add_rig(world, "orbit"),
    )
    try:
        choice.choice(edits)()
    except (api.WorldTracingError, IndexError, ValueError):  # nothing to choose from
        return False
    return True


def test_undo_and_redo_through_fifty_random_edits(api, submodule, build_room, steps):
    read = submodule("worldtracing_addon.scene.attributes").read_attribute
    world, _ = build_room()
    bpy.ops.ed.undo_push(message="room")
    states = [snapshot(read)]
    choice = random.Random(1)
    done = 0
    while done < 50:
        if random_edit(api, world, choice):
            done += 1
            states.append(snapshot(read))
            bpy.ops.ed.undo_push(message=f"edit {done}")
    assert len({str(state) for state in states}) > 25  # the edits did something
    for state in reversed(states[:-1]):
        bpy.ops.ed.undo()
        assert snapshot(read) == state
    for state in states[1:]:
        bpy.ops.ed.redo()
        assert snapshot(read) == state
