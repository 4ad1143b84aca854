"""Render settings: a view transform that keeps the photo's colors, and a still with Cycles on the processor."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.errors import WorldTracingError
from .. import compat
from .kept_settings import Group, assign, current, known, restore

SAVED = "wt_before_match_photo"
FILTER_PIXELS = 0.5
"""Width of the pixel filter under Match Photo. The photo's pixels have been filtered once, by its own camera; Blender's
usual 1.5 would blur them again."""

_VIEW = {
    "view_transform": "Standard",  # first: a look belongs to a view transform
    "look": "None",
    "exposure": 0.0,
    "gamma": 1.0,
    "use_curve_mapping": False,
    "use_white_balance": False,
    "use_hdr_view": False,
}
_RENDER = {"film_transparent": True, "dither_intensity": 0.0, "filter_size": FILTER_PIXELS}
_CYCLES = {"pixel_filter_type": "BLACKMAN_HARRIS", "filter_width": FILTER_PIXELS}


def match_photo(scene: bpy.types.Scene) -> None:
    """Render what is unlit in exactly the photo's colors, on a transparent film; `restore_view` undoes it.

    The settings before are kept in the file, those from before the first call if there are several. It happens wholly
    or not at all.

    Raises:
        WorldTracingError: WT-SCENE-VIEW where Blender runs with color settings of another kind (an OpenColorIO
            configuration without the view transform "Standard").
    """
    before = current(_settings(scene))
    try:
        for _, owner, values in _settings(scene):
            assign(owner, values)
    except TypeError as error:  # Blender's error for an unknown item of an enumeration
        for group, owner, _ in _settings(scene):
            assign(owner, before[group])
        raise WorldTracingError(
            "WT-SCENE-VIEW",
            f"Blender's color settings cannot show the photo's own colors ({error}).",
            "Start Blender without the environment variable OCIO, or choose a view transform yourself.",
        ) from error
    if SAVED not in scene:
        scene[SAVED] = before


def restore_view(scene: bpy.types.Scene) -> None:
    """Set what `match_photo` changed back to what it was."""
    restore(scene, SAVED, _settings(scene))


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
    compat.choose_stills(scene.render.image_settings)
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"


def _settings(scene: bpy.types.Scene) -> list[Group]:
    """What Match Photo sets, as far as this Blender has it."""
    groups = [("view", scene.view_settings, _VIEW), ("render", scene.render, _RENDER)]
    if hasattr(scene, "cycles"):  # Cycles is an add-on and can be off
        groups.append(("cycles", scene.cycles, _CYCLES))
    return known(groups)
