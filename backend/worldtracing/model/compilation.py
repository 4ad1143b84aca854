"""Compile a WT-DiT block by block: equal blocks share their compiled code, so a handful of graphs serve all of them.

For benchmarks/sampler.py and scripts; the engine `wt-dit` does not compile (docs/models.md, Speed).
"""

from __future__ import annotations

import time

import torch
from torch import nn

from .tokens import Conditioning
from .wt_dit import WTDiT

LIMIT_SECONDS = 60.0


def compile_blocks(
    model: WTDiT,
    conditioning: Conditioning,
    samples: int = 1,
    *,
    limit: float = LIMIT_SECONDS,
    backend: str = "inductor",
) -> list[str]:
    """Compile the blocks of decoder and head for one size of input, kind by kind.

    No further kind is begun once `limit` seconds have passed; blocks of those kinds stay as they are. The first kind
    may itself take longer, as it brings torch's compiler along. torch keeps compiled kernels on disk, so the next
    process is quicker. Not together with `offload_blocks`.

    Args:
        model: the network, on its device.
        conditioning: of the size to compile for.
        samples: seeds times pictures per batch.

    Returns:
        The kinds that were compiled, such as "ray" and, for a modulation of each layer's own, "frame, by layer".
    """
    per_layer = conditioning.layer_modulation is not None
    temporal = [layer.block for layer in model.temporal_blocks] if conditioning.frame_rope is not None else []
    groups: dict[tuple[str, bool], list[nn.Module]] = {}  # by kind, and whether the modulation differs between layers
    for block in model.net.decoder_blocks:
        groups.setdefault((block.kind, per_layer and block.kind == "frame"), []).append(block)
    for block in (*model.net.latents_projection.geo_blocks, *temporal):
        groups.setdefault((block.kind, False), []).append(block)

    b, t, layers, p, half = conditioning.features.shape
    device = conditioning.features.device
    tokens = torch.zeros(samples * b, t, layers, p, 2 * half, dtype=model.precision.residual, device=device)
    modulation = model.time_modulation(torch.tensor(1.0, device=device))
    ropes = {"frame": conditioning.rope, "global": conditioning.rope, "temporal": conditioning.frame_rope}
    start, compiled = time.monotonic(), []
    for (kind, layered), blocks in groups.items():
        if time.monotonic() - start > limit:
            break
        for block in blocks:
            block.compile(backend=backend)
        blocks[0](tokens, modulation + conditioning.layer_modulation if layered else modulation, ropes.get(kind))
        compiled.append(f"{kind}, by layer" if layered else kind)
    return compiled
