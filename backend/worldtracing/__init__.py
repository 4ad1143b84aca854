"""World Tracing: one photo becomes an ordered stack of camera-space points per pixel.

The core needs numpy and safetensors alone, so that it also runs under Blender's own Python.
"""

from .errors import Cancelled, WorldTracingError
from .version import __version__
from .world import LayeredWorld

__all__ = ["Cancelled", "LayeredWorld", "WorldTracingError", "__version__"]
