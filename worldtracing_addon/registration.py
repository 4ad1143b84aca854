"""Registers the add-on's modules in order; none of them touches the network, starts a process or writes a file."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    ".client.session",
    ".preferences",
    ".properties",
    ".mesh_properties",
    ".background",
    ".models",
    ".memory",
    ".state",
    ".world_properties",
    ".thumbnails",
    ".history",
    ".trace",
    ".scene.copies",
    ".scene.migration",
    ".scene.world_data",
    ".ops.running",
    ".ops.waiting",
    ".ops.viewport",
    ".ops.trace",
    ".ops.errors",
    ".ops.batch",
    ".ops.history",
    ".ops.world",
    ".ops.scale",
    ".ops.layers",
    ".ops.views",
    ".ops.edit",
    ".ops.lift",
    ".ops.repaint",
    ".ops.mesh",
    ".ops.backend",
    ".ops.models",
    ".ops.remote",
    ".ui.panels",
    ".ui.backend",
    ".ui.world_panels",
    ".ui.history_panel",
    ".ui.edit_panel",
    ".ui.mesh_panel",
    ".ui.views_panel",
)


def register() -> None:
    for name in MODULES:
        import_module(name, __package__).register()


def unregister() -> None:
    for name in reversed(MODULES):
        import_module(name, __package__).unregister()
