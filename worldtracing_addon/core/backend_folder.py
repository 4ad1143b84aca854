"""The folder of a backend environment, and what state that is in.

environment/   the virtual environment
ready.json     written last: what is installed and what the doctor said; without it nothing is used
pip-cache/     what was downloaded, while a set-up is under way or was interrupted
setup.log      of the last set-up
lock           held by the Blender that sets it up
"""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backend.worldtracing.errors import WorldTracingError
from ...backend.worldtracing.files import write_atomically, write_error
from .backend_pins import digest
from .platforms import Platform, this_platform

LONGEST_NAME = 167
"""Characters of the longest path in PyTorch's wheel, below site-packages."""


@dataclass(frozen=True)
class BackendState:
    """What a folder holds.

    Attributes:
        status: "absent"; "incomplete" (a set-up was interrupted); "broken" (its base Python is gone, as after Blender
            was moved or removed); "outdated" (usable, from other versions than this extension's); "ready".
        python: the interpreter to run the backend with; None unless "outdated" or "ready".
        build: of PyTorch, where it is known.
        checks: what the doctor found at the end of the set-up, as `doctor.Check.to_dict` gives it.
    """

    status: str
    python: Path | None = None
    build: str = ""
    checks: tuple[Mapping[str, Any], ...] = ()


class BackendFolder:
    """Reads and changes the folder; `state` is quick and never waits."""

    def __init__(self, folder: Path, platform: Platform | None = None) -> None:
        self.folder = folder
        self.platform = platform or this_platform()
        self.environment = folder / "environment"
        self.cache = folder / "pip-cache"
        self.log = folder / "setup.log"
        self._marker = folder / "ready.json"

    @property
    def python(self) -> Path:
        """The environment's interpreter, whether it exists or not."""
        return self.platform.venv_python(self.environment)

    def state(self) -> BackendState:
        if not self.environment.is_dir():
            return BackendState("absent")
        marker = self._read_marker()
        if marker is None:
            return BackendState("incomplete")
        build, checks = str(marker.get("build", "")), tuple(marker.get("checks", ()))
        if not (self.python.is_file() and self._base_exists()):
            return BackendState("broken", build=build, checks=checks)
        status = "ready" if marker.get("pins") == digest() else "outdated"
        return BackendState(status, self.python, build, checks)

    def mark_ready(self, build: str, checks: Sequence[Mapping[str, Any]]) -> None:
        """From here on the environment is used.

        Raises:
            WorldTracingError: WT-IO-WRITE, WT-IO-FULL.
        """
        content = {"pins": digest(), "build": build, "checks": list(checks)}
        write_atomically(self._marker, json.dumps(content, indent=1).encode())

    def mark_unready(self) -> bytes | None:
        """From here on the environment is not used, whatever becomes of it; what `mark_again` takes, if it was."""
        with _writing(self._marker):
            if not self._marker.is_file():
                return None
            marker = self._marker.read_bytes()
            self._marker.unlink()
            return marker

    def mark_again(self, marker: bytes) -> None:
        """Use the environment as before, as nothing has become of it."""
        write_atomically(self._marker, marker)

    def remove_environment(self) -> None:
        """Delete the environment; what was downloaded for it stays.

        Raises:
            WorldTracingError: WT-IO-WRITE, as where a program still runs from it on Windows.
        """
        self.mark_unready()
        _remove_tree(self.environment)

    def remove(self) -> None:
        """Delete all that a set-up has made, and the folder if nothing else is in it.

        Raises:
            WorldTracingError: WT-ENV-BUSY while it is set up, WT-IO-WRITE.
        """
        if not self.folder.is_dir():
            return
        with self.locked():
            self.remove_environment()
            self.remove_cache()
            self.log.unlink(missing_ok=True)
        (self.folder / "lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else's files are in it
            self.folder.rmdir()

    def remove_cache(self) -> None:
        """Delete what was downloaded."""
        _remove_tree(self.cache)

    def size(self) -> int:
        """Bytes on disk; walks the folder, so not on Blender's main thread."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file() and not file.is_symlink())

    def fits(self, limit: int | None) -> bool:
        """Whether the longest path of the packages stays within a limit of `Platform.path_limit`."""
        if limit is None:
            return True
        packages = self.environment / "Lib" / "site-packages"
        return len(str(packages)) + 1 + LONGEST_NAME <= limit

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time changes the folder.

        Raises:
            WorldTracingError: WT-ENV-BUSY, WT-IO-WRITE.
        """
        path = self.folder / "lock"
        with contextlib.ExitStack() as stack:
            with _writing(path):
                self.folder.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(path.open("ab"))
            try:
                self.platform.lock(file)
            except OSError as error:
                raise WorldTracingError(
                    "WT-ENV-BUSY",
                    f"The backend in {self.folder} is being set up already, perhaps by another Blender.",
                    "Wait until that is done.",
                ) from error
            yield

    def _read_marker(self) -> dict | None:
        try:
            marker = json.loads(self._marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return marker if isinstance(marker, dict) else None

    def _base_exists(self) -> bool:
        """Whether the Python that the environment was made with is still there (its `home`)."""
        try:
            lines = (self.environment / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return False
        pairs = (line.partition("=") for line in lines)
        home = next((value.strip() for name, _, value in pairs if name.strip() == "home"), "")
        return bool(home) and Path(home).is_dir()


def _remove_tree(folder: Path) -> None:
    """Delete a folder in which files may be read-only, as Windows does not delete those."""

    def allow(function, path, _error) -> None:
        Path(path).chmod(stat.S_IRWXU)
        function(path)

    if folder.is_symlink() or not folder.exists():
        return
    with _writing(folder):
        shutil.rmtree(folder, onerror=allow)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error
