"""What works on this machine, and the fix for what does not. Runs with numpy alone."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from .version import __version__
from .worker.serve import engine_entries

MIN_PYTHON = (3, 11)
MIN_FREE_GB = 1.0


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        ok: whether it works.
        detail: what was found, e.g. a version.
        fix: what to do when it does not work, otherwise empty.
        required: whether nothing can be traced without it.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""
    required: bool = False

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Package:
    """A package to look for.

    Attributes:
        module: the name that is imported.
        requirement: what pip installs.
        purpose: what does not work without it.
        describe: more to say of the imported module than its version.
    """

    module: str
    requirement: str
    purpose: str
    required: bool = False
    describe: Callable[[ModuleType], str] = lambda module: ""


def examine() -> Iterator[Check]:
    """All checks, one after the other; importing torch takes seconds, so callers may show each as it comes."""
    yield _python()
    for package in PACKAGES:
        yield _package(package)
    yield from map(_engine, engine_entries())
    yield _temporary_folder()
    yield _free_disk()


def _python() -> Check:
    ok = sys.version_info >= MIN_PYTHON
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, worldtracing {__version__}"
    wanted = ".".join(map(str, MIN_PYTHON))
    return Check("Python", ok, detail, "" if ok else f"Use Python {wanted} or newer.", required=True)


def _package(package: Package) -> Check:
    name = package.requirement.split(">")[0]
    fix = f"{package.purpose} needs it; install it with: {sys.executable} -m pip install '{package.requirement}'"
    if find_spec(package.module) is None:
        return Check(name, False, "not installed", fix, package.required)
    try:
        module = import_module(package.module)
        detail = ", ".join(filter(None, [_version(package, module), package.describe(module)]))
    except Exception as error:  # a broken binary may fail in any way on import
        return Check(name, False, f"installed, but does not work ({error})", fix, package.required)
    return Check(name, True, detail, required=package.required)


def _version(package: Package, module: ModuleType) -> str:
    """The module's own version: Blender's packages come without the metadata that pip writes."""
    found = getattr(module, "__version__", None)
    if found is None:
        try:
            found = version(package.requirement.split(">")[0])
        except PackageNotFoundError:
            found = "unknown version"
    return str(found)


def _torch_devices(torch: ModuleType) -> str:
    devices = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            devices.append(f"CUDA {name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    if torch.backends.mps.is_available():
        devices.append("Apple GPU (MPS)")
    return "; ".join(devices) or "CPU only"


PACKAGES = (
    Package("numpy", "numpy>=1.24", "Everything", required=True),
    Package("safetensors", "safetensors>=0.4.3", "Reading and writing results", required=True),
    Package("PIL", "pillow>=11", "Reading PNG, JPEG, WebP and TIFF"),
    Package("cv2", "opencv-python-headless>=4.11", "Cutting out objects with GrabCut"),
    Package("OpenEXR", "OpenEXR>=3.3", "Reading and writing EXR"),
    Package("torch", "torch>=2.5", "Tracing with a model", describe=_torch_devices),
    Package("huggingface_hub", "huggingface_hub>=1.0", "Downloading weights"),
)


def _engine(entry: dict) -> Check:
    title = f"Engine {entry['name']}"
    if "error" in entry:
        return Check(title, False, entry["error"]["message"], entry["error"]["fix"])
    missing = [module for module in entry["needs"] if find_spec(module.split(".")[0]) is None]
    if missing:
        return Check(title, False, f"lacks {', '.join(missing)}", "Install the packages that it lacks.")
    return Check(title, True, entry["label"])


def _temporary_folder() -> Check:
    try:
        folder = tempfile.gettempdir()
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        fix = "Point the TMPDIR (Windows: TEMP) variable to a folder that you may write to."
        return Check("Temporary folder", False, str(error), fix, required=True)
    return Check("Temporary folder", True, folder, required=True)


def _free_disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    ok = free >= MIN_FREE_GB
    return Check("Free disk", ok, f"{free:.1f} GiB in this folder", "" if ok else "Free some space for the results.")
