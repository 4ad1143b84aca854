"""Models of other people that select and find, fetched from the hub as their authors publish them, file by file."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import WorldTracingError
from ..extras import need
from ..files import write_error
from ..progress import OnProgress, silent
from .catalogue import ReleasedModel
from .download import download_file
from .download_errors import translate
from .store import WeightStore

WEIGHTS = "model.safetensors"
"""Name of the weights in each repository. They come last, so that where they are, all of it is."""

SMALL = re.compile(r"\w[\w.-]*\.(json|txt)")
"""Names of what else is needed, configurations and vocabularies: files alone, in no other folder on any system."""


@dataclass(frozen=True)
class AssistantModel:
    """A model for a segmenter or detector.

    Attributes:
        name: as in the registries.
        label: for people.
        repo: repository on the hub.
        licence: of its code and weights.
        gated: whether the hub asks for a signed-in user who has accepted the terms.
        gigabytes: about, from the published number of parameters in float32.
    """

    name: str
    label: str
    repo: str
    licence: str
    gated: bool
    gigabytes: float

    @property
    def page(self) -> str:
        """Where the license can be read."""
        return f"https://huggingface.co/{self.repo}"

    def require_licence(self, accepted: bool) -> None:
        """Raises WT-MODEL-LICENCE unless the user has read its license and accepts it."""
        if not accepted:
            raise WorldTracingError(
                "WT-MODEL-LICENCE",
                f"The license of {self.label} ({self.licence}) has not been accepted.",
                f"Read {self.page}, then accept it (--accept-licence on the command line).",
            )


ASSISTANT_MODELS = {
    model.name: model
    for model in (
        AssistantModel("sam2", "SAM 2", "facebook/sam2.1-hiera-tiny", "Apache-2.0", False, 0.16),
        AssistantModel("sam3", "SAM 3", "facebook/sam3", "SAM License", True, 3.4),
        AssistantModel(
            "grounding-dino", "Grounding DINO", "IDEA-Research/grounding-dino-tiny", "Apache-2.0", False, 0.7
        ),
    )
}


def own_folder(repo: str, folder: Path | None = None) -> Path:
    """Where the files of a repository are in a weights folder, the usual one without it; it need not exist."""
    return WeightStore(folder).download_path(ReleasedModel("", "", repo, WEIGHTS)).parent


def fetch(
    folder: Path | None,
    name: str,
    accept_licence: bool,
    on_progress: OnProgress = silent,
    endpoint: str | None = None,
    token: str | None = None,
) -> Path:
    """Download a model; what has arrived before is not downloaded again.

    Args:
        folder: of weights; the usual one without it.
        name: of `ASSISTANT_MODELS`.
        accept_licence: that the user has read its license and accepts it.
        on_progress, endpoint, token: as in `download`.

    Returns:
        The folder that transformers loads it from.

    Raises:
        WorldTracingError: as `download`.
    """
    model = ASSISTANT_MODELS[name]
    model.require_licence(accept_licence)
    store = WeightStore(folder)
    weights = ReleasedModel(model.name, model.label, model.repo, WEIGHTS, model.gated)
    for file in (*_small_files(weights, endpoint, token), WEIGHTS):
        part = replace(weights, file=file)
        download_file(part, store.download_path(part), on_progress, endpoint, token)
    return own_folder(model.repo, folder)


def is_fetched(folder: Path | None, name: str) -> bool:
    """Whether all of a model was downloaded to a weights folder."""
    return (own_folder(ASSISTANT_MODELS[name].repo, folder) / WEIGHTS).is_file()


def unfinished_bytes(folder: Path | None, name: str) -> int:
    """What is on disk of a model of which not all was downloaded; 0 where there is nothing or all of it."""
    if is_fetched(folder, name):
        return 0
    size = 0
    for path in own_folder(ASSISTANT_MODELS[name].repo, folder).glob("*"):
        with contextlib.suppress(OSError):  # another Blender may finish it at this moment
            size += path.stat().st_size
    return size


def remove(folder: Path | None, name: str) -> None:
    """Delete a model's downloads, finished or not.

    Raises:
        WorldTracingError: WT-IO-WRITE.
    """
    own = own_folder(ASSISTANT_MODELS[name].repo, folder)
    try:
        if own.is_dir():
            (own / WEIGHTS).unlink(missing_ok=True)  # first: Windows keeps what is loaded, and then all must stay
            shutil.rmtree(own)
    except OSError as error:
        raise write_error(own, error) from error


def _small_files(model: ReleasedModel, endpoint: str | None, token: str | None) -> list[str]:
    hub = need("huggingface_hub", "hub", "download weights")
    endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or hub.constants.ENDPOINT).rstrip("/")
    try:
        siblings = hub.HfApi(endpoint=endpoint, token=token).model_info(model.repo).siblings or ()
    except Exception as error:
        known = translate(error, model, endpoint, token)
        if known is None:
            raise
        raise known from error
    return [sibling.rfilename for sibling in siblings if SMALL.fullmatch(sibling.rfilename)]
