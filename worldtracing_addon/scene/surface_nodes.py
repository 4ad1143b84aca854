"""The surface half of the layer group: one face per pixel, torn at depth jumps.

A grid with a cell for each pixel of the traced picture keeps the cells whose pixel has a point. Each cell takes its
point's depth, the grid is split along edges where depths jump, and every corner then moves out along its viewing ray
to the mean inverse depth of the cells that still share it (a plane's inverse depth is linear in the picture). So each
pixel is covered to its outline, borders and jumps included, and no face spans a jump.
"""

from __future__ import annotations

from typing import Any

from .node_graph import NodeGraph
from .points import COLOR, CONFIDENCE, LAYER, PIXEL

INDEX, DEPTH = "wt_index", "wt_depth"


def surface_branch(graph: NodeGraph, inputs: Any, points: Any) -> Any:
    """The surface's geometry from the layer's vertices `points`."""
    size = graph.combine(inputs["Width"], inputs["Height"], 0.0)
    pixel = _grid_coordinates(graph, size)
    cells = _cells(graph, inputs, points, pixel)
    torn = _tear(graph, cells, inputs["Depth Jump"])
    placed = _place(graph, inputs, torn, pixel, size)
    smooth = graph.add("GeometryNodeSetShadeSmooth", placed)
    return _with_active_color(graph, graph.add("GeometryNodeRemoveAttribute", Geometry=smooth, Name=INDEX), points)


def _grid_coordinates(graph: NodeGraph, size: Any) -> Any:
    """(column, row, 0) in pixels of the flat grid, whose y runs up so that its faces look at the camera."""
    middle = graph.vector("MULTIPLY", size, (0.5, 0.5, 0))
    return graph.vector("MULTIPLY_ADD", graph.add("GeometryNodeInputPosition"), (1, -1, 0), middle)


def _cells(graph: NodeGraph, inputs: Any, points: Any, pixel: Any) -> Any:
    """The flat cells of the pixels that have a point, with what the point carries."""
    grid = graph.add(
        "GeometryNodeMeshGrid",
        inputs["Width"],
        inputs["Height"],
        graph.math("ADD", inputs["Width"], 1.0),
        graph.math("ADD", inputs["Height"], 1.0),
    )
    home = graph.attribute(PIXEL, "FLOAT_VECTOR")
    flat = graph.add("GeometryNodeSetPosition", Geometry=points, Position=home)
    nearest = graph.add("GeometryNodeSampleNearest", flat, pixel, settings={"domain": "POINT"})
    cells = graph.store(grid, INDEX, nearest, "INT", "FACE")
    index = graph.attribute(INDEX, "INT")
    off = graph.vector("DISTANCE", graph.sample(points, home, index, "FLOAT_VECTOR"), pixel)
    off = off.node.outputs["Value"]
    cells = graph.add(
        "GeometryNodeDeleteGeometry",
        cells,
        graph.compare("FLOAT", "GREATER_THAN", off, 0.25),
        settings={"domain": "FACE"},
    )
    depth = graph.separate(graph.sample(points, graph.add("GeometryNodeInputPosition"), index, "FLOAT_VECTOR"))[1]
    cells = graph.store(cells, DEPTH, depth, "FLOAT", "FACE")
    for name, kind in ((LAYER, "INT"), (CONFIDENCE, "FLOAT")):
        value = graph.sample(points, graph.attribute(name, kind), index, kind)
        cells = graph.store(cells, name, value, kind, "FACE")
    return _paint(graph, cells, graph.sample(points, graph.attribute(COLOR, "FLOAT_COLOR"), index, "FLOAT_COLOR"))


def _paint(graph: NodeGraph, cells: Any, color: Any) -> Any:
    """Colors that run smoothly from cell to cell, while the mean over each cell stays its pixel's color.

    A corner differs from its cell by no more than the cell's own color, so that none turns negative beside a bright
    neighbor, and dark cells keep their mean.
    """
    corner = graph.on_domain(graph.on_domain(color, "FLOAT_VECTOR", "FACE"), "FLOAT_VECTOR", "POINT")
    slope = graph.vector("SUBTRACT", corner, graph.on_domain(corner, "FLOAT_VECTOR", "FACE"))
    lowest = graph.vector("MULTIPLY", color, (-1, -1, -1))
    slope = graph.vector("MAXIMUM", graph.vector("MINIMUM", slope, color), lowest)
    return graph.store(cells, COLOR, graph.vector("ADD", color, slope), "FLOAT_COLOR", "CORNER")


