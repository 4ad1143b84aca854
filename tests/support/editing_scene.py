"""What tests of scene editing in Blender do over and over with the room of `editing_world`."""

import bpy
import numpy as np


def click(api, owners, thing):
    """A click in the middle of what is seen of a thing."""
    rows, columns = np.nonzero(owners[0] == thing)
    middle = np.hypot(rows - rows.mean(), columns - columns.mean()).argmin()
    return api.Click(columns[middle] + 0.5, rows[middle] + 0.5)


def lift(api, world, owners, thing, name):
    item = api.lift_object(world, [click(api, owners, thing)], name=name)
    bpy.context.view_layer.update()
    return item


def places(edit_modules, item):
    """(N, 3) layer, row and column of an object's points."""
    pixels = np.floor(edit_modules.read(item.data, edit_modules.points.PIXEL)).astype(int)
    return np.c_[edit_modules.read(item.data, edit_modules.points.LAYER), pixels[:, 1], pixels[:, 0]]


def in_scene(edit_modules, item):
    """(N, 3) an object's points in scene coordinates."""
    points = np.c_[edit_modules.read(item.data, edit_modules.points.POSITION), np.ones(len(item.data.vertices))]
    return (points @ np.array(item.matrix_world).T)[:, :3]


def layer_state(edit_modules, world):
    """What the layers show: owner and color of every point."""
    state = []
    for part in world.layers:
        owner = edit_modules.read(part.data, edit_modules.points.OWNER)
        owner = np.zeros(len(part.data.vertices), int) if owner is None else owner
        state.append((owner.tolist(), np.round(edit_modules.read(part.data, edit_modules.points.COLOR), 5).tolist()))
    return state


def box(size, place=(5, 5, 5)):
    mesh = bpy.data.meshes.new("box")
    corners = [(x, y, z) for x in (0, size[0]) for y in (0, size[1]) for z in (0, size[2])]  # origin at a corner
    mesh.from_pydata(corners, [], [])
    part = bpy.data.objects.new("box", mesh)
    part.location, part.rotation_euler.x = place, 0.7
    bpy.context.scene.collection.objects.link(part)
    bpy.context.view_layer.update()
    return part
