"""What the panel is made of: every property and operator explains itself, and the panel's values reach the layers."""

import bpy
import pytest
from toy_world import make_world

OWN = ("WT_", "WORLD_TRACING")


def registered(kind):
    """The add-on's registered classes below a Blender type."""
    return [cls for cls in kind.__subclasses__() if getattr(cls, "bl_rna", None) and cls.__name__.startswith(OWN)]


@pytest.fixture
def world(submodule):
    kind = submodule("backend.worldtracing.world").LayeredWorld
    build = submodule("worldtracing_addon.scene.build").build_world
    return build(bpy.context.scene, make_world(kind, width=48, height=32), name="toy", photo=None, source="")


def _operator_type(cls):
    module, name = cls.bl_idname.split(".")
    return getattr(getattr(bpy.ops, module), name).get_rna_type()


def test_every_operator_explains_itself(addon):
    operators = registered(bpy.types.Operator)
    assert len(operators) > 15
    untold = [cls.bl_idname for cls in operators if not _operator_type(cls).description.strip()]
    assert not untold


def test_every_property_explains_itself(addon):
    groups = registered(bpy.types.PropertyGroup)
    classes = [*groups, *registered(bpy.types.Operator), *registered(bpy.types.AddonPreferences)]
    assert len(groups) >= 5
    bases = (bpy.types.PropertyGroup, bpy.types.Operator, bpy.types.AddonPreferences)
    inherited = {prop.identifier for base in bases for prop in base.bl_rna.properties}
    untold = [
        f"{cls.__name__}.{prop.identifier}"
        for cls in classes
        for prop in cls.bl_rna.properties
        if prop.identifier not in inherited and not prop.description.strip()
    ]
    assert not untold


def test_the_panels_values_are_those_of_all_layers(api, submodule, world):
    compat = submodule("worldtracing_addon.compat")
    modifier = submodule("worldtracing_addon.scene.worlds").layer_modifier
    shown = world.root.world_tracing
    assert (shown.display, shown.color_source, shown.lit, shown.cut_off) == ("Points", "Photo", False, 6)
    shown.display, shown.color_source, shown.lit, shown.cut_off = "Surface", "Depth", True, 1
    shown.point_radius, shown.density, shown.depth_jump, shown.depth_scaling = 2.0, 0.5, 0.1, False
    wanted = {"Display": "Surface", "Color Source": "Depth", "Lit": True, "Layer Cut-Off": 1, "Point Radius": 2.0,
              "Density": 0.5, "Depth Jump": pytest.approx(0.1), "Depth Scaling": False}  # fmt: skip
    for layer in world.layers:
        assert {name: compat.get_modifier_input(modifier(layer), name) for name in wanted} == wanted
    assert (shown.display, shown.color_source, shown.lit, shown.cut_off) == ("Surface", "Depth", True, 1)


def test_properties_of_an_object_that_is_no_world(addon):
    empty = bpy.data.objects.new("empty", None)
    assert empty.world_tracing.display == "Points" and empty.world_tracing.density == 1
    empty.world_tracing.density = 0.5  # there is nothing to set
    assert empty.world_tracing.density == 1
