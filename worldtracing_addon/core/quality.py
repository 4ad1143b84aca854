"""Quality presets: what Draft, Standard and Best mean for an engine."""

from __future__ import annotations

from dataclasses import dataclass

from ...backend.worldtracing.engines.base import EngineInfo

OWN_STEPS = 0
"""Stands for the number of steps that the model is meant for."""


@dataclass(frozen=True)
class Quality:
    """One preset: sampler steps, seeds, and longest side in pixels of engines without an input size of their own."""

    label: str
    description: str
    steps: int
    seeds: int
    resolution: int


QUALITIES = {
    "DRAFT": Quality("Draft", "A quick look: few steps, one seed, a small picture", 5, 1, 256),
    "STANDARD": Quality("Standard", "As the engine is meant to be used", OWN_STEPS, 1, 504),
    "BEST": Quality(
        "Best", "A large picture, and four seeds to pick from where the engine draws noise", OWN_STEPS, 4, 1024
    ),
}


def choices(quality: Quality, info: EngineInfo) -> dict[str, int]:
    """The preset's values for the settings that the engine has."""
    values = {}
    if "steps" in info.options:  # the small bundled model needs one step anyway
        values["steps"] = quality.steps if "model" in info.options else OWN_STEPS
    if info.draws_noise:
        values["seeds"] = quality.seeds
    if has_resolution(info):
        values["resolution"] = quality.resolution
    return values


def has_resolution(info: EngineInfo) -> bool:
    """Whether the size of the traced picture can be chosen: models that can be exchanged have one of their own."""
    return "model" not in info.options
