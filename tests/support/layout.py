"""What a panel draws, without a window: a stand-in for UILayout that refuses what Blender would refuse."""

from types import SimpleNamespace

import bpy


class Layout:
    """Takes what a layout takes, checks that properties and operators exist and can be read, keeps the texts."""

    def __init__(self, texts=None):
        self.texts = [] if texts is None else texts

    def __setattr__(self, name, value):
        assert name == "texts" or name in bpy.types.UILayout.bl_rna.properties, name
        object.__setattr__(self, name, value)

    def row(self, **_):
        return Layout(self.texts)

    column = box = grid_flow = row

    def panel(self, idname, default_closed=False):
        return Layout(self.texts), Layout(self.texts)

    def separator(self):
        pass

    def label(self, text="", icon="NONE"):
        _check_icon("label", icon)
        self.texts.append(text)

    def prop(self, data, name, text=None, icon="NONE", **_):
        _check_icon("prop", icon)
        if name.startswith("["):  # a custom property
            data.path_resolve(name)
        else:
            assert name in data.bl_rna.properties, name
            if isinstance(data, bpy.types.bpy_struct):
                getattr(data, name)
            self.texts.append(data.bl_rna.properties[name].name)

    def progress(self, factor, text, type):
        assert 0 <= factor <= 1
        self.texts.append(text)

    def operator(self, idname, text=None, icon="NONE", **_):
        module, name = idname.split(".")
        rna = getattr(getattr(bpy.ops, module), name).get_rna_type()
        _check_icon("operator", icon)
        self.texts.append(text if text is not None else rna.name)

        class Properties:
            def __setattr__(self, key, value):
                assert key in rna.properties, key

        return Properties()

    def menu(self, menu, text="", icon="NONE"):
        _check_icon("menu", icon)
        getattr(bpy.types, menu).draw(SimpleNamespace(layout=self), bpy.context)
        self.texts.append(text)

    def template_list(self, kind, list_id, data, name, active_data, active_name, **_):
        for item in getattr(data, name):
            draw_item = getattr(bpy.types, kind).draw_item
            draw_item(None, None, self, data, item, 0, active_data, active_name)
        getattr(active_data, active_name)

    def template_ID_preview(self, data, name, **_):  # noqa: N802
        getattr(data, name)

    def template_icon(self, icon_value, scale=1.0):
        assert isinstance(icon_value, int)


def context(**changes):
    """The context with what drawing needs of a window; without one Blender's scale is 0."""
    system = SimpleNamespace(ui_scale=1.0, bl_rna=bpy.context.preferences.system.bl_rna)
    usual = {name: getattr(bpy.context, name) for name in ("scene", "view_layer", "window_manager")}
    region = SimpleNamespace(width=400)
    return SimpleNamespace(preferences=SimpleNamespace(system=system), region=region, **{**usual, **changes})


def draw_panels(package):
    """Draw every panel of a package that Blender would, those in others too; the texts by panel."""
    drawn = {}
    for panel in bpy.types.Panel.__subclasses__():
        if panel.__module__.startswith(package) and (not hasattr(panel, "poll") or panel.poll(context())):
            layout = Layout()
            panel.draw(SimpleNamespace(layout=layout), context())
            drawn[panel.__name__] = layout.texts
    return drawn


def _check_icon(function, icon):
    assert icon in bpy.types.UILayout.bl_rna.functions[function].parameters["icon"].enum_items, icon
