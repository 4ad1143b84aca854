"""Compare the network and the sampler with recorded outputs of the released models: `worldtracing parity FOLDER`.

A case is a folder with `config.json`, `weights`, `inputs`, `outputs` and, where they were recorded, `intermediates`
(all safetensors, official key names). A folder with `numerics.npz` checks single formulas. A folder of cases runs them
all. Needs torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .errors import WorldTracingError
from .model.config import XYZ_NORMS, ModelConfig
from .model.embeddings import time_sinusoid
from .model.encoder import resample_positions
from .model.normalization import denormalize
from .model.rope import Rotary, rotary_table, rotate
from .model.tokens import patchify
from .model.wt_dit import WTDiT
from .sampling import fill_noise, initial_noise, sample, time_grid

# Tolerances relative to the largest reference value: of one forward pass, and of a whole trajectory.
STEP, FINAL = 1e-5, 1e-4

Comparison = tuple[str, Tensor, Tensor, float]  # name, ours, theirs, tolerance

LAYOUTS = {  # tokens of a block's output as the sequences that its attention runs along
    "frame": "n t l p d -> (n t l) p d",
    "ray": "n t l p d -> (n t p) l d",
    "global": "n t l p d -> (n t) (l p) d",
}


@dataclass(frozen=True)
class Check:
    """One comparison: `error` is max |ours − theirs| / max |theirs|."""

    name: str
    error: float
    tolerance: float

    @property
    def ok(self) -> bool:
        return self.error <= self.tolerance  # False for NaN


def run_parity(folder: str | Path) -> list[Check]:
    """All checks of a case, or of every case in a folder of cases.

    Raises:
        WorldTracingError: WT-MODEL-PARITY where there is nothing to compare with or files are broken.
    """
    folder = Path(folder)
    cases = [p.parent for p in sorted((*folder.rglob("config.json"), *folder.rglob("numerics.npz")))]
    if not cases:
        raise _unusable(f"'{folder}' holds no recorded outputs", "Give a folder with config.json and its safetensors.")
    checks = []
    for case in cases:
        try:
            found = case_checks(case) if (case / "config.json").is_file() else numerics_checks(case)
            checks += [Check(f"{case.name}/{name}", relative_error(*pair), limit) for name, *pair, limit in found]
        except (OSError, LookupError, TypeError, AttributeError, ValueError, RuntimeError, SafetensorError) as error:
            raise _unusable(f"'{case}' cannot be compared: {error}", "Record the folder again.") from error
    return checks


def main(args: Sequence[str]) -> int:
    """Print every check of the folder args[0]; 0 when all are within their tolerance."""
    checks = run_parity(args[0])
    for check in checks:
        print(f"{'ok  ' if check.ok else 'FAIL'} {check.name:40} {check.error:9.2e}  (at most {check.tolerance:.0e})")
    failed = sum(not check.ok for check in checks)
    print(f"{len(checks) - failed} of {len(checks)} checks within their tolerance.")
    return 1 if failed else 0


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """max |ours − theirs| / max |theirs|, in float64."""
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes {tuple(ours.shape)} and {tuple(theirs.shape)} differ")
    ours, theirs = ours.double(), theirs.double()
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-30))


def load_case(folder: Path) -> tuple[WTDiT, dict]:
    """The network of a case in float32, and its config.json."""
    facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kwargs = facts["inference_kwargs"]
    config = ModelConfig.from_official(
        facts["model_kwargs"],
        facts["encoder"],
        name=folder.name,
        image_size=facts["height"],
        frames=facts["frames"],
        xyz_norm=kwargs["xyz_norm_mode"],
        noise_correlation=kwargs.get("noise_time_corr", 0.0),
    )
    model = WTDiT(config).eval().requires_grad_(False)
    model.load_state_dict({k: v.float() for k, v in load_file(folder / "weights.safetensors").items()})
    return model, facts


@torch.inference_mode()
def case_checks(folder: Path) -> Iterator[Comparison]:
    """The comparisons of one recorded run."""
    model, facts = load_case(folder)
    inputs, outputs = (load_file(folder / f"{name}.safetensors") for name in ("inputs", "outputs"))
    step_tolerance = STEP / 10 if facts["family"] == "eps" else STEP  # that case tells LayerNorm epsilons apart
    mask = inputs.get("mask", inputs.get("mask_clip")).bool()
    x, steps, seed = inputs["x_init"], facts["steps"], facts["seed"]
    fills = [_to_map(inputs[f"fill_step{i}"], x) for i in range(steps) if f"fill_step{i}" in inputs]
    valid = mask.reshape(len(x), 1, *x.shape[2:])
    filled = torch.where(valid, x, fills[0]) if fills else x

    recorder = Recorder(model)
    rgb = inputs.get("rgb", inputs.get("rgb_clip"))
    conditioning = model.condition(rgb)
    velocity = model.velocity(x, torch.tensor(1.0), conditioning, filled)
    recorder.stop()
    if (folder / "intermediates.safetensors").is_file():
        recorder.values["out.v_t"] = _to_list(velocity)
        recorder.values["dec.geo_patches"] = _patches(rgb, filled, model.config)
        recorder.values["dec.geo_noise"] = model.noise_tokens(filled, conditioning)[..., model.config.width // 2 :]
        theirs = load_file(folder / "intermediates.safetensors")
        for name in sorted(theirs):
            yield name, recorder.values[name].reshape(theirs[name].shape), theirs[name], step_tolerance
    if "v_t_at_t0" in outputs:
        at_zero = model.velocity(x, torch.tensor(0.0), conditioning, filled)
        yield "v_t_at_t0", _to_list(at_zero), outputs["v_t_at_t0"], step_tolerance

    times, x_t = time_grid(steps), x
    for i in range(steps):
        filled = torch.where(valid, x_t, fills[i]) if fills else x_t
        velocity = model.velocity(x_t, times[i], conditioning, filled)
        x_t = x_t - (times[i] - times[i + 1]) * velocity
        if f"v_step{i}" in outputs:
            yield f"v_step{i}", _to_list(velocity), outputs[f"v_step{i}"], FINAL if i else step_tolerance

    yield from _noise(facts, mask if mask.ndim == 5 else mask[:, None], model.config.noise_correlation, x, fills)
    ours = sample(model, conditioning, mask, [seed], steps, official_noise=True)
    yield "pred", ours.normalized.reshape(outputs["pred"].shape), outputs["pred"], FINAL
    yield "xyz", ours.xyz.reshape(outputs["xyz"].shape), outputs["xyz"], FINAL
    yield "mask", ours.mask.reshape(outputs["mask"].shape), outputs["mask"], 0.0
    if "xyz_20step" in outputs:
        ours = sample(model, conditioning, mask, [seed], 20, official_noise=True)
        yield "xyz_20step", ours.xyz.reshape(outputs["xyz_20step"].shape), outputs["xyz_20step"], FINAL


def _noise(facts: dict, mask: Tensor, correlation: float, x_init: Tensor, fills: list[Tensor]) -> Iterator[Comparison]:
    """The seed's own draws. Exact, but for correlated noise, whose sum of two draws is rounded."""
    generator = torch.Generator().manual_seed(facts["seed"])
    yield "x_init", initial_noise(generator, mask.shape, correlation), x_init, 1e-7 if correlation else 0.0
    for i, fill in enumerate(fills):
        yield f"fill_step{i}", fill_noise(generator, mask.shape, official=True), fill, 0.0


