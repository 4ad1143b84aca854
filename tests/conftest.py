"""The checkout as the package `world_tracing`, as Blender would load it, for tests that need no installed zip."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from checkout import load_extension

load_extension()
