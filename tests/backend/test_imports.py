"""The core runs under Blender's own Python: no module of it may import more than numpy and safetensors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import worldtracing

TORCH = {"data.raycast_torch", "engines.wt_dit_network", "model", "parity", "sampling", "training"}
"""What needs torch, and is imported only by those who use it."""

SCRIPT = """
import importlib, json, sys

ALLOWED = {*sys.stdlib_module_names, "numpy", "safetensors", "worldtracing"}

class OnlyTheCore:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ImportError(f"{name} is not of the core")

for name in [name for name in sys.modules if name.partition(".")[0] not in ALLOWED | {"__main__"}]:
    del sys.modules[name]  # what the interpreter's start-up files have brought
sys.meta_path.insert(0, OnlyTheCore())
failures = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except Exception as error:
        failures[name] = repr(error)
print(json.dumps(failures))
"""


def modules():
    """Every module of the package by name, but for those that need torch."""
    root = Path(worldtracing.__file__).parent
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if not any(name == torch or name.startswith(torch + ".") for torch in TORCH) and parts[-1] != "__main__":
            yield f"worldtracing.{name}".rstrip(".")


def import_all(names):
    environment = {**os.environ, "PYTHONPATH": str(Path(worldtracing.__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, json.dumps(names)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def test_the_core_imports_numpy_and_safetensors_alone():
    names = list(modules())
    core = ["image", "matte", "regions", "world", "camera", "registry", "files", "errors", "tracing", "cli"]
    core += ["engines.base", "engines.silhouette", "worker.serve", "export.ply", "export.exr"]
    assert {f"worldtracing.{name}" for name in core} <= set(names)
    assert import_all(names) == {}


def test_the_check_would_notice():
    assert "torch" in import_all(["worldtracing.model.wt_dit"])["worldtracing.model.wt_dit"]
