"""Say in one sentence which system library bpy lacks, instead of a traceback."""

import re
import sys

DEBIAN_PACKAGES = {
    "libX11.so.6": "libx11-6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libgomp.so.1": "libgomp1",
}


def missing_library_message(error: str) -> str:
    """The sentence for the text of an ImportError."""
    found = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object", error)
    if not found:
        return f"Blender's Python module cannot be imported: {error}"
    packages = " ".join(sorted(set(DEBIAN_PACKAGES.values())))
    package = DEBIAN_PACKAGES.get(found[1], found[1])
    return (
        f"The system library {found[1]} is missing: run 'apt-get install {package}' (or the equivalent); "
        f"in all Blender needs {packages}."
    )


if __name__ == "__main__":
    try:
        import bpy  # noqa: F401
    except ImportError as error:
        sys.exit(missing_library_message(str(error)))
