"""Models in the preferences: list, download after the licence is accepted, convert a local file, delete."""

from __future__ import annotations

import bpy

from ...backend.worldtracing.weights.assistants import ASSISTANT_MODELS
from ...backend.worldtracing.weights.catalogue import LICENCE, RELEASED, released_model
from .. import models
from ..core.models import DOWNLOAD_GB
from ..ui.common import draw_text
from .backend import BackendOperator

ONLY = "only"
RELEASES = (
    (ONLY, "The Only One", "Most models have one release"),
    *((name, name, "") for name in sorted({name for model in RELEASED.values() for name in model.releases})),
)

GATED = (
    "Its authors give it to those whom they accept: sign in on its page, and start Blender with an access token of "
    "that account in the variable HF_TOKEN"
)


class WT_OT_list_models(BackendOperator, bpy.types.Operator):
    """Look into the models folder again"""

    bl_idname = "wt.list_models"
    bl_label = "Refresh"

    def start(self, _context: bpy.types.Context) -> None:
        models.start_listing()


class DownloadOperator(BackendOperator):
    """Downloads weights of other people, after a dialog with their license."""

    offline_hint = "Allow Online Access in the preferences, System"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not bpy.app.online_access:
            cls.poll_message_set(cls.offline_hint)
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=420)


class WT_OT_download_model(DownloadOperator, bpy.types.Operator):
    """Download the model's weights and convert them. It goes on where it was interrupted"""

    bl_idname = "wt.download_model"
    bl_label = "Download Model"
    offline_hint = "Allow Online Access in the preferences, System; or convert a file that you have"

    model: bpy.props.StringProperty(name="Model", description="Name of a released model", options={"SKIP_SAVE"})
    accept: bpy.props.BoolProperty(
        name="I have read the terms and accept them",
        description="The weights' licence, on the model's page",
        options={"SKIP_SAVE"},
    )

    def draw(self, context: bpy.types.Context) -> None:
        model = RELEASED[self.model]
        layout = self.layout
        layout.label(text=f"{model.name}: {model.label}")
        layout.label(text=f"About {DOWNLOAD_GB.get(model.name, 0):g} GB to download, half of that is kept")
        draw_text(layout, context, LICENCE)
        layout.operator("wm.url_open", text=model.page, icon="URL").url = model.page
        layout.prop(self, "accept")

    def start(self, _context: bpy.types.Context) -> None:
        models.start_download(self.model, accept_licence=self.accept)


class WT_OT_fetch_model(DownloadOperator, bpy.types.Operator):
    """Download a model that selects or finds, as its authors publish it. It goes on where it was interrupted"""

    bl_idname = "wt.fetch_model"
    bl_label = "Download Model"

    model: bpy.props.StringProperty(name="Model", description="sam2, sam3 or grounding-dino", options={"SKIP_SAVE"})
    accept: bpy.props.BoolProperty(
        name="I have read the license and accept it",
        description="The license of other people's work, on the model's page",
        options={"SKIP_SAVE"},
    )

    def draw(self, context: bpy.types.Context) -> None:
        model = ASSISTANT_MODELS[self.model]
        layout = self.layout
        layout.label(text=f"{model.label}: about {model.gigabytes:g} GB to download")
        draw_text(layout, context, f"Other people's work. License: {model.licence}")
        if model.gated:
            draw_text(layout, context, GATED)
        layout.operator("wm.url_open", text=model.page, icon="URL").url = model.page
        layout.prop(self, "accept")

    def start(self, _context: bpy.types.Context) -> None:
        models.start_fetch(self.model, accept_licence=self.accept)


class WT_OT_convert_model(BackendOperator, bpy.types.Operator):
    """Convert a checkpoint (.pt) of this model that you have, without any network"""

    bl_idname = "wt.convert_model"
    bl_label = "Use Local File"

    model: bpy.props.StringProperty(name="Model", description="Name of a released model", options={"SKIP_SAVE"})
    filepath: bpy.props.StringProperty(name="Checkpoint", description="The downloaded file", subtype="FILE_PATH")
    filter_glob: bpy.props.StringProperty(default="*.pt;*.pth;*.ckpt", options={"HIDDEN"})
    release: bpy.props.EnumProperty(
        name="Release",
        description="Which release of the weights the file is; it does not say so itself",
        items=RELEASES,
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def start(self, _context: bpy.types.Context) -> None:
        release = self.release if released_model(self.model).releases and self.release != ONLY else ""
        models.start_conversion(self.model, bpy.path.abspath(self.filepath), release)


class WT_OT_delete_model(BackendOperator, bpy.types.Operator):
    """Delete this model's weights and downloads from the disk"""

    bl_idname = "wt.delete_model"
    bl_label = "Delete Model"

    model: bpy.props.StringProperty(name="Model", description="Name of a released model", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def start(self, _context: bpy.types.Context) -> None:
        models.start_deletion(self.model)


register, unregister = bpy.utils.register_classes_factory(
    (WT_OT_list_models, WT_OT_download_model, WT_OT_fetch_model, WT_OT_convert_model, WT_OT_delete_model)
)
