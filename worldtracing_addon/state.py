"""What the panel shows of work under way and of saved traces; reset when a file is opened."""

from __future__ import annotations

import bpy


class WT_Failure(bpy.types.PropertyGroup):
    """A photo of a batch that could not be traced."""

    photo: bpy.props.StringProperty(name="Photo", description="Name of the photo's file")
    code: bpy.props.StringProperty(name="Code", description="The error's code, as in the documentation")
    message: bpy.props.StringProperty(name="Message", description="What went wrong")


class WT_Job(bpy.types.PropertyGroup):
    """WindowManager.world_tracing_job: what the panel shows of the work under way and the last errors."""

    running: bpy.props.BoolProperty(name="Running", description="Whether a trace or a batch is under way")
    cancel_requested: bpy.props.BoolProperty(name="Cancel", description="Whether it was asked to stop")
    text: bpy.props.StringProperty(name="Progress", description="What is being done")
    fraction: bpy.props.FloatProperty(name="Fraction", description="Done share of the current stage", min=0, max=1)
    error_code: bpy.props.StringProperty(name="Code", description="Code of the last error")
    error_message: bpy.props.StringProperty(name="Message", description="What went wrong")
    error_fix: bpy.props.StringProperty(name="Fix", description="What can be done about it")
    work: bpy.props.StringProperty(name="Work", description="The operator that began the last work")
    targets: bpy.props.StringProperty(name="Targets", description="What it was to make meshes of, to do so again")
    failures: bpy.props.CollectionProperty(
        type=WT_Failure, name="Failures", description="Photos of the last batch that could not be traced"
    )

    def reset(self) -> None:
        """Show neither a trace nor an error. SKIP_SAVE does not keep these values out of saved files."""
        self.running = self.cancel_requested = False
        self.text, self.fraction = "", 0.0
        self.work = self.targets = ""
        self.show_error(None)
        self.failures.clear()

    def show_error(self, error) -> None:
        """Keep a WorldTracingError for the panel; None clears it."""
        self.error_code = error.code if error else ""
        self.error_message = error.message if error else ""
        self.error_fix = error.fix if error else ""


class WT_SavedTrace(bpy.types.PropertyGroup):
    """A saved trace in the history."""

    path: bpy.props.StringProperty(name="File", description="The file of the traced world", subtype="FILE_PATH")
    label: bpy.props.StringProperty(name="Settings", description="Engine, mode and seed of the trace")
    when: bpy.props.StringProperty(name="Traced", description="When the trace was saved")
    size: bpy.props.StringProperty(name="Size", description="Size on disk, with all its seeds")


class WT_History(bpy.types.PropertyGroup):
    """WindowManager.world_tracing_history: the saved traces, newest first."""

    traces: bpy.props.CollectionProperty(
        type=WT_SavedTrace, name="Traces", description="Traces saved in the results folder, newest first"
    )
    index: bpy.props.IntProperty(name="Chosen Trace", description="The trace that the buttons below work on")


CLASSES = (WT_Failure, WT_Job, WT_SavedTrace, WT_History)

_register_classes, _unregister_classes = bpy.utils.register_classes_factory(CLASSES)


def reset() -> None:
    """No trace runs: another file was opened, which may have been saved in mid-trace, or the add-on was switched on."""
    for manager in getattr(bpy.data, "window_managers", ()):  # bpy.data is restricted while Blender starts
        manager.world_tracing_job.reset()
        manager.world_tracing_history.traces.clear()


def register() -> None:
    _register_classes()
    manager = bpy.types.WindowManager
    manager.world_tracing_job = bpy.props.PointerProperty(type=WT_Job, options={"SKIP_SAVE"})
    manager.world_tracing_history = bpy.props.PointerProperty(type=WT_History, options={"SKIP_SAVE"})
    reset()


def unregister() -> None:
    del bpy.types.WindowManager.world_tracing_history
    del bpy.types.WindowManager.world_tracing_job
    _unregister_classes()
