"""Add-on preferences: where results go and which Python runs the worker."""

from __future__ import annotations

from pathlib import Path

import bpy

from .core.settings import WorkerSettings

EXTENSION_PACKAGE = __package__.rpartition(".worldtracing_addon")[0]


class WT_AddonPreferences(bpy.types.AddonPreferences):
    bl_idname = EXTENSION_PACKAGE

    results_folder: bpy.props.StringProperty(
        name="Results Folder",
        description="Where traced worlds are saved. Empty: the extension's own folder",
        subtype="DIR_PATH",
    )
    python: bpy.props.StringProperty(
        name="Backend Python",
        description="Python of a backend environment with PyTorch. Empty: Blender's own Python, with nothing to set up",
        subtype="FILE_PATH",
    )
    in_process: bpy.props.BoolProperty(
        name="Run Inside Blender",
        description="Run the worker in a thread of Blender instead of a process of its own. "
        "Use it only where starting a process is not allowed",
        default=False,
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "results_folder")
        layout.prop(self, "python")
        layout.prop(self, "in_process")


def get_preferences() -> WT_AddonPreferences | None:
    """The add-on's preferences, or None where it is used without being enabled (scripts, `make trace`)."""
    addon = bpy.context.preferences.addons.get(EXTENSION_PACKAGE)
    return addon.preferences if addon else None


def worker_settings() -> WorkerSettings:
    """How the preferences want the worker to run."""
    preferences = get_preferences()
    if preferences is None:
        return WorkerSettings()
    python = Path(bpy.path.abspath(preferences.python)).expanduser() if preferences.python else None
    return WorkerSettings(python=python, in_process=preferences.in_process)


def results_folder() -> Path:
    """The folder that new worlds are saved to; it exists after this call where it can be made."""
    preferences = get_preferences()
    if preferences is not None and preferences.results_folder:
        return Path(bpy.path.abspath(preferences.results_folder)).expanduser()
    return Path(bpy.utils.extension_path_user(EXTENSION_PACKAGE, path="worlds", create=True))


def worker_log() -> Path | None:
    """The file that keeps what the worker last wrote to its log; None where the add-on is not enabled."""
    if get_preferences() is None:
        return None
    return Path(bpy.utils.extension_path_user(EXTENSION_PACKAGE, path="log", create=True)) / "worker.log"


def register() -> None:
    bpy.utils.register_class(WT_AddonPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(WT_AddonPreferences)
