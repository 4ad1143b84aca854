"""The `worldtracing` command. It parses arguments and calls the package; a new subcommand is one entry in COMMANDS."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .engines import commands as engine_commands
from .engines.base import ENGINES, MODES, Engine, create_engine
from .errors import WorldTracingError, last_line
from .evaluation import commands as evaluation
from .meshing import commands as meshing
from .progress import OnProgress, silent
from .terminal import ProgressBar
from .tracing import TraceRequest, check_request, trace_photo
from .training import commands as training
from .version import __version__
from .weights import commands as weights
from .worker.remote import commands as remote

OK, FAILED, INTERRUPTED = 0, 1, 130  # and 2 by argparse

EXIT_CODES = """exit codes:
  0    all is well
  1    a trace failed, or a check of the doctor that everything depends on
  2    the command line is wrong
  130  interrupted with Ctrl-C; what was finished before is kept"""


@dataclass(frozen=True)
class Command:
    """A subcommand: its line in --help, its arguments, and what it does; `run` returns the exit code."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a console may be unable to show a file's name
    options = _parser().parse_args(arguments)
    try:
        return COMMANDS[options.command].run(options)
    except WorldTracingError as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="worldtracing",
        description="One photo becomes a layered 3D scene.",
        epilog=EXIT_CODES,
        formatter_class=form,
    )
    parser.add_argument("--version", action="version", version=f"worldtracing {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name, help=command.help, description=command.help, epilog=EXIT_CODES, formatter_class=form
        )
        command.add_arguments(sub)
        sub.set_defaults(usage_error=sub.error)
    return parser


# trace -----------------------------------------------------------------------------------------------------------


def _add_trace_arguments(parser: argparse.ArgumentParser) -> None:
    default = TraceRequest(Path())
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("-o", "--out", type=Path, default=Path(), help="folder for the results (default: this one)")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="bright where the object is; for one photo")
    parser.add_argument("--mode", choices=MODES, default=default.mode, help="default: %(default)s")
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument("--fov", type=float, metavar="DEG", help="horizontal field of view in degrees")
    camera.add_argument("--intrinsics", type=_intrinsics, metavar="fx,fy,cx,cy", help="in pixels of the photo")
    parser.add_argument("--engine", choices=ENGINES.names(), default=default.engine, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=default.seed, help="default: %(default)s")
    parser.add_argument(
        "--resolution", type=int, default=default.resolution, help="longest side in pixels (default: %(default)s)"
    )
    parser.add_argument("--ply", action="store_true", help="also write the points as PLY")
    parser.add_argument("--exr", action="store_true", help="also write depth and points as a multilayer EXR")
    parser.add_argument("--depth", action="store_true", help="also write a picture of each layer's depth")
    parser.add_argument("--json", action="store_true", help="print one JSON object per photo")
    engine_commands.add_model_arguments(parser)


def _intrinsics(text: str) -> tuple[float, float, float, float]:
    try:
        fx, fy, cx, cy = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not four numbers fx,fy,cx,cy") from None
    return fx, fy, cx, cy


def _trace(options: argparse.Namespace) -> int:
    if options.mask and len(options.photos) > 1:
        options.usage_error("--mask belongs to one photo, and several were given")
    targets = [options.out / name for name in output_names(options.photos)]
    requests = [_request(photo, target, options) for photo, target in zip(options.photos, targets, strict=True)]
    try:
        check_request(requests[0])
    except WorldTracingError as error:
        options.usage_error(str(error))
    engine = create_engine(options.engine)
    if ignored := engine_commands.ignored_options(options, engine.info):
        options.usage_error(f"the engine {options.engine} does not use {', '.join(ignored)}")
    results = [_trace_one(request, engine, target, options) for request, target in zip(requests, targets, strict=True)]
    return OK if all(results) else FAILED


def _request(photo: Path, target: Path, options: argparse.Namespace) -> TraceRequest:
    return TraceRequest(
        image=photo,
        engine=options.engine,
        mode=options.mode,
        seed=options.seed,
        resolution=options.resolution,
        mask=options.mask,
        fov_degrees=options.fov,
        intrinsics=options.intrinsics,
        extra=engine_commands.model_extra(options, target),
    )


def _trace_one(request: TraceRequest, engine: Engine, target: Path, options: argparse.Namespace) -> bool:
    """Trace, write and report one photo; whether that went well. `target` is the results' path without an ending."""
    bar = ProgressBar(request.image.name) if sys.stderr.isatty() else None
    try:
        report = _write_trace(request, engine, target, options, bar or silent)
    except Exception as cause:  # the photos that follow shall have their turn whatever fails here
        error = cause if isinstance(cause, WorldTracingError) else _unexpected(cause)
        report = {"photo": str(request.image), "ok": False, "error": error.to_dict()}
        print(f"{request.image}: {error}", file=sys.stderr)
    finally:
        if bar:
            bar.clear()
    for note in report.get("metadata", {}).get("notes", ()):
        print(f"{request.image}: {note}", file=sys.stderr)
    if options.json:
        print(json.dumps(report), flush=True)
    elif report["ok"]:
        size = f"{report['layers']} layers, {report['width']}x{report['height']}, {report['points']} points"
        print(f"{request.image}: {size}, {report['seconds']} s", *report["files"], sep="\n  ", flush=True)
    return report["ok"]


