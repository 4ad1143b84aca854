"""The traced world: its seeds, layers, camera and scale."""

from __future__ import annotations

import bpy

from .. import compat, thumbnails
from ..scene.origin import world_seeds
from ..scene.render import matches_photo
from ..scene.scale import length_in_force
from ..scene.worlds import active_world, layer_modifier, worlds
from .common import SidebarPanel, draw_text, split

STRIP_COLUMNS = 4


class WT_MT_worlds(bpy.types.Menu):
    """The scene's traced worlds; choosing one shows it alone"""

    bl_label = "Traced Worlds"

    def draw(self, context: bpy.types.Context) -> None:
        for world in worlds(context.scene):
            self.layout.operator("wt.show_world", text=world.name).world_id = world.id


class WT_PT_world(SidebarPanel, bpy.types.Panel):
    bl_label = "Traced World"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        world = active_world(context)
        if world is None:
            layout.label(text="Nothing is traced yet")
            return
        row = layout.row(align=True)
        row.menu("WT_MT_worlds", text=world.name, icon="WORLD")
        row.operator("wt.remove_world", text="", icon="TRASH")
        root = world.root
        if root is not None:
            layout.row().prop(root.world_tracing, "display", expand=True)
        row = layout.row(align=True)
        row.operator("wt.look_through", icon="CAMERA_DATA")
        row.operator("wt.match_photo", icon="COLOR", depress=matches_photo(context.scene))


class _WorldPanel(SidebarPanel):
    """A sub-panel that is there when a world with a root is."""

    bl_parent_id = "WT_PT_world"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        world = active_world(context)
        return world is not None and world.root is not None


class WT_PT_seeds(_WorldPanel, bpy.types.Panel):
    bl_label = "Seeds"
    bl_options = set()  # open: it is there only where there is something to pick

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and bool(world_seeds(active_world(context).root))

    def draw(self, context: bpy.types.Context) -> None:
        grid = self.layout.grid_flow(row_major=True, columns=STRIP_COLUMNS, even_columns=True, align=True)
        for seed in world_seeds(active_world(context).root):
            column = grid.column(align=True)
            column.template_icon(icon_value=thumbnails.icon(seed.path), scale=3.5)
            icon = "SOLO_ON" if seed.suggested else "NONE"
            button = column.operator("wt.pick_seed", text=str(seed.number), icon=icon, depress=seed.shown)
            button.seed = str(seed.number)
        self.layout.label(text="Suggested", icon="SOLO_ON")


class WT_PT_layers(_WorldPanel, bpy.types.Panel):
    bl_label = "Layers"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split(self.layout)
        world = active_world(context)
        shown = world.root.world_tracing
        for name in ("color_source", "cut_off", "density"):
            layout.prop(shown, name)
        if shown.display == "Surface":
            layout.prop(shown, "depth_jump")
        else:
            layout.prop(shown, "point_radius")
            layout.prop(shown, "depth_scaling")
        layout.prop(shown, "lit")
        column = layout.column(align=True)
        for layer in world.layers:
            line = column.row(align=True)
            line.label(text=layer.name, icon="POINTCLOUD_DATA")
            line.prop(layer, "hide_viewport", text="", emboss=False)
            line.prop(layer, "hide_render", text="", emboss=False)
        row = layout.row(align=True)
        row.operator("wt.separate_layers" if world.merged else "wt.merge_layers", icon="MOD_EXPLODE")
        row.operator("wt.make_point_cloud", text="Point Cloud", icon="OUTLINER_OB_POINTCLOUD")


class WT_PT_each_layer(_WorldPanel, bpy.types.Panel):
    bl_label = "Each Layer"
    bl_parent_id = "WT_PT_layers"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split(self.layout)
        for layer in active_world(context).layers:
            modifier = layer_modifier(layer)
            if modifier is None:
                continue
            column = layout.column()
            column.label(text=layer.name, icon="POINTCLOUD_DATA")
            for name in ("Display", "Color Source", "Point Radius", "Density"):
                compat.draw_modifier_input(column, modifier, name)


class WT_PT_camera(_WorldPanel, bpy.types.Panel):
    bl_label = "Camera"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split(self.layout)
        camera = active_world(context).camera
        if camera is None:
            layout.label(text="The matched camera was deleted")
            return
        data = camera.data
        layout.prop(data, "lens")
        layout.prop(data, "show_background_images", text="Photo Behind")
        for picture in data.background_images[:1]:
            column = layout.column()
            column.active = data.show_background_images
            column.prop(picture, "alpha", text="Opacity")
            column.prop(picture, "display_depth", text="Depth")
        text = "Restore View Settings" if matches_photo(context.scene) else "Match Photo"
        layout.operator("wt.match_photo", text=text, icon="COLOR")


class WT_PT_scale(_WorldPanel, bpy.types.Panel):
    bl_label = "Scale"

    def draw(self, context: bpy.types.Context) -> None:
        layout = split(self.layout)
        root = active_world(context).root
        length = length_in_force(root)
        if length is not None:
            units = context.scene.unit_settings
            text = bpy.utils.units.to_string(units.system, "LENGTH", length * units.scale_length)
            layout.label(text=f"Length set: {text}")
        elif root.get("wt_scale") == "metric":
            draw_text(layout, context, "This engine estimates sizes in meters")
        else:
            draw_text(layout, context, "Only proportions are known. Measure something of known length")
        layout.operator("wt.measure_scale", icon="DRIVER_DISTANCE")
        layout.prop(root, "scale")


CLASSES = (
    WT_MT_worlds,
    WT_PT_world,
    WT_PT_seeds,
    WT_PT_layers,
    WT_PT_each_layer,
    WT_PT_camera,
    WT_PT_scale,
)
register, unregister = bpy.utils.register_classes_factory(CLASSES)
