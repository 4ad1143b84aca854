"""Render settings: a view transform that keeps the photo's colors, and a still with Cycles on the processor."""

from __future__ import annotations

from typing import Any

import bpy

SAVED = "wt_before_match_photo"
FILTER_PIXELS = 0.5
"""Width of the pixel filter under Match Photo. The photo's pixels have been filtered once, by its own camera; Blender's
usual 1.5 would blur them again."""

_VIEW = {
    "view_transform": "Standard",
    "look": "None",
    "exposure": 0.0,
    "gamma": 1.0,
    "use_curve_mapping": False,
}
_RENDER = {"film_transparent": True, "dither_intensity": 0.0, "filter_size": FILTER_PIXELS}
_CYCLES = {"pixel_filter_type": "BLACKMAN_HARRIS", "filter_width": FILTER_PIXELS}


def match_photo(scene: bpy.types.Scene) -> None:
    """Render what is unlit in exactly the photo's colors, on a transparent film; `restore_view` undoes it.

    The settings before are kept in the file, those from before the first call if there are several.
    """
    groups = _settings(scene)
    if SAVED not in scene:
        scene[SAVED] = {
            group: {name: getattr(owner, name) for name in values} for group, (owner, values) in groups.items()
        }
    for owner, values in groups.values():
        for name, value in values.items():
            setattr(owner, name, value)


def restore_view(scene: bpy.types.Scene) -> None:
    """Set what `match_photo` changed back to what it was."""
    if SAVED not in scene:
        return
    saved = scene[SAVED].to_dict()
    for group, (owner, values) in _settings(scene).items():
        for name in values:  # in this order: a look belongs to a view transform
            value = saved[group][name]
            setattr(owner, name, bool(value) if isinstance(values[name], bool) else value)
    del scene[SAVED]


def matches_photo(scene: bpy.types.Scene) -> bool:
    """Whether `match_photo` is in force."""
    return SAVED in scene


def cycles_still(scene: bpy.types.Scene, samples: int = 16) -> None:
    """Settings for one picture with Cycles on the processor; unlit points and surfaces need few samples."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = False
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"


def _settings(scene: bpy.types.Scene) -> dict[str, tuple[Any, dict[str, Any]]]:
    groups = {"view": (scene.view_settings, _VIEW), "render": (scene.render, _RENDER)}
    if hasattr(scene, "cycles"):  # Cycles is an add-on and can be off
        groups["cycles"] = (scene.cycles, _CYCLES)
    return groups
