"""The weights folder: accepted licences, downloads, converted weights. Nothing outside it is ever written or removed.

licences.json                      what was accepted, when
downloads/<owner>--<name>/<file>   checkpoints as downloaded, <file>.json beside them, unfinished ones *.partial
<model>-<precision>.safetensors    converted weights, what the engine loads
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import WorldTracingError
from ..files import write_atomically, write_error
from .catalogue import LICENCE, RELEASED, ReleasedModel, released_model
from .tensorfile import WeightsHeader, read_header

PRECISIONS = ("bf16", "fp32")
KINDS = ("weights", "damaged", "download", "partial")


def default_folder() -> Path:
    """The folder of the environment variable WORLDTRACING_WEIGHTS, or one in the user's home."""
    chosen = os.environ.get("WORLDTRACING_WEIGHTS")
    return Path(os.path.expandvars(chosen)).expanduser() if chosen else Path.home() / ".worldtracing" / "weights"


@dataclass(frozen=True)
class StoredFile:
    """One file of the folder.

    Attributes:
        path: where it is.
        kind: "weights" (converted), "damaged" (has their name, but cannot be read as such), "download", or "partial"
            (what an unfinished download or conversion left).
        models: the models it serves.
        size: in bytes.
        header: of converted weights, else None.
    """

    path: Path
    kind: str
    models: tuple[str, ...]
    size: int
    header: WeightsHeader | None = None


class WeightStore:
    """A folder of weights."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder else default_folder()

    def converted(self, name: str | None = None) -> list[Path]:
        """Converted weights that there are, damaged ones too, of one model or of all.

        Raises:
            WorldTracingError: WT-MODEL-MISSING when there are none of the model.
        """
        kinds = "weights", "damaged"
        found = [file.path for file in self.files() if file.kind in kinds and name in (None, *file.models)]
        return found or ([] if name is None else [self.find(name)])

    def weights_path(self, name: str, precision: str) -> Path:
        """Where converted weights of a released model belong."""
        return self.folder / f"{released_model(name).name}-{precision}.safetensors"

    def download_path(self, model: ReleasedModel) -> Path:
        """Where its checkpoint is downloaded to; models of one repository share it."""
        return self.folder / "downloads" / model.repo.replace("/", "--") / model.file

    def find(self, name: str) -> Path:
        """Converted weights of a model, bf16 before fp32.

        Raises:
            WorldTracingError: WT-MODEL-UNKNOWN, WT-MODEL-MISSING.
        """
        for precision in PRECISIONS:
            if (path := self.weights_path(name, precision)).is_file():
                return path
        raise WorldTracingError(
            "WT-MODEL-MISSING",
            f"The weights of {name} are not in {self.folder}.",
            f"Run `worldtracing weights download {name}`, or convert a checkpoint that you have.",
        )

    # licences ----------------------------------------------------------------------------------------------------

    def licence_accepted(self, model: ReleasedModel) -> bool:
        """Whether today's licence sentence was accepted for the model's repository."""
        return self._licences().get(model.repo, {}).get("licence") == LICENCE

    def accept_licence(self, model: ReleasedModel) -> None:
        """Record that the user has read and accepted the licence."""
        accepted = {"licence": LICENCE, "page": model.page, "accepted": datetime.now(UTC).isoformat(timespec="seconds")}
        content = json.dumps({**self._licences(), model.repo: accepted}, indent=1, sort_keys=True)
        write_atomically(self.folder / "licences.json", content.encode())

    def require_licence(self, model: ReleasedModel) -> None:
        """Raises WT-MODEL-LICENCE unless it was accepted."""
        if not self.licence_accepted(model):
            raise WorldTracingError(
                "WT-MODEL-LICENCE",
                f"The licence of the {model.name} weights has not been accepted. {LICENCE}",
                f"Read {model.page}, then accept the licence (--accept-licence on the command line).",
            )

    def _licences(self) -> dict:
        try:
            licences = json.loads((self.folder / "licences.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # missing or damaged: ask again
            return {}
        return licences if isinstance(licences, dict) else {}

    # files -------------------------------------------------------------------------------------------------------

    def files(self) -> list[StoredFile]:
        """Everything in the folder that belongs to a released model."""
        found = []
        named = {self.weights_path(name, precision): name for name in RELEASED for precision in PRECISIONS}
        for path in sorted(self.folder.glob("*.safetensors")):
            try:
                header = read_header(path)
            except WorldTracingError:
                if path in named:
                    found.append(StoredFile(path, "damaged", (named[path],), path.stat().st_size))
                continue  # any other is not ours: not listed and never removed
            found.append(StoredFile(path, "weights", (header.config.name,), path.stat().st_size, header))
        for path in sorted(self.folder.glob(".*.safetensors.*.tmp")):  # a conversion that was killed
            found.append(StoredFile(path, "partial", (path.name[1:].rsplit("-", 1)[0],), path.stat().st_size))
        for path, models in self._downloads().items():
            if path.is_file():
                found.append(StoredFile(path, "download", models, path.stat().st_size))
            for partial in sorted(path.parent.glob(f"{path.name}.*.partial")):
                found.append(StoredFile(partial, "partial", models, partial.stat().st_size))
        return found

    def remove(self, name: str, kinds: tuple[str, ...] = KINDS) -> list[StoredFile]:
        """Delete a model's files and return them. A checkpoint that serves several models goes with any of them.

        Raises:
            WorldTracingError: WT-MODEL-UNKNOWN, WT-IO-WRITE.
        """
        model = released_model(name)
        removed = [file for file in self.files() if model.name in file.models and file.kind in kinds]
        for file in removed:
            try:
                file.path.unlink()
                if file.kind == "download":
                    download_record(file.path).unlink(missing_ok=True)
            except OSError as error:
                raise write_error(file.path, error) from error
        return removed

    def _downloads(self) -> dict[Path, tuple[str, ...]]:
        paths: dict[Path, tuple[str, ...]] = {}
        for model in RELEASED.values():
            path = self.download_path(model)
            paths[path] = (*paths.get(path, ()), model.name)
        return paths


def download_record(path: Path) -> Path:
    """The JSON file beside a downloaded checkpoint."""
    return path.with_name(path.name + ".json")
