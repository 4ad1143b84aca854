"""Add-on preferences: where things are kept, which Python runs the worker and how it uses the machine."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path

import bpy

from .client import session
from .core.backend_folder import BackendFolder
from .core.backend_plan import BUILDS, CUDA_BUILDS, TORCH_INDEX, Source
from .core.engines import engine_info
from .core.models import weights_folder as choose_weights_folder
from .core.platforms import this_platform
from .core.settings import TraceSettings, WorkerSettings
from .properties import AUTOMATIC, PRECISIONS

EXTENSION_PACKAGE = __package__.rpartition(".worldtracing_addon")[0]

STEM_BYTES = 100
"""Of a photo's name in that of its world; file systems take 255 bytes with all that is added."""

BACKEND_NAME = "WorldTracingBackend"
"""A folder in the one that was chosen, which may have other things in it: only its own is ever deleted."""

BUILD_ITEMS = (
    (AUTOMATIC, "Automatic", "The build that suits the GPU and its driver"),
    *((build.name, f"PyTorch {build.label}", "") for build in (BUILDS["cpu"], *CUDA_BUILDS)),
)
DEVICES = (
    (AUTOMATIC, "Automatic", "The first of the others that there is"),
    ("cuda", "NVIDIA GPU", "CUDA"),
    ("mps", "Apple GPU", "Metal"),
    ("cpu", "Processor", "Slow, and with as much memory as the computer has"),
)
LOG_LEVELS = (
    ("normal", "Normal", "What goes wrong"),
    ("detailed", "Detailed", "Every message between Blender and the worker as well"),
)


def _look_for_models(_preferences: WT_AddonPreferences, _context: bpy.types.Context) -> None:
    from . import models

    models.look_again()


class WT_GeneratorPreferences(bpy.types.PropertyGroup):
    """Where mesh generators are on this machine: a group for each, of the options that it declares."""


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
        description="Python of an environment of your own with PyTorch. Empty: the backend that was set up here, "
        "or Blender's own Python before that",
        subtype="FILE_PATH",
    )
    backend_folder: bpy.props.StringProperty(
        name="Backend Folder",
        description=f'Where Set Up Backend makes a folder "{BACKEND_NAME}" for PyTorch. Empty: the extension\'s own '
        "folder or, where Windows limits paths to 260 characters, your home folder",
        subtype="DIR_PATH",
    )
    set_up_python: bpy.props.StringProperty(
        name="Python for Set-Up",
        description="Python 3.11 to 3.14 to make the backend environment with. Empty: Blender's own",
        subtype="FILE_PATH",
    )
    wheels_folder: bpy.props.StringProperty(
        name="Folder of Wheels",
        description="Install from the packages in this folder, without any network. Empty: download them",
        subtype="DIR_PATH",
    )
    torch_build: bpy.props.EnumProperty(
        name="PyTorch Build", description="Which build of PyTorch to install", items=BUILD_ITEMS
    )
    package_index: bpy.props.StringProperty(
        name="Package Index",
        description="Address of a mirror of the Python package index. Empty: what pip is set to",
    )
    torch_index: bpy.props.StringProperty(
        name="PyTorch Index",
        description=f"Address of a mirror of {TORCH_INDEX}. Empty: that itself",
    )
    models_folder: bpy.props.StringProperty(
        name="Models Folder",
        description="Where the weights of models are kept. Empty: the folder that WORLDTRACING_WEIGHTS names, or that "
        "the command line has made, or the extension's own, which is removed with the extension",
        subtype="DIR_PATH",
        update=_look_for_models,
    )
    hub_mirror: bpy.props.StringProperty(
        name="Hub Mirror",
        description="Address of a mirror of the Hugging Face Hub. Empty: HF_ENDPOINT, or the hub itself",
    )
    device: bpy.props.EnumProperty(name="Device", description="What the networks compute on", items=DEVICES)
    precision: bpy.props.EnumProperty(
        name="Precision",
        description="Number format that networks compute in, where a scene does not choose its own",
        items=PRECISIONS,
    )
    memory_limit: bpy.props.FloatProperty(
        name="Memory Limit (GB)",
        description="Gigabytes that a trace may plan with on its device, besides what is free; 0 sets no limit",
        min=0,
        soft_max=96,
        step=50,
        precision=1,
    )
    idle_minutes: bpy.props.IntProperty(
        name="Free After (Minutes)",
        description="Minutes without a trace after which the worker is ended, which frees all its memory on the GPU; "
        "0 keeps it",
        default=10,
        min=0,
        soft_max=120,
    )
    free_before_render: bpy.props.BoolProperty(
        name="Free Before a Render",
        description="End the worker when a render begins, so that the renderer has the whole GPU; the next trace "
        "starts it again",
        default=True,
    )
    log_level: bpy.props.EnumProperty(
        name="Log Level", description="How much the worker's log tells, from its next start on", items=LOG_LEVELS
    )
    generators: bpy.props.PointerProperty(
        type=WT_GeneratorPreferences, name="Mesh Generators", description="Where mesh generators are on this machine"
    )
    remote_worker: bpy.props.StringProperty(
        name="Remote Worker",
        description="Address of another computer that traces in the place of this one, e.g. workstation:47310. "
        "Empty: this computer",
    )
    remote_token: bpy.props.StringProperty(
        name="Token",
        description="What the worker on the other computer printed when it first ran. Kept in Blender's preferences",
        subtype="PASSWORD",
    )
    in_process: bpy.props.BoolProperty(
        name="Run Inside Blender",
        description="Run the worker in a thread of Blender instead of a process of its own. "
        "Use it only where starting a process is not allowed",
        default=False,
    )

    def draw(self, context: bpy.types.Context) -> None:
        from .ui.preferences import draw_preferences

        draw_preferences(self.layout, self, context)