def numerics_checks(folder: Path) -> Iterator[Comparison]:
    """Single formulas, from `numerics.npz`."""
    with np.load(folder / "numerics.npz") as archive:
        facts = {name: torch.from_numpy(np.asarray(archive[name])) for name in archive.files}
    for mode in (m for m in XYZ_NORMS if f"denorm_{m}" in facts):
        theirs = facts[f"denorm_{mode}"]
        scale = theirs.abs().clamp(min=1e-3)  # each value on its own: they span twelve orders of magnitude
        yield f"denorm_{mode}", denormalize(facts["denorm_in"], mode) / scale, theirs / scale, 1e-5
    for name in (n for n in facts if n.startswith("pos_") and n != "pos_embed"):
        rows, columns = (int(side) // 14 for side in name.removeprefix("pos_").split("x"))
        yield name, resample_positions(facts["pos_embed"], (rows, columns)), facts[name], 1e-6
    yield "sinusoid", time_sinusoid(facts["t20"]), facts["sinus256"], 1e-7

    queries, dim = facts["rope_q"], facts["rope_q"].shape[-1]
    exact, rounded = (rotary_table(facts["rope_pos"], dim, bf16_angles=bf16) for bf16 in (False, True))
    yield "rope", rotate(queries, _per_head(exact)), facts["rope_out_fp32"], 1e-6
    ours = rotate(queries.bfloat16(), _per_head(rounded).to(torch.bfloat16))
    yield "rope_bf16", ours, facts["rope_out_bf16_as_fp32"], 2**-7  # rounded to bf16 at other places
    column = torch.arange(len(facts["rope_cos_bf16"]))
    table = rotary_table(torch.stack([column, column], -1), dim, bf16_angles=True)
    half = dim // 2
    yield "rope_cos_bf16", table.cos[:, :half], facts["rope_cos_bf16"], 0.0
    yield "rope_sin_bf16", table.sin[:, :half].abs(), facts["rope_sin_bf16"].abs(), 0.0

    seeded = torch.Generator().manual_seed(int(facts["corr_noise_seed"]))
    noise = initial_noise(seeded, (1, 3, 2, 4, 5), 0.5)
    yield "correlated_noise", noise, facts["corr_noise_B1T3L2H4W5_rho05"], 1e-7
    seeded = torch.Generator().manual_seed(42)
    yield "noise_of_seed_42", initial_noise(seeded, (1, 1, 2, 4, 5)), facts["randn_seed42_1x3x2x4x5"], 0.0


def _per_head(rope: Rotary) -> Rotary:
    return Rotary(rope.cos[:, :, None], rope.sin[:, :, None])


class Recorder:
    """Collects a WT-DiT's intermediate values under the names of the recorded ones, while it runs.

    Attributes:
        values: name to tensor; blocks in the layout of their own sequences.
    """

    def __init__(self, model: WTDiT) -> None:
        self.values: dict[str, Tensor] = {}
        net, head = model.net, model.net.latents_projection
        self._hooks = []
        self._watch(net.encoder.final_project, "enc.concat4", "enc.tokens")
        self._watch(net.feature_projection, "dec.img_tokens_normed", "dec.feat")
        self._watch(net.time_embedding, "time.sinusoid", "time.embed")
        self._watch(net.time_projection, None, "time.adaln_flat")
        self._watch(model.layer_film_proj, None, "dec.film_params")
        self._watch(head.geo_film_proj, None, "head.film_params")
        if model.layer_adaln_proj is not None:
            self._watch(model.layer_adaln_proj, None, "dec.layer_adaln_flat")
        first = net.decoder_blocks[0]
        self._watch(first, "dec.block00.in", None)
        self._watch(first.attn, None, "dec.block00.attn_out")
        for part, blocks in (("dec", net.decoder_blocks), ("head", head.geo_blocks)):
            for i, block in enumerate(blocks):
                self._watch(block, None, f"{part}.block{i:02}", LAYOUTS[block.kind])
        for i, temporal in enumerate(model.temporal_blocks):
            self._watch(temporal, None, f"dec.temporal{i:02}")
        self._watch(head, "dec.tokens_out", "head.proj")

    def _watch(self, module: nn.Module, input_name: str | None, output_name: str | None, layout: str = "") -> None:
        def record(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            if input_name:
                self.values[input_name] = args[0]
            if output_name:
                self.values[output_name] = rearrange(output, layout) if layout else output

        self._hooks.append(module.register_forward_hook(record))

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()


def _patches(rgb: Tensor, x: Tensor, config: ModelConfig) -> Tensor:
    """What the released network projects at once: the picture's patches, then those of the noise, for every view."""
    noise = patchify(x.transpose(1, 2), config.patch)
    picture = patchify(rgb.unflatten(0, (len(x), -1)) if rgb.ndim == 4 else rgb, config.patch)
    return torch.cat([picture.repeat_interleave(config.layers, 1), noise], -1)


def _to_list(x: Tensor) -> Tensor:
    """(b, 3, v, H, W) to the released sampler's (b, v · H · W, 3)."""
    return x.flatten(2).transpose(1, 2)


def _to_map(x: Tensor, like: Tensor) -> Tensor:
    return x.transpose(1, 2).reshape(like.shape)


def _unusable(what: str, fix: str) -> WorldTracingError:
    return WorldTracingError("WT-MODEL-PARITY", f"{what}.", fix)
