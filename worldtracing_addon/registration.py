"""Registers the add-on's modules in order; none of them touches the network, starts a process or writes a file."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    ".preferences",
    ".properties",
    ".trace",
    ".scene.migration",
    ".ops.trace",
    ".ops.world",
    ".ops.layers",
    ".ui.panels",
)


def register() -> None:
    for name in MODULES:
        import_module(name, __package__).register()


def unregister() -> None:
    for name in reversed(MODULES):
        import_module(name, __package__).unregister()
    import_module(".client.session", __package__).shutdown()
