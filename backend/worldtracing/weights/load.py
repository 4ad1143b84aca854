"""Converted weights to a network on a device: built without memory, then given the file's tensors one by one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WorldTracingError
from ..extras import need
from ..progress import OnProgress, silent
from .network import build_on_meta, check_keys
from .plan import is_out_of_memory
from .tensorfile import WeightsHeader, read_header, verify_weights

if TYPE_CHECKING:
    import torch

    from ..model.precision import Precision
    from ..model.wt_dit import WTDiT


def load_model(
    path: str | Path,
    device: str | torch.device = "cpu",
    precision: Precision | None = None,
    verify: bool = False,
    on_progress: OnProgress = silent,
) -> tuple[WTDiT, WeightsHeader]:
    """A network in evaluation mode with the weights of a file.

    On the CPU the tensors stay mapped to the file, whose pages are read when they are first used; on another device
    each tensor is copied there from the mapping. Neither has two copies at any time.

    Args:
        path: a file that `convert_checkpoint` has written.
        device: where to.
        precision: how to compute; by default the one that the file was written for. Each tensor that is of another
            type in the file is converted as it is read.
        verify: check all bytes against the SHA-256 in the file first.
        on_progress: called before each tensor.

    Raises:
        WorldTracingError: WT-MODEL-MISSING, -FOREIGN, -NEWER, -TRUNCATED, -CHECKSUM, -KEYS; WT-MEM-LOAD when the
            weights do not fit; WT-ENV-PACKAGE.
    """
    need("torch", "torch", "run the network")
    from safetensors import safe_open

    from ..model.precision import FAST, FP32, parameter_dtype

    header = verify_weights(path, on_progress) if verify else read_header(path)
    precision = precision or (FAST if header.precision == "bf16" else FP32)
    model = build_on_meta(header.config)
    state = {}
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            keys = list(file.keys())
            check_keys({key: tuple(file.get_slice(key).get_shape()) for key in keys}, header.config, str(path))
            for k, key in enumerate(keys):
                on_progress("Loading weights", k, len(keys))
                state[key] = file.get_tensor(key).to(parameter_dtype(key, precision))
    except (RuntimeError, MemoryError, OSError) as error:
        if is_out_of_memory(error):
            raise _does_not_fit(path, device) from error
        raise
    model.load_state_dict(state, assign=True)
    model.precision = precision
    return model.eval().requires_grad_(False), header


def _does_not_fit(path: str | Path, device: object) -> WorldTracingError:
    return WorldTracingError(
        "WT-MEM-LOAD",
        f"The weights {Path(path).name} do not fit into the memory of {device}.",
        "Close other programs that use it, choose bf16 weights or offload, or use another device.",
    )
