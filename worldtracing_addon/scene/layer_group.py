"""The geometry-node group "World Tracing Layer" that shows the vertices of one or more layers as points or surfaces.

The group carries its version. One of an older version is built anew when its file is opened, or at the next trace, and
its modifiers keep their values. New inputs go to the end of the table that they belong to: animation finds an input by
the number of its turn.
"""

from __future__ import annotations

from typing import Any

import bpy

from .. import compat
from ..core.color import LAYER_COLORS, TURBO, linear_stops
from .materials import LIT, UNLIT, ensure_material
from .node_graph import NodeGraph, first_output
from .points import COLOR, LAYER, OWNER
from .surface_nodes import surface_branch
from .transaction import Transaction

NAME, SURFACE_NAME, VERSION = "World Tracing Layer", "World Tracing Surface", 3
DISPLAYS = ("Points", "Surface")
VIEWPORT_RADIUS = 2**0.5
COLOR_SOURCES = ("Photo", "Layer", "Depth")

_SOCKETS: tuple[tuple[str, str, Any, Any, Any, str], ...] = (
    # name, type, default, min, max, description
    ("Display", "Menu", "Points", None, None, "Show the layer as round points, or as a surface of one face per pixel"),
    ("Point Radius", "Float", 0.75, 0.0, 100.0, "Radius of a point in pixels of the traced picture. From 0.71 on, "
     "points close up as seen from the photo's camera"),
    ("Depth Scaling", "Bool", True, None, None, "Farther points are larger, so that all look alike from the photo's "
     "camera. Off: all have the size that fits the middle depth"),
    ("Density", "Float", 1.0, 0.0, 1.0, "Share of the points that is shown; thinning is random but steady"),
    ("Color Source", "Menu", "Photo", None, None, "Color by the photo, by layer, or by depth (near is red)"),
    ("Layer Cut-Off", "Int", 6, 0, 64, "Layers after this number are not shown; 1 leaves the visible surface alone"),
    ("Depth Jump", "Float", 0.04, 0.0, 10.0, "The surface is torn where neighboring pixels differ in depth by more "
     "than this share of the nearer one's"),
    ("Lit", "Bool", False, None, None, "Let the scene's lights shine on it. Off: it shows the photo's own colors"),
    ("Material", "Material", None, None, None, "Material of the unlit display; reads the color from wt_color"),
    ("Lit Material", "Material", None, None, None, "Material of the lit display; reads the color from wt_color"),
)  # fmt: skip

_CAMERA_SOCKETS: tuple[tuple[str, str, Any, Any, Any, str], ...] = (
    ("Width", "Int", 1, 1, None, "Width of the traced picture in pixels"),
    ("Height", "Int", 1, 1, None, "Height of the traced picture in pixels"),
    ("Focal X", "Float", 1.0, 1e-6, None, "Horizontal focal length in pixels of the traced picture"),
    ("Focal Y", "Float", 1.0, 1e-6, None, "Vertical focal length in pixels of the traced picture"),
    ("Center X", "Float", 0.0, None, None, "Column of the principal point in pixels of the traced picture"),
    ("Center Y", "Float", 0.0, None, None, "Row of the principal point in pixels of the traced picture, from the top"),
    ("Near", "Float", 1.0, 0.0, None, "Depth of the world's nearest point"),
    ("Far", "Float", 2.0, 0.0, None, "Depth of the world's farthest point"),
    ("UV Min", "Vector", (0, 0, 0), None, None, "UV of the traced picture's bottom left corner in the photo"),
    ("UV Max", "Vector", (1, 1, 0), None, None, "UV of the traced picture's top right corner in the photo"),
)

INPUTS = tuple(spec[0] for spec in _SOCKETS + _CAMERA_SOCKETS)
"""Names of the group's inputs, which the artist may rename or remove in a file."""

_SURFACE_INPUTS = ("Depth Jump", "Width", "Height", "Focal X", "Focal Y", "Center X", "Center Y", "UV Min", "UV Max")


def ensure_group(transaction: Transaction) -> bpy.types.NodeTree:
    """The shared group of this version, built where this file has none; layers that use an older one get it."""
    current = (group for group in _groups() if (group["wt_group"], group["wt_version"]) == (NAME, VERSION))
    outdated = outdated_groups()
    group = next(current, None) or _new_group(transaction)
    if not outdated:
        return group
    for modifier in [modifier for part in bpy.data.objects for modifier in part.modifiers if modifier.type == "NODES"]:
        if modifier.node_group in outdated:
            _change_group(transaction, modifier, group)
    for other in outdated:
        transaction.discard(other)
    return group


def outdated_groups() -> list[bpy.types.NodeTree]:
    """The file's own groups that an older version of the add-on made; a newer one's are left alone."""
    return [group for group in _groups() if group["wt_version"] < VERSION]


