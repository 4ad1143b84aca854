"""`core/` imports neither bpy nor torch, and importing the extension's root package imports nothing heavy."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted(path.stem for path in (ROOT / "worldtracing_addon/core").glob("*.py") if path.stem != "__init__")

PROGRAM = """
import sys
sys.path.insert(0, {examples!r})

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ImportError("refused " + name)

sys.meta_path.insert(0, Refuse())
from checkout import load_extension
load_extension()
import world_tracing.worldtracing_addon
for module in {modules!r}:
    __import__("world_tracing.worldtracing_addon.core." + module)
"""


def run(modules, refused):
    program = PROGRAM.format(examples=str(ROOT / "examples"), refused=refused, modules=modules)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_core_needs_neither_bpy_nor_torch():
    assert len(CORE) > 3
    result = run(CORE, ("bpy", "mathutils", "torch", "cv2", "PIL", "scipy"))
    assert result.returncode == 0, result.stderr


def test_the_root_package_needs_only_the_standard_library():
    result = run([], ("bpy", "numpy", "safetensors"))
    assert result.returncode == 0, result.stderr


def test_the_refusal_works():
    assert run(["frames"], ("numpy",)).returncode != 0
