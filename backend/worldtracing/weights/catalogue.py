"""The released World Tracing models and where their weights come from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from ..errors import WorldTracingError
from ..model.config import ModelConfig, model_config

LICENCE = (
    "The World Tracing weights are published by their authors for non-commercial research only, under the terms on "
    "their page on the Hugging Face Hub. They are not part of this extension and not covered by its licence."
)


@dataclass(frozen=True)
class ReleasedModel:
    """One released checkpoint.

    Attributes:
        name: also the name of its configuration.
        label: what it is for.
        repo: repository on the hub.
        file: the checkpoint's name in it.
        gated: whether the hub asks for a signed-in user who has accepted the terms.
        releases: for a model whose file was replaced by one that must be sampled differently: release (year-month)
            to the correlation of the initial noise between frames. The files themselves do not say which they are.
        known: SHA-256 of a checkpoint to its release, where it has been established.
    """

    name: str
    label: str
    repo: str
    file: str = "model.pt"
    gated: bool = False
    releases: dict[str, float] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> ModelConfig:
        return model_config(self.name)

    @property
    def page(self) -> str:
        """Where the licence can be read."""
        return f"https://huggingface.co/{self.repo}"


RELEASED: dict[str, ReleasedModel] = {
    model.name: model
    for model in (
        ReleasedModel("r75b", "objects, 504 pixels, metric", "haoz19/object-model-6layer"),
        ReleasedModel("r69l", "scenes, 840 pixels, relative scale", "haoz19/scene-model-6layer-840"),
        ReleasedModel(
            "r76",
            "clips of 16 frames, 336 pixels, metric",
            "haoz19/dynamic-model-16frame",
            releases={"2026-06": 0.0, "2026-09": 0.5},
        ),
        ReleasedModel("r69e", "scenes, 504 pixels, older", "haoz19/scene-model-6layer"),
        ReleasedModel("r69g", "scenes, 504 pixels, older", "haoz19/scene-model-6layer"),
        ReleasedModel("r69g_mix", "scenes, 504 pixels, older", "haoz19/scene-model-6layer-mix", gated=True),
    )
}


def released_model(name: str) -> ReleasedModel:
    """The released model called `name`.

    Raises:
        WorldTracingError: WT-MODEL-UNKNOWN.
    """
    if name not in RELEASED:
        raise WorldTracingError(
            "WT-MODEL-UNKNOWN",
            f"There is no released model called {name!r}.",
            f"Choose one of: {', '.join(RELEASED)}.",
        )
    return RELEASED[name]


def release_config(model: ReleasedModel, release: str | None, sha256: str | None = None) -> ModelConfig:
    """The configuration for one release of a model's weights.

    The dynamic model's noise correlation is part of how its weights were trained, and a wrong one gives wrong worlds
    without any other sign. So it follows from a known checksum or is named by the user, and is never guessed.

    Args:
        model: from the catalogue.
        release: one of `model.releases`, or None if the user does not say.
        sha256: of the checkpoint, where it is at hand already.

    Raises:
        WorldTracingError: WT-MODEL-RELEASE when the release matters and is neither known nor named, or unknown.
    """
    if not model.releases:
        return model.config
    release = model.known.get(sha256 or "", release)
    if release not in model.releases:
        choices = " or ".join(f"--release {name}" for name in model.releases)
        raise WorldTracingError(
            "WT-MODEL-RELEASE",
            f"The {model.name} weights exist in several releases that need different noise, and the file does not "
            "say which one it is.",
            f"Name it: {choices}. The hub's current file, last changed in September 2026, is 2026-09.",
        )
    return dataclasses.replace(model.config, noise_correlation=model.releases[release])
