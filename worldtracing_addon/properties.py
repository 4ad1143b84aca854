"""What the panel edits (saved with the scene) and what it shows of the running trace (reset when a file is opened)."""

from __future__ import annotations

from math import degrees
from zlib import crc32

import bpy

from ..backend.worldtracing.engines.wt_dit_weights import models_of
from ..backend.worldtracing.weights.catalogue import RELEASED
from .client import session
from .core.engines import known_engines, local_engines
from .core.settings import TraceSettings

MODES = (
    ("object", "Object", "Trace the foreground object; the background is left out"),
    ("scene", "Scene", "Trace the whole picture"),
)

AUTOMATIC = "auto"
WT_DIT = "wt-dit"
"""The engine with a model, which has options of its own."""

MODELS = (
    (AUTOMATIC, "Automatic", "The first model for the mode whose weights are in the weights folder"),
    *((name, name, RELEASED[name].label) for mode, *_ in MODES for name in models_of(mode)),
)
PRECISIONS = (
    (AUTOMATIC, "Automatic", "Fast on NVIDIA GPUs, Full elsewhere"),
    ("fp32", "Full", "32-bit floating point"),
    ("fast", "Fast", "16-bit where it does not matter: half the memory"),
)

_engine_items: list[tuple[str, str, str, str, int]] = []  # Blender does not keep the strings of dynamic enums alive


def _engines(settings: WT_Settings, _context) -> list[tuple[str, str, str, str, int]]:
    """The known engines, and the chosen one where this file comes from a machine that has another."""
    items = [(info.name, info.label, info.description) for info in known_engines(session.worker_engines())]
    if settings.engine_name not in {name for name, *_ in items}:
        items.append((settings.engine_name, f"{settings.engine_name} (not found)", "Not installed here"))
    _engine_items[:] = [(*item, "NONE", _number(item[0])) for item in items]
    return _engine_items


def _number(engine: str) -> int:
    """The same for an engine whatever else is installed."""
    return crc32(engine.encode()) & 0x7FFFFFFF


def _get_engine(settings: WT_Settings) -> int:
    return _number(settings.engine_name)


def _set_engine(settings: WT_Settings, number: int) -> None:
    settings.engine_name = next(item[0] for item in _engines(settings, None) if item[-1] == number)


class WT_Settings(bpy.types.PropertyGroup):
    """Scene.world_tracing: the choices for the next trace."""

    image: bpy.props.PointerProperty(
        type=bpy.types.Image,
        name="Photo",
        description="The photo to trace",
    )
    mask: bpy.props.PointerProperty(
        type=bpy.types.Image,
        name="Mask",
        description="White where the object is. Empty: the photo's alpha, or the foreground is found by itself",
    )
    engine_name: bpy.props.StringProperty(default=TraceSettings.engine, options={"HIDDEN"})
    engine: bpy.props.EnumProperty(
        name="Engine",
        description="What turns the photo into layers. Engines of another backend Python appear after its first trace",
        items=_engines,
        get=_get_engine,
        set=_set_engine,
    )
    mode: bpy.props.EnumProperty(name="Mode", description="What of the photo is traced", items=MODES)
    seed: bpy.props.IntProperty(
        name="Seed",
        description="Another seed gives another guess of what is hidden, with engines that draw noise",
        default=42,
        min=0,
    )
    resolution: bpy.props.IntProperty(
        name="Resolution",
        description="Longest side of the traced picture in pixels; engines with a fixed input size ignore it",
        default=504,
        min=64,
        soft_max=1024,
        max=4096,
    )
    model: bpy.props.EnumProperty(name="Model", description="The trained network", items=MODELS)
    steps: bpy.props.IntProperty(
        name="Steps",
        description="Sampler steps. Fewer are quicker and less exact",
        default=20,
        min=1,
        max=20,
    )
    seeds: bpy.props.IntProperty(
        name="Seeds",
        description="How many guesses to make, beginning with the seed. The best one is built, all are saved",
        default=1,
        min=1,
        max=16,
        soft_max=4,
    )
    precision: bpy.props.EnumProperty(
        name="Precision", description="Number format that the network computes in", items=PRECISIONS
    )
    use_fov: bpy.props.BoolProperty(
        name="Set Field of View",
        description="Give the photo's field of view instead of reading it from the file or assuming the default",
    )
    fov: bpy.props.FloatProperty(
        name="Field of View",
        description="Horizontal field of view of the photo",
        subtype="ANGLE",
        default=0.857,
        min=0.0175,
        max=2.96,
    )
    match_photo: bpy.props.BoolProperty(
        name="Match Photo",
        description="Set the view transform to Standard, so that renders keep the photo's colors",
        default=True,
    )

    def trace_settings(self) -> TraceSettings:
        """These choices as plain values."""
        return TraceSettings(
            engine=self.engine_name,
            mode=self.mode,
            seed=self.seed,
            resolution=self.resolution,
            fov_degrees=degrees(self.fov) if self.use_fov else None,
            match_photo=self.match_photo,
            extra=self._model_options() if self.engine_name == WT_DIT else {},
        )

    def _model_options(self) -> dict:
        chosen = {"model": self.model, "steps": self.steps, "seeds": self.seeds, "precision": self.precision}
        return {name: value for name, value in chosen.items() if value != AUTOMATIC}


class WT_Job(bpy.types.PropertyGroup):
    """WindowManager.world_tracing_job: what the panel shows of the trace under way and the last error."""

    running: bpy.props.BoolProperty()
    cancel_requested: bpy.props.BoolProperty()
    text: bpy.props.StringProperty()
    fraction: bpy.props.FloatProperty(min=0, max=1)
    error_code: bpy.props.StringProperty()
    error_message: bpy.props.StringProperty()
    error_fix: bpy.props.StringProperty()

    def reset(self) -> None:
        """Show neither a trace nor an error. SKIP_SAVE does not keep these values out of saved files."""
        self.running = self.cancel_requested = False
        self.text, self.fraction = "", 0.0
        self.show_error(None)

    def show_error(self, error) -> None:
        """Keep a WorldTracingError for the panel; None clears it."""
        self.error_code = error.code if error else ""
        self.error_message = error.message if error else ""
        self.error_fix = error.fix if error else ""


CLASSES = (WT_Settings, WT_Job)


_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def reset_jobs() -> None:
    """No trace runs: another file was opened, which may have been saved in mid-trace, or the add-on was switched on."""
    for manager in getattr(bpy.data, "window_managers", ()):  # bpy.data is restricted while Blender starts
        manager.world_tracing_job.reset()


def _load_engines() -> None:
    """Import the engines once Blender has started, so that no panel does it while it draws."""
    local_engines()


def register() -> None:
    _register_classes()
    bpy.types.Scene.world_tracing = bpy.props.PointerProperty(type=WT_Settings)
    bpy.types.WindowManager.world_tracing_job = bpy.props.PointerProperty(type=WT_Job, options={"SKIP_SAVE"})
    reset_jobs()
    bpy.app.timers.register(_load_engines)


def unregister() -> None:
    if bpy.app.timers.is_registered(_load_engines):
        bpy.app.timers.unregister(_load_engines)
    del bpy.types.WindowManager.world_tracing_job
    del bpy.types.Scene.world_tracing
    _unregister_classes()
