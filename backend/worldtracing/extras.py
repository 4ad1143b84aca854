"""Optional packages, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from .errors import WorldTracingError


def need(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module of one of the package's extras.

    Args:
        module: dotted name, e.g. "scipy.spatial".
        extra: the extra of pyproject.toml that brings it, e.g. "image".
        purpose: what it is needed for, as it completes "... is needed to ...".

    Raises:
        WorldTracingError: WT-ENV-PACKAGE when it is not installed or does not import.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise WorldTracingError(
            "WT-ENV-PACKAGE",
            f"The Python package {module.split('.')[0]} is needed to {purpose} and cannot be imported ({error}).",
            f"Set up or repair the backend in Blender's preferences, or run: pip install 'worldtracing[{extra}]'.",
        ) from error
