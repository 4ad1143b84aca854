"""The one plug-in mechanism: engines now, segmenters and mesh generators next.

Built-in plug-ins are named by module inside this package, so that they also work where the package is not installed
(Blender's own Python). Everything else is found through entry points: a third-party package declares, for instance,

    [project.entry-points."worldtracing.engines"]
    my-engine = "my_package.engine:MyEngine"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from .errors import WorldTracingError


class Registry:
    """Plug-in classes of one kind by name; nothing is imported before it is asked for."""

    def __init__(self, kind: str, group: str, builtin: dict[str, str]) -> None:
        """
        Args:
            kind: what a plug-in is called in messages, e.g. "engine".
            group: the entry-point group, e.g. "worldtracing.engines".
            builtin: name to "module:attribute", the module relative to this package, e.g. ".engines.silhouette:X".
        """
        self.kind = kind
        self.group = group
        self._builtin = builtin

    def names(self) -> list[str]:
        """Built-in names first, then those found through entry points, each once."""
        found = sorted(point.name for point in _entry_points(group=self.group))
        return list(dict.fromkeys([*self._builtin, *found]))

    def load(self, name: str) -> Any:
        """The plug-in class called `name`.

        Raises:
            WorldTracingError: WT-MODEL-UNKNOWN, or WT-MODEL-BROKEN when its import fails.
        """
        try:
            if name in self._builtin:
                module, attribute = self._builtin[name].split(":")
                return getattr(import_module(module, __package__), attribute)
            for point in _entry_points(group=self.group, name=name):
                return point.load()
        except (Exception, SystemExit) as error:  # a plug-in may fail in any way on import, or ask Blender to quit
            raise WorldTracingError(
                "WT-MODEL-BROKEN",
                f"The {self.kind} {name!r} cannot be loaded ({error}).",
                "Install what it needs, or choose another one; `worldtracing doctor` lists them.",
            ) from error
        raise WorldTracingError(
            "WT-MODEL-UNKNOWN",
            f"There is no {self.kind} called {name!r}.",
            f"Choose one of: {', '.join(self.names())}.",
        )

    def states(self, unknown: Callable[[str], Any]) -> list[tuple[Any, str]]:
        """What each plug-in says of itself, its `info`, and its `problem()`: "" where it can be used.

        Args:
            unknown: makes the info of one that fails, from its name.
        """
        states = []
        for name in self.names():
            try:
                plugin = self.load(name)()
                states.append((plugin.info, plugin.problem()))
            except Exception as error:  # a plug-in may fail in any way
                states.append((unknown(name), str(error)))
        return states


def _entry_points(**selection: str) -> Iterable[Any]:
    """Those that are installed; the module that knows them takes long to import, which enabling the add-on must not."""
    from importlib.metadata import entry_points

    return entry_points(**selection)
