"""The add-on's preferences. Draws, nothing else."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.weights.assistants import ASSISTANT_MODELS, AssistantModel
from .. import backend, background, models
from ..client import session
from ..core.generators import known_generators
from ..core.models import DOWNLOAD_GB, ModelState
from ..generator_options import options_of
from .backend import draw_backend
from .common import draw_health, draw_text, split
from .remote import draw_remote

LOG_LINES = 12


def draw_preferences(layout: bpy.types.UILayout, preferences, context: bpy.types.Context) -> None:
    """All sections."""
    _section(layout, context, preferences, "Backend", _draw_backend)
    _section(layout, context, preferences, "Models", _draw_models)
    _section(layout, context, preferences, "Mesh Generators", _draw_generators)
    _section(layout, context, preferences, "Remote Worker", draw_remote)
    _section(layout, context, preferences, "Memory and Speed", _draw_memory)
    _section(layout, context, preferences, "Files and Worker", _draw_files)


def _section(layout: bpy.types.UILayout, context: bpy.types.Context, preferences, title: str, draw) -> None:
    header, body = layout.panel(f"WT_{title.replace(' ', '_').lower()}")
    header.label(text=title)
    if body is not None:
        draw(body, context, preferences)


def _draw_backend(layout: bpy.types.UILayout, context: bpy.types.Context, preferences) -> None:
    draw_backend(layout, context)
    header, body = layout.panel("WT_set_up", default_closed=True)
    header.label(text="Set-Up Options")
    if body is not None:
        split(body)
        for name in ("wheels_folder", "backend_folder", "set_up_python", "torch_build", "package_index", "torch_index"):
            body.prop(preferences, name)
    checks = backend.shown_state().checks
    if checks:
        header, body = layout.panel("WT_doctor", default_closed=True)
        header.label(text="What Works")
        for check in checks if body is not None else ():
            body.label(text=f"{check['name']}: {check['detail']}", icon="CHECKMARK" if check["ok"] else "ERROR")
    task = background.task()
    if task is not None and task.lines:
        header, body = layout.panel("WT_log", default_closed=True)
        header.label(text="Log")
        column = body.column(align=True) if body is not None else None
        for line in task.lines[-LOG_LINES:] if column else ():
            column.label(text=line[:200])


def _draw_models(layout: bpy.types.UILayout, context: bpy.types.Context, preferences) -> None:
    draw_text(layout, context, "Released for non-commercial research only; the bundled model needs no download")
    for model in models.listed_models():
        _draw_model(layout, model)
    draw_text(layout, context, "Of other people, for selecting and finding objects; each has its own license")
    for assistant in ASSISTANT_MODELS.values():
        _draw_assistant(layout, assistant)
    row = layout.row()
    row.operator("wt.list_models", icon="FILE_REFRESH")
    row.label(text=str(models.folder()))
    split(layout)
    layout.prop(preferences, "models_folder")
    layout.prop(preferences, "hub_mirror")


def _draw_model(layout: bpy.types.UILayout, state: ModelState) -> None:
    model = state.model
    row = layout.row(align=True)
    row.label(text=f"{model.name}: {model.label}", icon="CHECKMARK" if state.ready else "BLANK1")
    row.label(text=state.text if state.ready or state.other else f"{DOWNLOAD_GB.get(model.name, 0):.1f} GB")
    row.operator("wm.url_open", text="", icon="URL").url = model.page
    if not state.ready:
        row.operator("wt.download_model", text="", icon="IMPORT").model = model.name
        row.operator("wt.convert_model", text="", icon="FILEBROWSER").model = model.name
    if state.ready or state.other:
        row.operator("wt.delete_model", text="", icon="TRASH").model = model.name


def _draw_assistant(layout: bpy.types.UILayout, model: AssistantModel) -> None:
    row = layout.row(align=True)
    ready, unfinished = model.name in models.fetched(), models.unfinished(model.name)
    row.label(text=f"{model.label}: {model.licence}", icon="CHECKMARK" if ready else "BLANK1")
    row.label(text=f"unfinished, {unfinished / 1e6:.0f} MB" if unfinished else f"{model.gigabytes:g} GB")
    row.operator("wm.url_open", text="", icon="URL").url = model.page
    if not ready:
        row.operator("wt.fetch_model", text="", icon="IMPORT").model = model.name
    if ready or unfinished:
        row.operator("wt.delete_model", text="", icon="TRASH").model = model.name


def _draw_generators(layout: bpy.types.UILayout, context: bpy.types.Context, preferences) -> None:
    draw_text(layout, context, "Programs of other people, which you install yourself: where they are on this machine")
    layout.operator("wt.check_generators", icon="FILE_REFRESH")
    for known in known_generators(session.worker_generators()):
        group, options = options_of(preferences.generators, known.info.name)
        if group is None:
            continue
        header, body = layout.panel(f"WT_generator_{known.info.name}", default_closed=True)
        header.label(text=known.info.label)
        if body is None:
            continue
        draw_text(body, context, f"Licence: {known.info.licence}")
        draw_health(body, context, known.health)
        split(body)
        for option in options:
            body.prop(group, option.name)


def _draw_memory(layout: bpy.types.UILayout, _context: bpy.types.Context, preferences) -> None:
    split(layout)
    for name in ("device", "precision", "memory_limit", "idle_minutes", "free_before_render"):
        layout.prop(preferences, name)
    layout.operator("wt.free_memory")


def _draw_files(layout: bpy.types.UILayout, _context: bpy.types.Context, preferences) -> None:
    split(layout)
    for name in ("results_folder", "python", "in_process", "log_level"):
        layout.prop(preferences, name)
    layout.operator("wt.copy_diagnostics", icon="COPYDOWN")