def get_preferences() -> WT_AddonPreferences | None:
    """The add-on's preferences, or None where it is used without being enabled (scripts, `make trace`)."""
    addon = bpy.context.preferences.addons.get(EXTENSION_PACKAGE)
    return addon.preferences if addon else None


def worker_settings() -> WorkerSettings:
    """How the preferences want the worker to run."""
    preferences = get_preferences()
    if preferences is None:
        return WorkerSettings()
    return WorkerSettings(
        python=backend_python(),
        in_process=preferences.in_process,
        weights=weights_folder(),
        memory_gb=preferences.memory_limit or None,
        detailed_log=preferences.log_level == "detailed",
        offline=not bpy.app.online_access,
        remote=remote_worker(),
        token=preferences.remote_token.strip(),
    )


def remote_worker() -> str:
    """Address of the computer that traces in the place of this one; empty without one."""
    preferences = get_preferences()
    return preferences.remote_worker.strip() if preferences else ""


def backend_python() -> Path | None:
    """The Python with PyTorch: the one of the preferences, else that of a backend that was set up, else None."""
    preferences = get_preferences()
    if preferences is None:
        return None
    return _path(preferences.python) or backend_folder().state().python


def backend_folder() -> BackendFolder:
    """The folder of the backend environment, which need not exist."""
    preferences = get_preferences()
    chosen = _path(preferences.backend_folder) if preferences else None
    if chosen is not None:
        return BackendFolder(chosen if chosen.name == BACKEND_NAME else chosen / BACKEND_NAME)
    own = BackendFolder(own_folder("backend"))
    return own if own.fits(this_platform().path_limit()) else BackendFolder(Path.home() / BACKEND_NAME)


def set_up_source() -> tuple[Source, Path | None, str]:
    """Where a set-up takes packages from, the Python it uses (None: Blender's own), and the build ("": the best)."""
    preferences = get_preferences()
    if preferences is None:
        return Source(), None, ""
    source = Source(
        preferences.package_index.strip(),
        preferences.torch_index.strip() or TORCH_INDEX,
        _path(preferences.wheels_folder),
    )
    build = preferences.torch_build
    return source, _path(preferences.set_up_python), "" if build == AUTOMATIC else build


def weights_folder() -> Path:
    """The folder that models are in, which need not exist."""
    preferences = get_preferences()
    return choose_weights_folder(_path(preferences.models_folder) if preferences else None, own_folder("models"))


def hub_mirror() -> str:
    """Address of the mirror of the Hugging Face Hub; empty without one."""
    preferences = get_preferences()
    return preferences.hub_mirror.strip() if preferences else ""


def with_network_options(settings: TraceSettings) -> TraceSettings:
    """The settings with the preferred device and precision, where they leave them to the engine and it takes them.

    The device is that of this computer; another one chooses its own.
    """
    preferences = get_preferences()
    info = engine_info(settings.engine, session.worker_engines())
    if preferences is None or info is None or "precision" not in info.options:
        return settings
    chosen = {"device": preferences.device, "precision": preferences.precision}
    if preferences.remote_worker.strip():
        del chosen["device"]
    preferred = {name: value for name, value in chosen.items() if value != AUTOMATIC}
    return replace(settings, extra={**preferred, **settings.extra})


def results_folder() -> Path:
    """The folder that new worlds are saved to; one that does not exist is made when the first world is saved."""
    preferences = get_preferences()
    if preferences is not None and preferences.results_folder:
        return _path(preferences.results_folder)
    if bpy.data.filepath:
        saved = Path(bpy.data.filepath)
        return saved.with_name(f"{saved.stem} worlds")
    return own_folder("worlds")


def new_result(folder: Path, name: str) -> Path:
    """A file in `folder` that does not exist, for a world of the photo `name`, which may be longer than a file's.

    The number of this process is in it: two Blenders may trace the same photo at the same second.
    """
    stem = bpy.path.clean_name(Path(name).stem).encode()[:STEM_BYTES].decode(errors="ignore")
    stem = f"{stem}-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid():x}"
    number = next(n for n in count(1) if not (folder / _numbered(stem, n)).exists())
    return folder / _numbered(stem, number)


def _numbered(stem: str, number: int) -> str:
    return f"{stem}.safetensors" if number == 1 else f"{stem}-{number}.safetensors"


def worker_log() -> Path | None:
    """The file that keeps what the worker last wrote to its log; None where the add-on is not enabled."""
    return log_folder() / "worker.log" if get_preferences() is not None else None


def log_folder() -> Path:
    """Where logs are kept, in the extension's own folder."""
    return own_folder("log")


def own_folder(name: str) -> Path:
    """A folder in the extension's own, which is made by whoever writes to it.

    Blender's way of making it gives no folder at all where it fails, as when another Blender makes the same one.
    """
    return Path(bpy.utils.extension_path_user(EXTENSION_PACKAGE, path=name))


def _path(text: str) -> Path | None:
    return Path(os.path.expandvars(bpy.path.abspath(text))).expanduser() if text else None


register, unregister = bpy.utils.register_classes_factory((WT_GeneratorPreferences, WT_AddonPreferences))
