"""The checkout as the package `world_tracing`, as Blender would load it, for tests that need no installed zip."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def load_checkout(name: str = "world_tracing"):
    """Import the repository's root package under `name`, so that the add-on's relative imports work."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return package


if "world_tracing" not in sys.modules:
    load_checkout()
