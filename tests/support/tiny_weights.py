"""Tiny networks of the released kinds with random weights. As a program: `tiny_weights.py NAME FOLDER` converts one."""

import dataclasses
import sys
from pathlib import Path

from worldtracing.model import config as model_config
from worldtracing.model.config import EncoderConfig, ModelConfig
from worldtracing.weights.catalogue import ReleasedModel
from worldtracing.weights.convert import convert_checkpoint
from worldtracing.weights.network import build_on_meta

OBJECT = ModelConfig(
    image_size=42,
    layers=3,
    width=24,
    heads=2,
    blocks=3,
    head_blocks=3,
    steps=3,
    encoder=EncoderConfig(width=16, depth=4, heads=2, pos_grid=3),
)
SCENE = dataclasses.replace(OBJECT, name="r69l", mode="scene", layer_adaln=True, xyz_norm="median_log_global")
CLIP = dataclasses.replace(OBJECT, name="r76", mode="dynamic", temporal=True, frames=3, noise_correlation=0.5)
TINY = {config.name: config for config in (OBJECT, SCENE, CLIP)}


def write_checkpoint(path, config, change=lambda state: None):
    """A checkpoint as the released ones are, after `change` has been at its state dict."""
    import torch

    generator = torch.Generator().manual_seed(0)
    # As wide as initializations are; norms near 1, so that every block matters and nothing overflows.
    state = {
        key: torch.randn(tensor.shape, generator=generator) * 0.1 + ("norm" in key or "std" in key)
        for key, tensor in build_on_meta(config).state_dict().items()
    }
    change(state)
    torch.save({"model_state_dict": state}, path)
    return path


if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    model_config.MODELS[name] = TINY[name]
    checkpoint = write_checkpoint(folder / f"{name}.pt", TINY[name])
    convert_checkpoint(checkpoint, folder / f"{name}-fp32.safetensors", ReleasedModel(name, "tiny", "a/b"), "fp32")
