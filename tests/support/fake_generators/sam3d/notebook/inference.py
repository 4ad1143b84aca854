"""A fake of notebook/inference.py of github.com/facebookresearch/sam-3d-objects."""

import types

import torch
from fake_generator_log import answer, call


class Inference:
    def __init__(self, config_file, compile=False):
        call("Inference", config_file=config_file, compile=compile)

    def __call__(self, image, mask, seed=None, pointmap=None):
        call("__call__", image=image, mask=mask, seed=seed, pointmap=pointmap)
        given = answer()
        visual = types.SimpleNamespace(vertex_colors=given["colors"])
        glb = types.SimpleNamespace(vertices=given["vertices"], faces=given["faces"], visual=visual)
        pose = {name: torch.from_numpy(given[name])[None] for name in ("rotation", "translation", "scale")}
        return {"glb": glb, "gs": None, **pose}
