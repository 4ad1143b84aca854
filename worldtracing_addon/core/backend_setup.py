"""Makes, completes, repairs or updates a backend environment, as a task beside Blender."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ...backend.worldtracing.errors import WorldTracingError
from .backend_folder import BackendFolder, BackendState
from .backend_plan import BackendPlan, index_arguments
from .pip_output import Downloads, disk_full, is_network_failure, pip_error
from .tasks import Task

BACKOFF_SECONDS = (3.0, 15.0, 60.0)
"""Between attempts while the network fails; pip itself tries again within each."""

GIGABYTE = 10**9
VENV_BYTES = 30_000_000
"""What an empty environment takes."""
INSTALLING = "Choosing packages"
HERE = {"PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": "", "PIP_ROOT": ""}
"""Into this environment, whatever place pip is set to install to."""
PIP_PROGRESS = (24, 1)
"""The first pip that can say how far a download is."""


class BackendSetup(Task):
    """Set up the environment of a folder by a plan. `state.result` is the folder's `BackendState`.

    A cancel, a crash and a lost network all leave what was done: the next set-up completes it. Only once PyTorch has
    been imported and the doctor has nothing to say against it does the environment count.
    """

    def __init__(
        self,
        folder: BackendFolder,
        plan: BackendPlan,
        doctor: Callable[[Path], Sequence[str]],
        repair: bool = False,
        backoff: Sequence[float] = BACKOFF_SECONDS,
    ) -> None:
        """
        Args:
            folder: to set up.
            plan: what to install.
            doctor: for an interpreter, the command that prints `worldtracing doctor --json`.
            repair: delete the environment first.
            backoff: seconds between attempts while the network fails.
        """
        super().__init__(folder.log, folder.platform)
        self._folder, self._plan, self._doctor = folder, plan, doctor
        self._repair, self._backoff = repair, backoff
        self._changed = False  # whether the environment is another than it was

    def _work(self) -> BackendState:
        folder = self._folder
        with folder.locked():
            before = folder.mark_unready()
            try:
                checks = self._set_up()
            except BaseException:
                if before is not None and not self._changed:  # an update that could not even begin
                    folder.mark_again(before)
                raise
            self._progress("Cleaning up")
            folder.remove_cache()
            folder.mark_ready(self._plan.build.name, checks)
            return folder.state()

    def _set_up(self) -> list[dict]:
        """All but the marker; the doctor's findings."""
        self._progress("Checking the disk")
        self._check_place()
        if self._repair:
            self._progress("Removing the old environment")
            self._changed = True
            self._folder.remove_environment()
        self._make_environment()
        if self._plan.pip and self._plan.needs_network:
            self._install("Updating pip", [self._plan.pip])
        self._install_packages()
        return self._examine()

    def _check_place(self) -> None:
        """That the disk has room, and that Windows allows for the packages' long paths."""
        folder = self._folder
        if not folder.fits(folder.platform.path_limit()):
            raise WorldTracingError(
                "WT-ENV-PATH",
                f"Windows limits paths to 260 characters, and the backend's would be longer in {folder.folder}.",
                "Choose a backend folder with a short path in the preferences, or allow long paths in Windows.",
            )
        needed = (self._plan.disk_gb + self._plan.download_gb) * GIGABYTE
        free = shutil.disk_usage(folder.folder).free
        if free < needed and not folder.environment.is_dir():
            raise WorldTracingError(
                "WT-IO-FULL",
                f"The backend needs about {needed / GIGABYTE:.1f} GB, and {folder.folder} has "
                f"{free / GIGABYTE:.1f} GB free.",
                "Free some space or choose another backend folder.",
            )

    def _make_environment(self) -> None:
        """Make the virtual environment, unless what an earlier set-up left of it works."""
        self._progress("Making the environment")
        folder = self._folder
        if folder.environment.is_dir():
            if self._pip_version() is not None:
                return
            self._changed = True
            folder.remove_environment()
        command = [str(self._plan.python), "-I", "-X", "utf8", "-m", "venv", str(folder.environment)]
        try:
            code, said = self._command(command)
        except OSError as error:
            raise _no_venv(self._plan.python, str(error)) from error
        if code != 0 or not folder.python.is_file():
            raise self._venv_failure(said)

    def _venv_failure(self, said: Sequence[str]) -> WorldTracingError:
        """Python's own words seldom tell what was wrong."""
        if shutil.disk_usage(self._folder.folder).free < VENV_BYTES:
            return disk_full()
        if any("ensurepip is not" in line for line in said):  # Debian's Python, until its package is installed
            return _no_venv(self._plan.python, "it has no module ensurepip")
        return _no_venv(self._plan.python, next((line for line in reversed(said) if line.strip()), "no message"))

    def _pip_version(self) -> tuple[int, int] | None:
        """Of the environment's pip; None where it does not run."""
        program = "import pip; print('pip', *pip.__version__.split('.')[:2])"
        try:
            code, said = self._command([*self._python(), "-c", program])
            return tuple(map(int, said[-1].split()[1:3])) if code == 0 else None
        except (OSError, ValueError, IndexError):
            return None

    def _install_packages(self) -> None:
        plan = self._plan
        if plan.source.locked is not None:
            self._install(INSTALLING, ["--require-hashes", "-r", str(plan.source.locked)])
            return
        constraints = self._folder.folder / "constraints.txt"
        constraints.write_text("\n".join(plan.constraints), encoding="utf-8")
        try:
            self._install(INSTALLING, [*plan.requirements, "-c", str(constraints)])
        finally:
            constraints.unlink(missing_ok=True)

    def _install(self, stage: str, what: Sequence[str]) -> None:
        """Run pip, again after a while as long as the network fails.

        Raises:
            WorldTracingError: see `pip_error`.
        """
        plan = self._plan
        offline = plan.source.wheels is not None
        command = [*self._pip(), "install", *what, "--only-binary=:all:", *index_arguments(plan)]
        if (self._pip_version() or (0, 0)) >= PIP_PROGRESS:
            command += ["--progress-bar", "raw"]
        for delay in (*self._backoff, None):
            self._progress(stage)
            code, said = self._command(command, self._follow(stage), HERE)
            if code == 0:
                return
            if offline or delay is None or not is_network_failure(said):
                raise pip_error(said, self._source_name(), offline)
            self._progress(f"The network failed; trying again in {delay:g} s")
            self._pause(delay)

    def _follow(self, stage: str) -> Callable[[str], bool]:
        """Turns pip's lines into progress."""
        downloads, unpacking = Downloads(), False
        total = int(self._plan.download_gb * 1000)

        def on_line(line: str) -> bool:
            nonlocal unpacking
            quiet = downloads.read(line)
            unpacking = unpacking or line.startswith("Installing collected packages")
            if unpacking:
                self._changed = self._changed or stage == INSTALLING
                self._progress("Unpacking the packages")
            elif downloads.name:
                known = max(total, downloads.megabytes)  # the size before is an estimate
                shown = "Downloading" if stage == INSTALLING else stage
                self._progress(shown, downloads.megabytes, known, downloads.detail)
            return quiet

        return on_line

    def _examine(self) -> list[dict]:
        """Import torch, run the doctor; what it found.

        Raises:
            WorldTracingError: WT-ENV-VERIFY.
        """
        self._progress("Testing PyTorch")
        code, said = self._command([*self._python(), "-c", "import torch; print('torch', torch.__version__)"])
        if code != 0:
            raise _broken(said)
        self._progress("Asking the doctor")
        code, said = self._command(self._doctor(self._folder.python))
        checks = read_checks(said)
        needed = [check for check in checks if check["required"] or check["name"] == "torch"]
        failed = [check for check in needed if not check["ok"]]
        if code != 0 or not checks or failed:
            raise _broken([f"{check['name']}: {check['detail']}" for check in failed] or said)
        return checks

    def _python(self) -> list[str]:
        return [str(self._folder.python), "-I", "-X", "utf8"]

    def _pip(self) -> list[str]:
        """pip with its own settings and environment variables, but for a folder of wheels, which is all there is."""
        options = ["--disable-pip-version-check", "--no-input", "--cache-dir", str(self._folder.cache)]
        isolated = ["--isolated"] if self._plan.source.wheels is not None else []
        return [*self._python(), "-m", "pip", *isolated, *options, "--retries", "3", "--timeout", "30"]

    def _source_name(self) -> str:
        source = self._plan.source
        if source.wheels is not None:
            return str(source.wheels)
        return (urlsplit(source.index).hostname if source.index else None) or "the package index"


def read_checks(lines: Sequence[str]) -> list[dict]:
    """The doctor's findings from what it printed with --json; empty where there are none."""
    for line in reversed(lines):
        if line.startswith("["):
            try:
                return json.loads(line)
            except ValueError:
                return []
    return []


def _no_venv(python: Path, said: str) -> WorldTracingError:
    return WorldTracingError(
        "WT-ENV-VENV",
        f"{python} cannot make a virtual environment ({said.strip()[:200]}).",
        "Choose another Python for the set-up in the preferences, such as one from python.org; on Debian and Ubuntu, "
        "install python3-venv.",
    )


def _broken(said: Sequence[str]) -> WorldTracingError:
    last = next((line.strip() for line in reversed(said) if line.strip()), "no message")
    return WorldTracingError(
        "WT-ENV-VERIFY",
        f'The backend was installed but does not work: "{last[:200]}".',
        "Repair the backend, or choose another build of PyTorch in the preferences.",
    )
