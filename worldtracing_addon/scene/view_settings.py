"""Render settings that suit points and surfaces seen from anywhere, and the way back to those before."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import compat
from .kept_settings import Group, assign, current, known, restore

SAVED = "wt_before_view_settings"
ENGINES = ("CYCLES", "EEVEE")

# Unlit points shine by themselves: a few samples smooth their edges, and no bounce of light adds anything. What is lit
# has diffuse surfaces, for which two bounces are enough. A denoiser would smear the photo's grain.
_CYCLES = {
    "samples": 64,
    "use_adaptive_sampling": True,
    "adaptive_threshold": 0.02,
    "use_denoising": False,
    "max_bounces": 4,
    "diffuse_bounces": 2,
    "glossy_bounces": 1,
    "transmission_bounces": 2,
    "transparent_max_bounces": 8,
    "volume_bounces": 0,
    "caustics_reflective": False,
    "caustics_refractive": False,
}
_EEVEE = {"taa_render_samples": 32, "use_raytracing": False, "use_shadows": True}
_RENDER = {"use_motion_blur": False}  # points are placed anew by nodes, and have no way of their own to blur along


def use_view_settings(scene: bpy.types.Scene, engine: str) -> None:
    """Render with Cycles or EEVEE, set so that points and surfaces come out clean and soon.

    The settings before the first call are kept in the file; `restore_view_settings` sets them back.

    Args:
        engine: one of `ENGINES`.

    Raises:
        WorldTracingError: WT-SCENE-CYCLES where Cycles is asked for and switched off.
    """
    if engine == "CYCLES" and not hasattr(scene, "cycles"):
        raise WorldTracingError(
            "WT-SCENE-CYCLES", "Cycles is switched off.", "Enable the add-on Cycles Render Engine in the preferences."
        )
    if SAVED not in scene:
        scene[SAVED] = current(_settings(scene))
    scene.render.engine = "CYCLES" if engine == "CYCLES" else compat.eevee_engine()
    for group, owner, values in _settings(scene):
        if group != "engine":
            assign(owner, values)


def restore_view_settings(scene: bpy.types.Scene) -> None:
    """Set what `use_view_settings` changed back to what it was."""
    engine = scene.get(SAVED, {}).get("engine", {})
    if "EEVEE" in engine.get("engine", ""):  # kept by another version of Blender, it may have another name
        engine["engine"] = compat.eevee_engine()
    restore(scene, SAVED, _settings(scene))


def has_view_settings(scene: bpy.types.Scene) -> bool:
    """Whether `use_view_settings` is in force."""
    return SAVED in scene


def _settings(scene: bpy.types.Scene) -> list[Group]:
    groups = [
        ("engine", scene.render, {"engine": ""}),
        ("render", scene.render, _RENDER),
        ("eevee", scene.eevee, _EEVEE),
    ]
    if hasattr(scene, "cycles"):  # Cycles is an add-on and can be off
        groups.append(("cycles", scene.cycles, _CYCLES))
    return known(groups)
