"""Write docs/python_api.md from the docstrings of the Python API.

.venv/bin/python docs/python_api.py
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
INTRODUCTION = """\
# Python API

Everything that a button does, for scripts and the Python console. Written by `docs/python_api.py` from the docstrings.

```python
from bl_ext.user_default.world_tracing.worldtracing_addon import api

world = api.trace_world("//photo.jpg")  # waits; start_trace returns at once
api.set_layers(world, Display="Surface", Point_Radius=1.0)
api.render_still(world.scene, "photo_render.png")
```

All functions run on Blender's main thread. What can go wrong raises `api.WorldTracingError` with `.code`, `.message`
and `.fix`; the codes are in [troubleshooting](troubleshooting.md). A world is found again with `api.worlds(scene)` or
`api.active_world(context)`, after undo and in another session as well. `user_default` in the import is the module of
the repository that the extension was installed from.
"""


def page(api: ModuleType) -> str:
    """The page's text."""
    public = {name: getattr(api, name) for name in api.__all__}
    functions = {name: item for name, item in public.items() if inspect.isfunction(item)}
    classes = {name: item for name, item in public.items() if name not in functions}
    parts = [INTRODUCTION, "## Functions\n", *(entry(*item) for item in sorted(functions.items()))]
    return "\n".join([*parts, "## Classes\n", *(entry(*item) for item in sorted(classes.items()))])


def entry(name: str, item) -> str:
    text = inspect.getdoc(item) or ""
    first, _, rest = text.partition("\n\n")
    body = f"\n```text\n{rest}\n```\n" if rest else ""
    return f"### {heading(name, item)}\n\n{' '.join(first.split())}\n{body}{properties(item)}"


def properties(item) -> str:
    """A list of a class's documented properties."""
    found = inspect.getmembers(item, lambda member: isinstance(member, property) and member.__doc__)
    lines = [f"- `{name}`: {' '.join(found.__doc__.split())}" for name, found in found if not name.startswith("_")]
    return "\n" + "\n".join(lines) + "\n" if lines else ""


def heading(name: str, item) -> str:
    """`name(arguments)`, short types without their modules."""
    if not inspect.isfunction(item):
        return f"`{name}`"
    signature = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])", "", str(inspect.signature(item)))
    signature = re.sub(r"<function (\w+) at \w+>", r"\1", signature)
    return f"`{name}{signature}`".replace("'", "")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "examples"))
    from checkout import load_extension

    load_extension()
    import bpy  # noqa: F401
    from world_tracing.worldtracing_addon import api

    (ROOT / "docs/python_api.md").write_text(page(api), encoding="utf-8")
