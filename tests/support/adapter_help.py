"""What the tests of mesh adapters share: fake repositories to point at, and a judgement of the result."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from fake_generator_log import FOLDER
from mesh_world import TRUE_POSE, true_mesh

SUPPORT = Path(__file__).parent


class FakeRepository:
    """A fake generator's checkout in a folder of a name that is hard for careless programs."""

    def __init__(self, name, folder, monkeypatch):
        self.folder = folder
        self.path = folder / f"{name} größe"
        shutil.copytree(SUPPORT / "fake_generators" / name, self.path)
        for module in ("fake_generator_log.py", "fake_trimesh.py"):
            shutil.copy(SUPPORT / module, self.path)
        monkeypatch.setenv(FOLDER, str(folder))
        self.extra = {"python": sys.executable, "repository": str(self.path)}

    def answer(self, **arrays):
        """What the generator is to make."""
        np.savez(self.folder / "answer.npz", **arrays)

    def calls(self):
        """What it was asked: (name, arguments) in order."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        return [(entry.pop("call"), entry) for entry in entries]


def misplacement(mesh):
    """Largest distance of any vertex from its true place, relative to the object's size."""
    vertices, faces = true_mesh()
    np.testing.assert_array_equal(mesh.faces, faces)
    size = np.linalg.norm(np.ptp(vertices, axis=0))
    return np.linalg.norm(mesh.vertices - vertices, axis=1).max() / size


def silent(stage, k, n):
    """A progress callback that lets everything go on."""


__all__ = ["TRUE_POSE", "FakeRepository", "misplacement", "silent"]
