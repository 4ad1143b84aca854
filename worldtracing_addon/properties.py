"""What the panel edits: the choices for the next trace, saved with the scene."""

from __future__ import annotations

from collections.abc import Mapping
from math import degrees, radians
from typing import Any

import bpy

from ..backend.worldtracing.engines.base import EngineInfo
from ..backend.worldtracing.engines.wt_dit_weights import models_of
from ..backend.worldtracing.weights.catalogue import RELEASED
from .client import session
from .core.engines import engine_info, known_engines, local_engines
from .core.quality import OWN_STEPS
from .core.settings import TraceSettings
from .plugin_enum import plugin_enum

MODES = (
    ("object", "Object", "Trace the foreground object; the background is left out"),
    ("scene", "Scene", "Trace the whole picture"),
)

AUTOMATIC = "auto"
OFFERED = ("mode", "resolution", "seed", "model", "steps", "seeds", "precision")
"""What of a saved trace's settings the panel has under the same name."""

MODELS = (
    (AUTOMATIC, "Automatic", "The first model for the mode whose weights are in the weights folder"),
    *((name, name, RELEASED[name].label) for mode, *_ in MODES for name in models_of(mode)),
)
PRECISIONS = (
    (AUTOMATIC, "Automatic", "Fast on NVIDIA GPUs, Full elsewhere"),
    ("fp32", "Full", "32-bit floating point"),
    ("fast", "Fast", "16-bit where it does not matter: half the memory"),
)


def _engines() -> list[EngineInfo]:
    return known_engines(session.worker_engines())


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
    engine_name: bpy.props.StringProperty(
        name="Engine Name",
        description="The engine's name, which outlives a machine that does not have it",
        default=TraceSettings.engine,
        options={"HIDDEN"},
    )
    engine: plugin_enum(
        _engines,
        "engine_name",
        "Engine",
        "What turns the photo into layers. Engines of another backend Python appear after its first trace",
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
        description="Sampler steps; fewer are quicker and less exact. 0 takes as many as the model is meant for",
        default=OWN_STEPS,
        min=0,
        max=20,
    )
    seeds: bpy.props.IntProperty(
        name="Seeds",
        description="How many guesses of what is hidden to make, beginning with the seed. "
        "The one that suits best is shown, all can be picked afterwards",
        default=1,
        min=1,
        max=8,
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
            extra=self._engine_options(),
        )

    def use(self, settings: Mapping[str, Any]) -> list[str]:
        """Take over what `scene.origin.world_settings` tells of a trace.

        Returns what could not be: choices that this panel does not offer, by name.
        """
        chosen = {"model": AUTOMATIC, "steps": OWN_STEPS, "seeds": 1, "precision": AUTOMATIC, **settings["extra"]}
        chosen |= {name: settings[name] for name in ("mode", "resolution", "seed") if settings.get(name) is not None}
        chosen.pop("device", None)  # it belongs to the machine, and is a preference
        left = [name for name, value in chosen.items() if not self._take(name, value)]
        self.engine_name = settings.get("engine") or self.engine_name
        fov = settings.get("fov_degrees")
        self.use_fov = isinstance(fov, int | float)
        if self.use_fov:
            self.fov = radians(fov)
        return left

    def _take(self, name: str, value: Any) -> bool:
        """Set one property, if it is one and can hold the value."""
        if name not in OFFERED:
            return False
        try:
            setattr(self, name, value)
        except (TypeError, ValueError):  # a model of another version, a list of seeds, a seed beyond Blender's numbers
            return False
        return True

    def engine_info(self) -> EngineInfo | None:
        """What the chosen engine says of itself; None where it is not installed here."""
        return engine_info(self.engine_name, session.worker_engines())

    def _engine_options(self) -> dict:
        """The engine's own options, as far as they were chosen."""
        info = self.engine_info()
        if info is None:
            return {}
        chosen = {"model": self.model, "steps": self.steps, "precision": self.precision}
        own = {name: chosen[name] for name in chosen if name in info.options}
        extra = {name: value for name, value in own.items() if value not in (AUTOMATIC, OWN_STEPS)}
        return {**extra, "seeds": self.seeds} if info.draws_noise and self.seeds > 1 else extra


_register_classes, _unregister_classes = bpy.utils.register_classes_factory((WT_Settings,))


def _load_engines() -> None:
    """Import the engines once Blender has started, so that no panel does it while it draws."""
    local_engines()


def register() -> None:
    _register_classes()
    bpy.types.Scene.world_tracing = bpy.props.PointerProperty(type=WT_Settings)
    bpy.app.timers.register(_load_engines)


def unregister() -> None:
    if bpy.app.timers.is_registered(_load_engines):
        bpy.app.timers.unregister(_load_engines)
    del bpy.types.Scene.world_tracing
    _unregister_classes()