def _groups() -> list[bpy.types.NodeTree]:
    return [group for group in bpy.data.node_groups if group.get("wt_group") and not group.library]


def _change_group(transaction: Transaction, modifier: bpy.types.NodesModifier, group: bpy.types.NodeTree) -> None:
    """Exchange a modifier's group; inputs of the same name keep their values."""
    old_group = modifier.node_group
    old = {name: compat.get_modifier_input(modifier, name) for name in compat.input_names(old_group)}

    def assign(tree: bpy.types.NodeTree) -> None:
        modifier.node_group = tree
        for name in compat.input_names(tree):
            if name in old:
                compat.set_modifier_input(modifier, name, old[name])

    transaction.on_rollback(lambda: assign(old_group))
    assign(group)


def _new_group(transaction: Transaction) -> bpy.types.NodeTree:
    group = _new_tree(transaction, NAME)
    group.is_modifier = True
    sockets = {spec[0]: _new_socket(group, spec) for spec in _SOCKETS}
    panel = group.interface.new_panel("Camera", description="Set by the trace", default_closed=True)
    for spec in _CAMERA_SOCKETS:
        _new_socket(group, spec, panel)
    sockets["Material"].default_value = ensure_material(transaction, UNLIT)
    sockets["Lit Material"].default_value = ensure_material(transaction, LIT)
    _build(NodeGraph(group), _new_surface(transaction))
    sockets["Display"].default_value = "Points"  # a menu knows its items once it is linked
    sockets["Color Source"].default_value = "Photo"
    _arrange(group)
    return group


def _new_surface(transaction: Transaction) -> bpy.types.NodeTree:
    """The surface as a group of its own: two small trees are built faster than a large one, and read better."""
    group = _new_tree(transaction, SURFACE_NAME)
    specs = {spec[0]: spec for spec in _SOCKETS + _CAMERA_SOCKETS}
    for name in _SURFACE_INPUTS:
        _new_socket(group, specs[name])
    graph = NodeGraph(group)
    inputs = graph.add("NodeGroupInput").outputs
    graph.add("NodeGroupOutput", surface_branch(graph, inputs, inputs["Geometry"]))
    _arrange(group)
    return group


def _new_tree(transaction: Transaction, name: str) -> bpy.types.NodeTree:
    group = transaction.made(bpy.data.node_groups.new(name, "GeometryNodeTree"))
    group["wt_group"], group["wt_version"] = name, VERSION
    for direction in ("OUTPUT", "INPUT"):
        group.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
    return group


def _new_socket(group: bpy.types.NodeTree, spec: tuple, panel: Any = None) -> Any:
    name, kind, default, lowest, highest, description = spec
    interface = group.interface
    socket = interface.new_socket(name, description=description, in_out="INPUT", socket_type=f"NodeSocket{kind}")
    if panel is not None:
        interface.move_to_parent(socket, panel, len(panel.interface_items))
    if default is not None and kind != "Menu":
        socket.default_value = default
    if lowest is not None:
        socket.min_value = lowest
    if highest is not None:
        socket.max_value = highest
    return socket


def _build(graph: NodeGraph, surface: bpy.types.NodeTree) -> None:
    inputs = graph.add("NodeGroupInput").outputs
    depth = graph.separate(graph.add("GeometryNodeInputPosition"))[1]
    kept = graph.add(
        "GeometryNodeDeleteGeometry",
        inputs["Geometry"],
        _left_out(graph, inputs),
        settings={"domain": "POINT"},
    )
    colored = graph.store(kept, COLOR, _color(graph, inputs, depth), "FLOAT_COLOR", "POINT")
    faces = _surfaces(graph, inputs, colored, surface)
    display = graph.add("GeometryNodeMenuSwitch", settings={"data_type": "GEOMETRY"})
    compat.name_menu_items(display, DISPLAYS)
    for socket, value in zip(
        display.inputs,
        (inputs["Display"], _points(graph, inputs, colored, depth), faces),
        strict=False,
    ):
        graph.feed(socket, value)
    material = graph.switch("MATERIAL", inputs["Lit"], inputs["Material"], inputs["Lit Material"])
    graph.add("NodeGroupOutput", graph.add("GeometryNodeSetMaterial", Geometry=display, Material=material))


