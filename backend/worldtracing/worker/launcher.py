"""Starts the worker under any Python, where nothing needs to be installed:

    python launcher.py [--fallback] PATH... [-- COMMAND...]

With a COMMAND, one of the `worldtracing` command line is run in the same circumstances instead. The PATHs are the
folders that hold this package, numpy and safetensors. They come before that Python's own site-packages, so that
Blender's numpy wins under Blender's Python, and behind its standard library, which a folder full of packages must not
shadow. With --fallback only the first PATH does; the others are for what that Python lacks.

Run as a script: it must not import anything but the standard library before the paths are set.
"""

import json
import sys
from pathlib import Path


def set_paths(paths: list[str], fallback: bool) -> None:
    own_folder = str(Path(__file__).resolve().parent)  # Python puts a script's folder first, without -I
    rest = [entry for entry in sys.path if entry not in paths and str(Path(entry).resolve()) != own_folder]
    package, *libraries = paths
    site = [Path(entry).name in ("site-packages", "dist-packages") for entry in rest]
    place = len(rest) if fallback or True not in site else site.index(True)
    sys.path[:] = [package, *rest[:place], *libraries, *rest[place:]]


def main(arguments: list[str]) -> int:
    fallback = arguments[0] == "--fallback"
    end = arguments.index("--") if "--" in arguments else len(arguments)
    set_paths(arguments[fallback:end], fallback)
    try:
        import numpy  # noqa: F401
        import safetensors.numpy  # noqa: F401
    except ImportError as error:
        # The protocol module needs them too, so this one message is spelled out here.
        message = {
            "type": "error",
            "id": None,
            "code": "WT-ENV-PACKAGE",
            "message": f"{sys.executable} lacks a package that the worker needs ({error}).",
            "fix": "Install numpy and safetensors for this Python, or choose another one in the preferences.",
        }
        print(json.dumps(message), flush=True)
        return 1
    if command := arguments[end + 1 :]:
        from worldtracing.cli import main as run

        return run(command)
    from worldtracing.worker.serve import serve_stdio

    return serve_stdio()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
