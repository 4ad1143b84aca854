"""What the fake generators in fake_generators/ do with a test: they read its answer and write down their calls.

They stand for packages that need a GPU; each has the classes and the signatures of the real one that its runner is
written against, no more, and runs in a process of its own.
"""

import json
import os
from pathlib import Path

import numpy as np

FOLDER = "WORLDTRACING_FAKE_FOLDER"
"""Environment variable: where a test puts answer.npz and finds calls.jsonl."""


def answer():
    """The arrays that the test wants back, by name."""
    with np.load(Path(os.environ[FOLDER]) / "answer.npz") as file:
        return dict(file)


def call(name, **values):
    """Write a call down; arrays and tensors as their values and dtype, pictures as mode and pixels."""
    entry = {key: plain(value) for key, value in values.items()}
    with (Path(os.environ[FOLDER]) / "calls.jsonl").open("a") as file:
        file.write(json.dumps({"call": name, **entry}) + "\n")


def plain(value):
    if hasattr(value, "detach"):
        return {"torch": str(value.dtype), "values": value.detach().cpu().numpy().tolist()}
    if isinstance(value, np.ndarray):
        return {"numpy": str(value.dtype), "values": value.tolist()}
    if hasattr(value, "mode"):
        return {"mode": value.mode, "size": list(value.size), "sum": np.asarray(value).sum((0, 1)).tolist()}
    return value
