"""A terse way to write node trees in code."""

from __future__ import annotations

from typing import Any

import bpy


class NodeGraph:
    """Adds nodes to a geometry-node tree; sockets and constants are given alike."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree

    def add(self, kind: str, *values: Any, settings: dict[str, Any] | None = None, **named: Any) -> bpy.types.Node:
        """A new node of type `kind`.

        Args:
            values: for its visible inputs in order, which differs between versions for a few nodes: name those.
                None leaves one alone.
            settings: attributes of the node, set first because they decide which inputs are visible.
            named: for visible inputs by name, spaces as underscores.
        """
        node = self.tree.nodes.new(kind)
        for name, value in (settings or {}).items():
            if getattr(node, name) != value:  # each change updates the whole tree
                setattr(node, name, value)
        visible = [socket for socket in node.inputs if socket.enabled]
        for socket, value in zip(visible, values, strict=False):
            self.feed(socket, value)
        for name, value in named.items():
            self.feed(next(socket for socket in visible if socket.name == name.replace("_", " ")), value)
        return node

    def feed(self, socket: bpy.types.NodeSocket, value: Any) -> None:
        """Link a socket, or set a constant."""
        if isinstance(value, bpy.types.Node):
            value = first_output(value)
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        elif value is not None and socket.default_value != value:
            socket.default_value = value

    def math(self, operation: str, *values: Any) -> bpy.types.NodeSocket:
        return first_output(self.add("ShaderNodeMath", *values, settings={"operation": operation}))

    def vector(self, operation: str, *values: Any) -> bpy.types.NodeSocket:
        return first_output(self.add("ShaderNodeVectorMath", *values, settings={"operation": operation}))

    def compare(self, data_type: str, operation: str, a: Any, b: Any) -> bpy.types.NodeSocket:
        settings = {"data_type": data_type, "operation": operation}
        return first_output(self.add("FunctionNodeCompare", a, b, settings=settings))

    def switch(self, input_type: str, condition: Any, no: Any, yes: Any) -> bpy.types.NodeSocket:
        settings = {"input_type": input_type}
        return first_output(self.add("GeometryNodeSwitch", condition, no, yes, settings=settings))

    def attribute(self, name: str, data_type: str) -> bpy.types.NodeSocket:
        return first_output(self.add("GeometryNodeInputNamedAttribute", name, settings={"data_type": data_type}))

    def store(self, geometry: Any, name: str, value: Any, data_type: str, domain: str) -> bpy.types.NodeSocket:
        settings = {"data_type": data_type, "domain": domain}
        node = self.add("GeometryNodeStoreNamedAttribute", settings=settings, Geometry=geometry, Name=name, Value=value)
        return first_output(node)

    def combine(self, x: Any, y: Any, z: Any) -> bpy.types.NodeSocket:
        return first_output(self.add("ShaderNodeCombineXYZ", x, y, z))

    def separate(self, vector: Any) -> tuple[bpy.types.NodeSocket, ...]:
        return tuple(self.add("ShaderNodeSeparateXYZ", vector).outputs)

    def repeat(self, times: Any, *items: tuple[str, str, Any]) -> tuple[bpy.types.Node, bpy.types.Node]:
        """A repeat zone: its first and last node. It carries "Geometry", empty at first, and (type, name, start)."""
        start, end = self.tree.nodes.new("GeometryNodeRepeatInput"), self.tree.nodes.new("GeometryNodeRepeatOutput")
        start.pair_with_output(end)
        for kind, name, _ in items:
            end.repeat_items.new(kind, name)
        self.feed(start.inputs["Iterations"], times)
        for _, name, value in items:
            self.feed(start.inputs[name], value)
        return start, end

    def on_domain(self, value: Any, data_type: str, domain: str) -> bpy.types.NodeSocket:
        """`value` evaluated on `domain` and interpolated from there to wherever it is used."""
        settings = {"data_type": data_type, "domain": domain}
        return first_output(self.add("GeometryNodeFieldOnDomain", value, settings=settings))

    def sample(self, geometry: Any, value: Any, index: Any, data_type: str) -> bpy.types.NodeSocket:
        """`value` of point `index` of `geometry`."""
        settings = {"data_type": data_type, "domain": "POINT"}
        node = self.add("GeometryNodeSampleIndex", settings=settings, Geometry=geometry, Value=value, Index=index)
        return first_output(node)


def first_output(node: bpy.types.Node) -> bpy.types.NodeSocket:
    """The node's first visible output."""
    return next(socket for socket in node.outputs if socket.enabled)
