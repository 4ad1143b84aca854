"""What the window test looks for in Blender's data."""

import sys

import bpy

EXTENSION = "bl_ext.user_default.world_tracing"


def module(name):
    """A module of the add-on, by its path inside it."""
    return sys.modules[f"{EXTENSION}.worldtracing_addon.{name}"]


def job():
    return bpy.context.window_manager.world_tracing_job


def settings():
    return bpy.context.scene.world_tracing


def worlds():
    return [collection for collection in bpy.data.collections if collection.get("wt_kind") == "world"]


def of_kind(kind):
    return [part for part in bpy.data.objects if part.get("wt_kind") == kind]


def root():
    return of_kind("root")[0]


def layers():
    return of_kind("layer")


def taken_points():
    """How many of the layers' points are lifted objects'."""
    owners = (layer.data.attributes.get("wt_owner") for layer in layers())
    return sum(value.value > 0 for owner in owners if owner for value in owner.data)


def painted_points():
    """How many of the layers' points a painter has colored."""
    painted = (layer.data.attributes.get("wt_painted") for layer in layers())
    return sum(value.value > 0 for colors in painted if colors for value in colors.data)


def seeds():
    return module("scene.origin").world_seeds(root())


def shown_seed():
    return next(seed.number for seed in seeds() if seed.shown)


def listed():
    """The saved traces in the panel's history."""
    return bpy.context.window_manager.world_tracing_history.traces