def _with_active_color(graph: NodeGraph, surface: Any, points: Any) -> Any:
    """Make `wt_color` the active color, which Solid shading shows.

    No node does that, but a joined mesh takes it over from the first one joined: one vertex of the layer, which then
    goes again.
    """
    index = graph.add("GeometryNodeInputIndex")
    carrier = graph.add("GeometryNodeDeleteGeometry", points, index, settings={"domain": "POINT"})
    for name in (LAYER, CONFIDENCE, PIXEL):
        carrier = graph.add("GeometryNodeRemoveAttribute", Geometry=carrier, Name=name)
    joined = graph.add("GeometryNodeJoinGeometry", surface)
    graph.feed(joined.inputs[0], carrier)  # the link made last counts as first
    first = graph.compare("INT", "EQUAL", index, 0)
    return graph.add("GeometryNodeDeleteGeometry", joined, first, settings={"domain": "POINT"})


def _tear(graph: NodeGraph, cells: Any, jump: Any) -> Any:
    """Split the edges between cells whose depths differ by more than `jump` times the nearer one."""
    edge = graph.add("GeometryNodeInputIndex")
    sides = [graph.add("GeometryNodeCornersOfEdge", Edge_Index=edge, Sort_Index=side) for side in (0, 1)]
    near, far = (
        graph.add(
            "GeometryNodeFieldAtIndex",
            settings={"data_type": "FLOAT", "domain": "FACE"},
            Value=graph.attribute(DEPTH, "FLOAT"),
            Index=graph.add("GeometryNodeFaceOfCorner", side.outputs["Corner Index"]),
        )
        for side in sides
    )
    difference = graph.math("ABSOLUTE", graph.math("SUBTRACT", near, far))
    allowed = graph.math("MULTIPLY", graph.math("MINIMUM", near, far), jump)
    # The border is split as well, which parts cells that touch at a corner only.
    border = graph.compare("INT", "EQUAL", sides[0].outputs["Total"], 1)
    jumps = graph.compare("FLOAT", "GREATER_THAN", difference, allowed)
    chosen = graph.add("FunctionNodeBooleanMath", jumps, border, settings={"operation": "OR"})
    selection = graph.on_domain(chosen, "BOOLEAN", "EDGE")
    return graph.add("GeometryNodeSplitEdges", cells, selection)


def _place(graph: NodeGraph, inputs: Any, cells: Any, pixel: Any, size: Any) -> Any:
    """Write the UV map, then move the flat corners to their places in the world."""
    along = graph.vector("MULTIPLY_ADD", graph.vector("DIVIDE", pixel, size), (1, -1, 0), (0, 1, 0))
    span = graph.vector("SUBTRACT", inputs["UV Max"], inputs["UV Min"])
    uv = graph.vector("MULTIPLY_ADD", along, span, inputs["UV Min"])
    cells = graph.store(cells, "UVMap", uv, "FLOAT2", "CORNER")
    nearness = graph.math("DIVIDE", 1.0, graph.attribute(DEPTH, "FLOAT"))
    depth = graph.math("DIVIDE", 1.0, graph.on_domain(nearness, "FLOAT", "FACE"))
    column, row, _ = graph.separate(pixel)
    right = graph.math("DIVIDE", graph.math("SUBTRACT", column, inputs["Center X"]), inputs["Focal X"])
    up = graph.math("DIVIDE", graph.math("SUBTRACT", inputs["Center Y"], row), inputs["Focal Y"])
    position = graph.vector("SCALE", graph.combine(right, 1.0, up))
    graph.feed(position.node.inputs["Scale"], depth)
    return graph.add("GeometryNodeSetPosition", Geometry=cells, Position=position)
