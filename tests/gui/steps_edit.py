"""Looks at the world in the viewport, lifts an object out of it, makes a mesh of it."""

import bpy
from hand import (
    PATIENCE,
    click,
    click_one_of,
    in_view,
    redo,
    say,
    screenshot,
    shade,
    shading,
    undo,
    viewport,
    viewport_colors,
    wait_until,
    waiting_for_clicks,
)
from sidebar import find_middle, press_button, unfold
from state import job, layers, of_kind, painted_points, root, taken_points

CUP = 0.62, 0.47
"""Where the camera's view shows the cup."""


def see_colors():
    """Points in Material Preview, which the trace has switched on."""
    yield from wait_for_colors("03_result.png", 240)


def look_in_solid():
    """Points are gray there: Blender draws them so."""
    yield from shade("6", "SOLID")
    screenshot("04_solid_points.png")


def look_at_the_surface():
    shading().color_type = "VERTEX"
    yield from show_surface()
    yield from wait_for_colors("05_solid_surface.png", 30)


def show_surface():
    """The second button in the row above Photo Camera."""
    title = yield from unfold("WT_PT_world")
    _, y = yield from find_middle("wt.look_through", below=title)
    sidebar = viewport()[2]
    x = sidebar.x + int(sidebar.width * 0.7)
    places = [(x, y + above) for above in (26, 22, 30)]
    yield from click_one_of(places, lambda: root().world_tracing.display == "Surface", "Surface")


def wait_for_colors(name, seconds):
    """Wait until the middle of the viewport is clearly not gray: the cup is red and brown."""
    bpy.context.scene.camera.data.show_background_images = False  # the colors must be the world's own
    mean = None

    def colorful():
        nonlocal mean
        screenshot(name)
        colors = viewport_colors(name)
        height, width, _ = colors.shape
        mean = colors[height // 4 : -height // 4, width * 2 // 5 : -width // 5].mean((0, 1))
        return mean[0] - mean[2] > 0.1

    yield from wait_until(colorful, seconds, f"the world's colors in {name}; software GL compiles shaders")
    say("mean color of", name, mean.round(3))


def lift_and_remove():
    """A click on the cup lifts it, another removes it, a third repaints what it hid; undo brings everything back."""
    title = yield from unfold("WT_PT_edit")
    yield from press_button(
        "wt.lift_object", lambda: waiting_for_clicks("lift_object"), "the wait for a click", below=title
    )
    click(*in_view(*CUP))
    yield from wait_until(lambda: of_kind("lifted"), PATIENCE, "a lifted object")
    item = of_kind("lifted")[0]
    name, lifted = item.name, len(item.data.vertices)
    assert item.select_get() and lifted == taken_points() > 1000
    say("lifted", name, "with", lifted, "points")
    yield 0.5
    screenshot("20_lifted.png")
    yield from press_button("wt.remove_object", lambda: item.hide_viewport, "the removal", below=title)
    assert item.hide_render and taken_points() == lifted
    yield 0.5
    screenshot("21_removed.png")
    yield from press_button("wt.repaint", painted_points, "painted points", below=title)
    say("painted", painted_points(), "points of the layers")
    yield 0.5
    screenshot("22_repainted.png")
    yield from undo(lambda: not painted_points() and bpy.data.objects[name].hide_viewport, "smooth colors again")
    yield from undo(lambda: not bpy.data.objects[name].hide_viewport, "the object is shown again")
    assert taken_points() == lifted
    yield from undo(lambda: not of_kind("lifted") and not taken_points(), "its points are the layers' again")
    say("undid removing and lifting")
    yield from redo(lambda: of_kind("lifted") and taken_points() == lifted, "the object is lifted")
    yield from undo(lambda: not of_kind("lifted") and not taken_points(), "its points are the layers' again")


def make_mesh():
    """A textured mesh of the whole world, which is shown in place of the points."""
    title = yield from unfold("WT_PT_mesh")
    yield from press_button("wt.make_mesh", lambda: job().running or of_kind("mesh"), "a mesh", below=title)
    yield from wait_until(lambda: not job().running, 180, "the mesh")
    assert not job().error_code, job().error_message
    mesh = of_kind("mesh")[0]
    say("made", mesh.name, "with", len(mesh.data.polygons), "faces")
    nodes = mesh.data.materials[0].node_tree.nodes
    picture = next(node.image for node in nodes if node.type == "TEX_IMAGE")
    assert len(mesh.data.polygons) > 1000 and mesh.data.uv_layers and picture.packed_file
    assert mesh.visible_get() and not any(layer.visible_get() for layer in layers())
    shading().color_type = "TEXTURE"
    yield 0.5  # the panel moves for a moment
    yield from wait_for_colors("06_mesh.png", 30)
    yield from undo(lambda: not of_kind("mesh") and layers()[0].visible_get(), "the points instead of the mesh")
    shading().color_type = "VERTEX"
