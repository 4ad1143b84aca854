"""Modal operators in a window that only counts, and plug-ins that are there for a test."""

from types import SimpleNamespace

import bpy

LIMIT = 60  # seconds


class FakeWindow:
    """Runs operators of the panel; their events are played to them.

    Attributes:
        timers: those that are running.
        handlers: the operators that have become modal.
        status: the text below the window.
        said: (level, text) of each report.
        operator: the last one that was started.
    """

    def __init__(self, submodule):
        self._submodule = submodule
        self.timers, self.handlers, self.status, self.said, self.operator = [], [], None, [], None
        own = bpy.context.window_manager
        manager = SimpleNamespace(
            event_timer_add=lambda *_, **__: self.timers.append(object()) or self.timers[-1],
            event_timer_remove=lambda timer: self.timers.remove(timer),
            modal_handler_add=self.handlers.append,
            world_tracing_edit=own.world_tracing_edit,
            world_tracing_history=own.world_tracing_history,
            world_tracing_repaint=own.world_tracing_repaint,
        )

        class Context:
            """Blender's own, but for the window."""

            window_manager, window = manager, SimpleNamespace(cursor_modal_restore=lambda: None)
            workspace = SimpleNamespace(status_text_set=lambda text: setattr(self, "status", text))

            def __getattr__(self, name):
                return getattr(bpy.context, name)

        self.context = Context()

    def made(self, module, name, **properties):
        """A new operator with these properties."""
        registered = vars(self._submodule(f"worldtracing_addon.ops.{module}"))[name]
        own = {key: value for key, value in vars(registered).items() if not key.startswith(("__", "bl_rna"))}
        bases = tuple(base for base in registered.__bases__ if base is not bpy.types.Operator)
        report = {"report": lambda _self, kind, text: self.said.append((*kind, text))}
        self.operator = type("Operator", bases, {**own, **report, **properties})()
        return self.operator

    def start(self, module, name, **properties):
        """Start an operator with what its invocation would have set before it waits."""
        return self.made(module, name, **properties).start(self.context)

    def send(self, kind, **event):
        return self.operator.modal(self.context, SimpleNamespace(type=kind, value="PRESS", **event))

    def finish(self):
        """Play the timer until the operator ends."""
        result = {"PASS_THROUGH"}
        while result <= {"PASS_THROUGH", "RUNNING_MODAL"}:
            self.operator._work.exception(LIMIT)
            result = self.send("TIMER")
        assert not self.timers and not self.status and not self._submodule("worldtracing_addon.ops.waiting")._timers
        return result


def installed(monkeypatch, submodule, group, name, plugin):
    """Have `plugin` found as if a package were installed that declares it in the entry-point group."""
    point = SimpleNamespace(name=name, load=lambda: plugin)

    def points(group, name=None, _group=group, _name=name):
        return [point] if group == _group and name in (None, _name) else []

    monkeypatch.setattr(submodule("backend.worldtracing.registry"), "_entry_points", points)
    submodule("worldtracing_addon.core.assistants").local_states.cache_clear()
