"""Released checkpoints (.pt, pickles) to safetensors: read without running code, checked strictly, written once.

The checkpoint is memory-mapped and copied tensor by tensor, so that beyond the mapping (which the system may drop at
any time) no more than one tensor is in memory.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WorldTracingError
from ..extras import need
from ..progress import OnProgress, silent
from .catalogue import ReleasedModel, release_config
from .network import check_keys
from .tensorfile import TensorSpec, WeightsHeader, file_sha256, write_weights

if TYPE_CHECKING:
    from torch import Tensor

COMPILED_PREFIX = "_orig_mod."  # put before every key by torch.compile


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    model: ReleasedModel,
    precision: str = "bf16",
    release: str | None = None,
    on_progress: OnProgress = silent,
) -> WeightsHeader:
    """Convert a released checkpoint.

    Args:
        source: the `.pt` file.
        target: the `.safetensors` file to write; an existing one stays until the new one is complete.
        model: what the checkpoint must be.
        precision: "fp32", or "bf16" for matrices and what multiplies with them (model/precision.py; the rest stays
            float32), which halves the file and rounds each of those numbers by at most 2^-8 of itself.
        release: of models with several, see `catalogue.release_config`.
        on_progress: called for every block read and every tensor written.

    Raises:
        WorldTracingError: WT-MODEL-MISSING, WT-MODEL-FOREIGN (not a checkpoint), WT-MODEL-TRUNCATED, WT-MODEL-PICKLE
            (it would run code), WT-MODEL-KEYS (another model's), WT-MODEL-NAN, WT-MODEL-RELEASE, WT-IO-FULL,
            WT-IO-WRITE, WT-ENV-PACKAGE. None leaves a new file behind.
    """
    source, target = Path(source), Path(target)
    state = read_checkpoint(source)
    check_keys({key: tuple(tensor.shape) for key, tensor in state.items()}, model.config, str(source))
    sha256 = file_sha256(source, f"Checking {source.name}", on_progress)
    config = release_config(model, release, sha256)
    specs = _specs(state, precision)
    header = WeightsHeader(config, precision, sha256, model.known.get(sha256, release or ""))
    return write_weights(target, header, specs, _stream(state, specs, on_progress))


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a released checkpoint by official name, memory-mapped: EMA weights where there are any."""
    torch = need("torch", "torch", "read checkpoints")
    _check_container(path)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise WorldTracingError(
            "WT-MODEL-PICKLE",
            f"{path} holds Python code or objects beside tensors{f' ({name[1]})' if name else ''} and was not opened.",
            "Use the checkpoint from the model's own page. Never open such a file from a source you do not trust.",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise _truncated(path) from error
    state = _state_dict(checkpoint)
    if not state or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise _foreign(path)
    if all(key.startswith(COMPILED_PREFIX) for key in state):
        state = {key.removeprefix(COMPILED_PREFIX): tensor for key, tensor in state.items()}
    return state


def _check_container(path: Path) -> None:
    """Tell a truncated archive from something else before torch, whose messages do not."""
    if not path.is_file():
        raise WorldTracingError("WT-MODEL-MISSING", f"There is no file {path}.", "Check the path.")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"PK\x03\x04":  # torch.save writes zip archives
        raise _foreign(path)
    if not zipfile.is_zipfile(path):  # whose directory is at the end
        raise _truncated(path)


def _state_dict(checkpoint: object) -> Mapping[str, object]:
    if not isinstance(checkpoint, Mapping):
        return {}
    state = checkpoint
    if "model_state_dict" in checkpoint:
        ema = checkpoint.get("ema_state_dict")
        state = checkpoint["model_state_dict"] if ema is None else ema
    return state if isinstance(state, Mapping) else {}


def _specs(state: Mapping[str, Tensor], precision: str) -> list[TensorSpec]:
    """What to write: float32 tensors before bf16 ones, each group in the checkpoint's order."""
    from ..model.precision import FAST, FP32, parameter_dtype

    torch = need("torch", "torch", "convert checkpoints")
    kept = {"fp32": FP32, "bf16": FAST}[precision]
    names = {torch.float32: "F32", torch.bfloat16: "BF16"}
    specs = [TensorSpec(key, names[parameter_dtype(key, kept)], tuple(tensor.shape)) for key, tensor in state.items()]
    return sorted(specs, key=lambda spec: spec.dtype == "BF16")


def _stream(state: Mapping[str, Tensor], specs: list[TensorSpec], on_progress: OnProgress) -> Iterator[memoryview]:
    """Each tensor's bytes in its type, one at a time; raises WT-MODEL-NAN at the first that is not finite."""
    torch = need("torch", "torch", "convert checkpoints")
    for k, spec in enumerate(specs):
        on_progress("Converting", k, len(specs))
        tensor = state[spec.name].detach().to(torch.bfloat16 if spec.dtype == "BF16" else torch.float32)
        if not all(extreme.isfinite() for extreme in tensor.aminmax()):  # one pass; NaN counts as extreme
            raise WorldTracingError(
                "WT-MODEL-NAN",
                f"The weights contain numbers that are not finite, first in {spec.name}.",
                "The file is damaged or from a failed training: download it again.",
            )
        yield tensor.contiguous().flatten().view(torch.uint8).numpy().data


def _truncated(path: Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-MODEL-TRUNCATED", f"{path} is cut short or damaged.", "Download it again; an unfinished download resumes."
    )


def _foreign(path: Path) -> WorldTracingError:
    return WorldTracingError(
        "WT-MODEL-FOREIGN", f"{path} is not a PyTorch checkpoint.", "Choose the .pt file from the model's page."
    )