def _surfaces(graph: NodeGraph, inputs: Any, geometry: Any, surface: bpy.types.NodeTree) -> Any:
    """The surface of each layer in turn, joined: a merged object has several, which must not be sewn together."""
    layer = graph.attribute(LAYER, "INT")
    range_ = graph.add("GeometryNodeAttributeStatistic", Geometry=geometry, Attribute=layer).outputs
    count = graph.math("ADD", graph.math("SUBTRACT", range_["Max"], range_["Min"]), 1.0)
    start, end = graph.repeat(count, ("INT", "Layer", range_["Min"]))
    one = graph.add(
        "GeometryNodeSeparateGeometry",
        geometry,
        graph.compare("INT", "EQUAL", layer, start.outputs["Layer"]),
        settings={"domain": "POINT"},
    )
    faces = graph.add(
        "GeometryNodeGroup",
        settings={"node_tree": surface},
        Geometry=one,
        **{name.replace(" ", "_"): inputs[name] for name in _SURFACE_INPUTS},
    )
    joined = graph.add("GeometryNodeJoinGeometry", start.outputs["Geometry"])
    graph.feed(joined.inputs[0], faces)
    graph.feed(end.inputs["Geometry"], joined)
    graph.feed(end.inputs["Layer"], graph.math("ADD", start.outputs["Layer"], 1.0))
    return end.outputs["Geometry"]


def _left_out(graph: NodeGraph, inputs: Any) -> Any:
    """Points of layers beyond the cut-off, and those that a lifted object has taken."""
    beyond = graph.compare("INT", "GREATER_EQUAL", graph.attribute(LAYER, "INT"), inputs["Layer Cut-Off"])
    lifted = graph.compare("INT", "GREATER_THAN", graph.attribute(OWNER, "INT"), 0)
    return graph.add("FunctionNodeBooleanMath", beyond, lifted, settings={"operation": "OR"})


def _points(graph: NodeGraph, inputs: Any, geometry: Any, depth: Any) -> Any:
    chance = graph.add("FunctionNodeRandomValue", settings={"data_type": "BOOLEAN"}, Probability=inputs["Density"])
    middle = graph.math("MULTIPLY", graph.math("ADD", inputs["Near"], inputs["Far"]), 0.5)
    reach = graph.switch("FLOAT", inputs["Depth Scaling"], middle, depth)
    pitch = graph.math("DIVIDE", reach, graph.math("MINIMUM", inputs["Focal X"], inputs["Focal Y"]))
    # The viewport draws a point as a diamond inside its circle, which would leave gaps.
    drawn = graph.switch("FLOAT", graph.add("GeometryNodeIsViewport"), 1.0, VIEWPORT_RADIUS)
    return graph.add(
        "GeometryNodeMeshToPoints",
        Mesh=geometry,
        Selection=chance,
        Radius=graph.math("MULTIPLY", graph.math("MULTIPLY", pitch, inputs["Point Radius"]), drawn),
    )


def _color(graph: NodeGraph, inputs: Any, depth: Any) -> Any:
    layer = graph.math("DIVIDE", graph.math("ADD", graph.attribute(LAYER, "INT"), 0.5), float(len(LAYER_COLORS)))
    nearness = graph.add("ShaderNodeMapRange")
    for name, value in {"Value": depth, "From Min": inputs["Far"], "From Max": inputs["Near"]}.items():
        graph.feed(nearness.inputs[name], value)
    switch = graph.add("GeometryNodeMenuSwitch", settings={"data_type": "RGBA"})
    compat.name_menu_items(switch, COLOR_SOURCES)
    sources = (
        inputs["Color Source"],
        graph.attribute(COLOR, "FLOAT_COLOR"),
        _ramp(graph, layer, LAYER_COLORS, "CONSTANT"),
        _ramp(graph, nearness, TURBO, "LINEAR"),
    )
    for socket, value in zip(switch.inputs, sources, strict=False):
        graph.feed(socket, value)
    return first_output(switch)


def _ramp(graph: NodeGraph, factor: Any, colors: tuple, interpolation: str) -> Any:
    node = graph.add("ShaderNodeValToRGB", factor)
    ramp, stops = node.color_ramp, linear_stops(colors, compat.rec709_to_working())
    ramp.interpolation = interpolation
    ramp.elements.remove(ramp.elements[-1])
    steps = len(stops) if interpolation == "CONSTANT" else len(stops) - 1
    for index, stop in enumerate(stops):
        element = ramp.elements[0] if index == 0 else ramp.elements.new(index / steps)
        element.position, element.color = index / steps, stop
    return first_output(node)


def _arrange(group: bpy.types.NodeTree) -> None:
    """Place nodes in columns by how far they are from the input, so that the group can be read."""
    column = dict.fromkeys(group.nodes, 0)
    for _ in range(len(group.nodes)):
        moved = False
        for link in group.links:
            if column[link.to_node] <= column[link.from_node]:
                column[link.to_node] = column[link.from_node] + 1
                moved = True
        if not moved:
            break
    rows: dict[int, int] = {}
    places = []
    for x in column.values():
        places += [220.0 * x, -180.0 * rows.get(x, 0)]
        rows[x] = rows.get(x, 0) + 1
    group.nodes.foreach_set("location", places)  # one by one, each would update the whole tree
