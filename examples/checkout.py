"""The extension as the Python package `world_tracing`, straight from this checkout, without installing it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def load_extension(name: str = "world_tracing") -> ModuleType:
    """Import the repository's root package under `name`, as Blender does with an installed extension."""
    if name not in sys.modules:
        init = ROOT / "__init__.py"
        spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(ROOT)])
        package = importlib.util.module_from_spec(spec)
        sys.modules[name] = package
        spec.loader.exec_module(package)
    return sys.modules[name]
