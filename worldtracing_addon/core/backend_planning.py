"""Finds out what Set Up Backend would do on this machine, as a task: asking Python and the driver takes a while."""

from __future__ import annotations

import os
from pathlib import Path

from ...backend.worldtracing.errors import WorldTracingError
from .backend_plan import BackendPlan, Source, find_gpus, make_plan
from .platforms import own_python
from .tasks import Task

_ASK = "import sys; print('python', *sys.version_info[:2], sys.maxsize > 2**32)"


class Planning(Task):
    """`state.result` is the `BackendPlan`."""

    def __init__(self, source: Source, python: Path | None = None, wanted: str = "") -> None:
        """
        Args:
            source: of the packages.
            python: to make the environment with; without it the Python that runs this, Blender's own.
            wanted: name of a build of PyTorch, or empty for the one that suits.
        """
        super().__init__()
        self._source, self._python, self._wanted = source, python, wanted

    def _work(self) -> BackendPlan:
        self._progress("Looking at this machine")
        if self._source.wheels is not None and not self._source.wheels.is_dir():
            raise WorldTracingError(
                "WT-ENV-NO-WHEEL",
                f"{self._source.wheels} is not a folder.",
                "Choose the folder that holds the wheels, or clear the field to download them.",
            )
        python = Path(os.path.expandvars(self._python.expanduser())) if self._python else own_python()
        version = self._version(python)
        return make_plan(python, version, self._source, find_gpus(self.platform), self._wanted, self.platform)

    def _version(self, python: Path | None) -> tuple[int, int]:
        try:
            code, said = self._command([str(python or "python"), "-I", "-X", "utf8", "-c", _ASK])
        except OSError as error:
            raise _unusable(python, error.strerror or str(error)) from error
        answers = [line.split()[1:] for line in said if line.startswith("python ")]
        if code != 0 or not answers:
            raise _unusable(python, next((line for line in reversed(said) if line.strip()), "no message"))
        major, minor, wide = answers[0]
        if wide != "True":
            raise _unusable(python, "it is a 32-bit program")
        return int(major), int(minor)


def _unusable(python: Path | None, why: str) -> WorldTracingError:
    return WorldTracingError(
        "WT-ENV-PYTHON",
        f"{python or 'Blender has no Python of its own that'} cannot be used for the set-up ({why.strip()[:200]}).",
        "Choose another Python for the set-up in the preferences, or clear the field to use Blender's own.",
    )
