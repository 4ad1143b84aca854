"""What a training run is made of, read from a TOML file. Imports no torch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from ..errors import WorldTracingError
from ..model.config import model_config

OBJECTIVES = ("regression", "flow")


@dataclass(frozen=True)
class Phase:
    """A stretch of the run with one objective and its own cosine schedule.

    Attributes:
        objective: "regression" (from the picture alone) or "flow" (flow matching).
        share: of the run's length.
        lr: peak learning rate of AdamW; Muon's is `TrainingConfig.muon_ratio` times that.
        batch: samples a step, over all processes.
        size: side of the pictures in pixels.
    """

    objective: str = "regression"
    share: float = 1.0
    lr: float = 1e-3
    batch: int = 32
    size: int = 112

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES or self.share <= 0 or self.batch < 1:
            raise _unusable(f"a phase with {self}")


@dataclass(frozen=True)
class TrainingConfig:
    """A run. Its length is `steps` if that is given, otherwise `minutes` of training, validation not counted.

    Attributes:
        model: name of the network's configuration.
        train: folder of the training samples.
        held_out: folder of samples of meshes that are not trained on.
        phases: what is learned when.
        minutes: length in minutes of wall-clock time, continued runs included.
        steps: length in steps; 0 for `minutes`.
        seed: of weights, data order, augmentation and noise.
        muon_ratio: Muon's learning rate relative to AdamW's.
        weight_decay: of matrices and kernels.
        clip: norm to which gradients are clipped.
        ema: decay of the averaged weights, a step.
        warmup: steps over which each phase's learning rate rises.
        validate_minutes: between validations.
        checkpoint_minutes: between checkpoints.
        validation_samples: held-out samples that are scored.
        compile: use torch.compile.
    """

    model: str = "bundled"
    train: str = ""
    held_out: str = ""
    phases: tuple[Phase, ...] = (Phase("regression", 0.65), Phase("flow", 0.35, 5e-4))
    minutes: float = 150.0
    steps: int = 0
    seed: int = 0
    muon_ratio: float = 2.0
    weight_decay: float = 0.02
    clip: float = 1.0
    ema: float = 0.998
    warmup: int = 100
    validate_minutes: float = 10.0
    checkpoint_minutes: float = 5.0
    validation_samples: int = 300
    compile: bool = False

    def __post_init__(self) -> None:
        if not model_config(self.model).conv:
            raise _unusable(f"the model {self.model}, which is none of the small ones that are trained here")
        if not self.phases:
            raise _unusable("no phase")
        if min(self.steps, self.warmup) < 0 or (not self.steps and self.minutes <= 0):
            raise _unusable(f"{self.minutes:g} minutes, {self.steps} steps and {self.warmup} steps of warm-up")

    def phase_at(self, progress: float) -> tuple[int, float]:
        """The phase at `progress` (0 to 1) of the run, and the progress within it."""
        total = sum(phase.share for phase in self.phases)
        begin = 0.0
        for index, phase in enumerate(self.phases):
            length = phase.share / total
            if progress < begin + length or index == len(self.phases) - 1:
                return index, min((progress - begin) / length, 1.0)
            begin += length
        raise AssertionError


def read_config(path: str | Path, **changes: object) -> TrainingConfig:
    """The run that a TOML file describes: the fields of `TrainingConfig`, and one [[phases]] table per phase.

    Args:
        path: the file; relative folders in it are relative to the working directory.
        changes: fields that replace the file's.

    Raises:
        WorldTracingError: WT-TRAIN-CONFIG for a file that is no such description, WT-IO-READ for none at all.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise WorldTracingError("WT-IO-READ", f"{path} cannot be read ({error}).", "Check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise _unusable(f"a line that is no TOML ({error})") from error
    values |= changes
    known = {field.name for field in fields(TrainingConfig)}
    if unknown := sorted(set(values) - known):
        raise _unusable(f"the unknown entries {', '.join(unknown)}")
    try:
        if "phases" in values:
            values["phases"] = tuple(Phase(**phase) for phase in values["phases"])
        return TrainingConfig(**values)
    except TypeError as error:
        raise _unusable(f"a wrong entry ({error})") from error


def _unusable(what: str) -> WorldTracingError:
    return WorldTracingError(
        "WT-TRAIN-CONFIG",
        f"The training configuration has {what}.",
        "Compare it with the configurations in the folder `backend/configs`.",
    )