def _write_trace(
    request: TraceRequest, engine: Engine, target: Path, options: argparse.Namespace, on_progress: OnProgress
) -> dict:
    from .files import check_writable

    def path(ending: str) -> Path:
        return target.with_name(target.name + ending)

    start = time.perf_counter()
    check_writable(path(".safetensors"))
    world = trace_photo(request, engine, on_progress)
    on_progress("Writing files", 0, 1)
    files = [world.save(path(".safetensors"))]
    if options.ply:
        from .export import export_ply

        files.append(export_ply(world, path(".ply")))
    if options.exr:
        from .export import export_exr

        files.append(export_exr(world, path(".exr")))
    if options.depth:
        from .export.depth_sheet import depth_sheet
        from .export.png import write_png

        files.append(write_png(path("_layers.png"), depth_sheet(world)))
    return {
        "photo": str(request.image),
        "ok": True,
        "files": [str(file) for file in files],
        "layers": world.layers,
        "width": world.width,
        "height": world.height,
        "points": int(world.valid.sum()),
        "seconds": round(time.perf_counter() - start, 2),
        "metadata": dict(world.metadata),
    }


def output_names(photos: Iterable[Path]) -> Iterator[str]:
    """The photos' names without endings, numbered where two would write the same files."""
    taken: set[str] = set()
    for photo in photos:
        name, number = photo.stem, 2
        while name.casefold() in taken:
            name, number = f"{photo.stem}_{number}", number + 1
        taken.add(name.casefold())
        yield name


def _unexpected(cause: Exception) -> WorldTracingError:
    traceback.print_exception(cause)
    return WorldTracingError(
        "WT-MODEL-FAILED",
        f"The trace failed unexpectedly ({last_line(cause)}).",
        "Report it with the lines above, or try another engine.",
    )


# engines, doctor, parity -----------------------------------------------------------------------------------------


def _add_json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _engines(options: argparse.Namespace) -> int:
    from .worker.serve import engine_entries

    entries = engine_entries()
    if options.json:
        print(json.dumps(entries))
        return OK
    for entry in entries:
        if "error" in entry:
            print(f"{entry['name']}: {entry['error']['message']} {entry['error']['fix']}")
        else:
            print(f"{entry['name']}: {entry['label']}; {', '.join(entry['modes'])}; {entry['licence']}")
            print(f"  {entry['description']}")
    return OK


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import examine

    checks = []
    for check in examine():
        checks.append(check)
        if not options.json:
            mark = "ok" if check.ok else "FAILS" if check.required else "-"
            print(f"{mark:<6}{check.name}: {check.detail}", flush=True)
            if check.fix:
                print(f"      {check.fix}")
    if options.json:
        print(json.dumps([check.to_dict() for check in checks]))
    return OK if all(check.ok for check in checks if check.required) else FAILED


def _add_parity_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="a recorded case, or a folder of them")


def _parity(options: argparse.Namespace) -> int:
    from .extras import need

    for package in ("torch", "einops"):
        need(package, "torch", "run the network")
    from .parity import main as compare

    return compare([options.folder])


COMMANDS = {
    "trace": Command("Trace photos into layered worlds.", _add_trace_arguments, _trace),
    "clip": Command("Trace the frames of a clip.", engine_commands.add_clip_arguments, engine_commands.run_clip),
    "mesh": Command("Make a textured mesh of a traced world.", meshing.add_mesh_arguments, meshing.run_mesh),
    "generators": Command("List the mesh generators.", _add_json_argument, meshing.run_generators),
    "engines": Command("List the engines.", _add_json_argument, _engines),
    "doctor": Command("Tell what works on this machine, and the fix for what does not.", _add_json_argument, _doctor),
    "parity": Command("Compare the network with recorded outputs.", _add_parity_arguments, _parity),
    "weights": Command("Download, convert and check released model weights.", weights.add_arguments, weights.run),
    "train": Command("Train the bundled model, or continue its training.", training.add_arguments, training.run),
    "evaluate": Command("Judge an engine on a folder of meshes.", evaluation.add_arguments, evaluation.run),
    "serve": Command(
        "Serve the Blender add-on or another program, also on another computer.",
        remote.add_serve_arguments,
        remote.run_serve,
    ),
    "bridge": Command("Stand in for the worker of another computer.", remote.add_bridge_arguments, remote.run_bridge),
}
