"""Runs one generator under the Python that it is installed for.

    python launch.py check RUNNER               says which packages are missing
    python launch.py run RUNNER FOLDER          reads FOLDER/request.safetensors, writes FOLDER/result.safetensors

Messages are JSON lines on stdout: health, progress, result, error. What libraries print goes to stderr. The end of
stdin means that whoever asked is gone: it ends the process and removes the folder, which nobody else would.
"""

import importlib
import importlib.util
import json
import os
import shutil
import sys
import threading
import traceback
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PACKAGE = "worldtracing_runners"


def main(arguments):
    task, name = arguments[:2]
    send = claim_stdout()
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != FOLDER]
    sys.path.insert(0, str(Path.cwd()))  # the generator's repository: these projects are run from it, not installed
    runner = load(name)
    if task == "check":
        missing = [package for package in runner.NEEDS if importlib.util.find_spec(package) is None]
        send({"type": "health", "missing": missing, "python": sys.version.split()[0]})
        return 0
    folder = Path(arguments[2])
    threading.Thread(target=leave_with_the_caller, args=(folder,), daemon=True).start()
    try:
        send({"type": "result", "facts": run(runner, folder, send)})
    except Exception as error:  # a generator may fail in any way
        traceback.print_exc()
        send({"type": "error", **explain(error)})
        return 1
    return 0


def run(runner, folder, send):
    """Do the request in `folder`; what the runner says of its result."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(str(folder / "request.safetensors"), framework="numpy") as file:
        options = json.loads(file.metadata()["options"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    stages = runner.STAGES

    def step(stage):
        send({"type": "progress", "stage": stage, "k": stages.index(stage), "n": len(stages)})

    result, facts = runner.generate(tensors, options, step)
    save_file(result, str(folder / "result.safetensors"))
    return facts


def explain(error):
    """Kind and text of a failure, for the caller to put into words."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1][:300]
    if isinstance(error, ImportError):
        return {"kind": "package", "text": text}
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return {"kind": "memory", "text": text}
    return {"kind": "failed", "text": text}


def load(name):
    """The runner module, in a package of its own name so that it can import its neighbours."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    return importlib.import_module(PACKAGE + "." + name)


def claim_stdout():
    """Keep stdout for messages, and let everything else that is printed go to stderr."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(message):
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    return send


def leave_with_the_caller(folder):
    while os.read(0, 4096):
        pass
    shutil.rmtree(str(folder), ignore_errors=True)
    os._exit(2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
