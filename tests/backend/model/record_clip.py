"""Record `tests/data/golden/clip`: a clip of two frames, with masks, through a small network of our own.

The released models' outputs were compared with this implementation before the recording; this file only guards that
it stays as it was then. Run: python tests/backend/model/record_clip.py
"""

import json
from pathlib import Path

import torch
from conftest import make_model, random_mask
from safetensors.torch import save_file

from worldtracing.sampling import fill_noise, initial_noise, sample, time_grid

TARGET = Path(__file__).resolve().parents[2] / "data" / "golden" / "clip"
FRAMES, LAYERS, HEIGHT, WIDTH, SEED, STEPS = 2, 3, 28, 42, 11, 2

CONFIG = {
    "family": "dynamic",
    "height": HEIGHT,
    "width": WIDTH,
    "batch": 1,
    "frames": FRAMES,
    "num_layers": LAYERS,
    "model_kwargs": {
        "num_layers": LAYERS,
        "decoder_embed_dim": 32,
        "num_decoder_blocks": 3,
        "num_decoder_heads": 2,
        "num_head_blocks": 3,
        "layer_embed_mode": "film",
        "use_temporal_blocks": True,
    },
    "encoder": {"embed_dim": 16, "depth": 5, "num_heads": 2, "pos_grid": 5},
    "inference_kwargs": {"xyz_norm_mode": "zscore", "noise_time_corr": 0.5},
    "seed": SEED,
    "steps": STEPS,
}


@torch.inference_mode()
def record() -> None:
    model = make_model(layers=LAYERS, temporal=True, noise_correlation=0.5)
    for parameter in model.parameters():
        parameter.copy_(parameter.half())  # as it is stored
    rgb = torch.rand(1, FRAMES, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(3))
    mask = random_mask(1, FRAMES, LAYERS, HEIGHT, WIDTH)
    conditioning = model.condition(rgb)
    generator = torch.Generator().manual_seed(SEED)
    x = initial_noise(generator, mask.shape, 0.5)
    fills = [fill_noise(generator, mask.shape, official=True) for _ in range(STEPS)]
    filled = torch.where(mask.flatten(1, 2)[:, None], x, fills[0])
    velocity = model.velocity(x, torch.tensor(1.0), conditioning, filled)
    world = sample(model, conditioning, mask, [SEED], STEPS, official_noise=True)

    def listed(value: torch.Tensor) -> torch.Tensor:
        return value.flatten(2).transpose(1, 2).contiguous()

    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n", encoding="utf-8")
    exact = ("image_mean", "image_std")
    weights = {k: v if k.endswith(exact) else v.half() for k, v in model.state_dict().items()}
    save_file(weights, TARGET / "weights.safetensors")
    inputs = {"rgb_clip": rgb, "mask_clip": mask.byte(), "x_init": x}
    inputs |= {f"fill_step{i}": listed(fill) for i, fill in enumerate(fills)}
    save_file(inputs, TARGET / "inputs.safetensors")
    outputs = {
        "v_step0": listed(velocity),
        "timesteps": time_grid(STEPS)[:-1],
        "pred": world.normalized[0].flatten(1, 2),
        "xyz": world.xyz[0],
        "mask": world.mask.byte(),
    }
    save_file({k: v.contiguous() for k, v in outputs.items()}, TARGET / "outputs.safetensors")


if __name__ == "__main__":
    record()
