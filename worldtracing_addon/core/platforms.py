"""Everything of the backend's set-up and processes that differs between Linux, Windows and macOS.

A `Platform` is a value, so that the branches of the others can be tested on any of them.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from subprocess import list2cmdline
from typing import Any, BinaryIO

CREATE_NO_WINDOW = 0x08000000  # subprocess has this name on Windows alone
MAX_WINDOWS_PATH = 259
LONG_PATHS_KEY = r"SYSTEM\CurrentControlSet\Control\FileSystem"


@dataclass(frozen=True)
class Platform:
    """An operating system and a kind of processor.

    Attributes:
        system: "linux", "windows" or "macos".
        machine: "x64" or "arm64".
    """

    system: str
    machine: str

    @property
    def name(self) -> str:
        """As in Blender's manifests, e.g. "windows-x64"."""
        return f"{self.system}-{self.machine}"

    def venv_python(self, environment: Path) -> Path:
        """The interpreter of a virtual environment."""
        return environment / ("Scripts/python.exe" if self.system == "windows" else "bin/python")

    def python_candidates(self, executable: str, prefix: str, version: tuple[int, int]) -> list[str]:
        """Where an application that embeds Python may have its interpreter as a program, the likeliest first.

        Blender sets `sys.executable` to the Python that it brings, but to itself where it finds none.
        """
        pure = PureWindowsPath if self.system == "windows" else PurePosixPath
        own = [executable] if pure(executable).name.lower().startswith("python") else []
        if self.system == "windows":
            return [*own, str(pure(prefix) / "bin" / "python.exe"), str(pure(prefix) / "python.exe")]
        names = [f"python{version[0]}.{version[1]}", "python3"]
        return [*own, *(str(pure(prefix) / "bin" / name) for name in names)]

    def nvidia_smi_candidates(self, variables: Mapping[str, str]) -> list[str]:
        """Where the driver's query program may be; on Windows it is not always on the path."""
        if self.system == "macos":
            return []
        if self.system == "linux":
            return ["nvidia-smi", "/usr/bin/nvidia-smi"]
        system = PureWindowsPath(variables.get("SystemRoot", r"C:\Windows")) / "System32" / "nvidia-smi.exe"
        programs = PureWindowsPath(variables.get("ProgramFiles", r"C:\Program Files"))
        return ["nvidia-smi", str(system), str(programs / "NVIDIA Corporation" / "NVSMI" / "nvidia-smi.exe")]

    def process_options(self) -> dict[str, Any]:
        """Arguments of `subprocess.Popen` for a helper that shows no console and can be ended with its children.

        In a session of its own (in no console on Windows), so that Ctrl-C in the terminal that Blender was started
        from reaches Blender alone.
        """
        if self.system == "windows":
            return {"creationflags": CREATE_NO_WINDOW}
        return {"start_new_session": True}

    def shell_command(self, command: Sequence[str], variables: Mapping[str, str]) -> str:
        """A command with environment variables, as it is typed into a terminal; on Windows the Command Prompt."""
        if self.system == "windows":
            return "".join(f'set "{name}={value}" && ' for name, value in variables.items()) + list2cmdline(command)
        return " ".join([*(f"{name}={shlex.quote(value)}" for name, value in variables.items()), shlex.join(command)])

    def end_process_tree(self, process: subprocess.Popen, run: Callable = subprocess.run) -> None:
        """End a process started with `process_options`, and all that it has started, at once."""
        if process.poll() is not None:
            return
        if self.system == "windows":
            command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            with contextlib.suppress(OSError):  # System32 is not on the path
                run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.process_options())
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()

    def path_limit(self, long_paths: bool | None = None) -> int | None:
        """How many characters a path may have; None without a limit that packages meet.

        Args:
            long_paths: whether Windows is set to allow long paths; None asks it.
        """
        if self.system != "windows":
            return None
        return None if (_windows_long_paths() if long_paths is None else long_paths) else MAX_WINDOWS_PATH

    def lock(self, file: BinaryIO) -> None:
        """Claim an open file until it is closed or this process ends, however it ends.

        Raises:
            OSError: another process has it.
        """
        if self.system == "windows":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def this_platform() -> Platform:
    """The platform that this runs on."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x64"
    return Platform(system, machine)


def own_python(platform: Platform | None = None) -> Path | None:
    """The interpreter, as a program, of the Python that runs this; None where there is none."""
    platform = platform or this_platform()
    candidates = platform.python_candidates(sys.executable or "", sys.base_prefix, sys.version_info[:2])
    return next((Path(candidate) for candidate in candidates if Path(candidate).is_file()), None)


def clean_environment(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's variables without PYTHON*, which are meant for somebody else's Python, and with those `added`."""
    unwanted = ("PYTHON", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(unwanted)}
    return {**kept, **(added or {})}


def keep_broken_pipes_harmless() -> None:
    """Have this thread's writes to a pipe or socket that nobody reads raise BrokenPipeError, as Python promises.

    Blender 4 leaves the signal SIGPIPE as the system has it, which would end Blender. Threads and programs that this
    thread starts inherit it. Windows has no such signal.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})


def _windows_long_paths() -> bool:
    try:
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, LONG_PATHS_KEY) as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except (ImportError, OSError):
        return False
