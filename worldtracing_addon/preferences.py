"""Add-on preferences: where results go and which Python runs the worker."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path

import bpy

from .core.settings import WorkerSettings

EXTENSION_PACKAGE = __package__.rpartition(".worldtracing_addon")[0]

STEM_BYTES = 100
"""Of a photo's name in that of its world; file systems take 255 bytes with all that is added."""


class WT_AddonPreferences(bpy.types.AddonPreferences):
    bl_idname = EXTENSION_PACKAGE

    results_folder: bpy.props.StringProperty(
        name="Results Folder",
        description="Where traced worlds are saved. Empty: beside the saved .blend, in a folder of its name and "
        '"worlds"; before the first save in the extension\'s own folder, which is removed with the extension',
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
        layout.operator("wt.free_memory")


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
    """The folder that new worlds are saved to; one that does not exist is made when the first world is saved."""
    preferences = get_preferences()
    if preferences is not None and preferences.results_folder:
        return Path(bpy.path.abspath(preferences.results_folder)).expanduser()
    if bpy.data.filepath:
        saved = Path(bpy.data.filepath)
        return saved.with_name(f"{saved.stem} worlds")
    return Path(bpy.utils.extension_path_user(EXTENSION_PACKAGE, path="worlds", create=True))


def new_result(folder: Path, name: str) -> Path:
    """A file in `folder` that does not exist, for a world of the photo `name`, which may be longer than a file's."""
    stem = bpy.path.clean_name(Path(name).stem).encode()[:STEM_BYTES].decode(errors="ignore")
    stem = f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    number = next(n for n in count(1) if not (folder / _numbered(stem, n)).exists())
    return folder / _numbered(stem, number)


def _numbered(stem: str, number: int) -> str:
    return f"{stem}.safetensors" if number == 1 else f"{stem}-{number}.safetensors"


def worker_log() -> Path | None:
    """The file that keeps what the worker last wrote to its log; None where the add-on is not enabled."""
    if get_preferences() is None:
        return None
    return Path(bpy.utils.extension_path_user(EXTENSION_PACKAGE, path="log", create=True)) / "worker.log"


register, unregister = bpy.utils.register_classes_factory((WT_AddonPreferences,))
