"""`worldtracing mesh` and `worldtracing generators`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from ..progress import silent
from ..terminal import ProgressBar
from .base import GENERATORS
from .making import MeshRequest, generator_entries, make_mesh


def add_mesh_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `worldtracing mesh`."""
    default = MeshRequest(Path(), Path())
    parser.add_argument("world", type=Path, metavar="WORLD", help=".safetensors file that a trace has written")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .glb or .safetensors file to write")
    parser.add_argument(
        "--generator", choices=GENERATORS.names(), default=default.generator, help="default: %(default)s"
    )
    parser.add_argument("--mask", type=Path, metavar="FILE", help="bright on the part to make a mesh of")
    for name, text in (
        ("faces", "triangles to aim at"),
        ("texture_size", "side of the texture in texels"),
        ("resolution", "of the volume"),
        ("seed", "for generators that draw noise"),
    ):
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=int,
            default=getattr(default, name),
            help=f"{text} (default: %(default)s)",
        )
    parser.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the generator's own, as `worldtracing generators` lists them; VALUE is JSON or a text",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def run_mesh(options: argparse.Namespace) -> int:
    """Make and report one mesh; errors pass as WorldTracingError."""
    start = time.perf_counter()
    names = ("world", "generator", "mask", "faces", "texture_size", "resolution", "seed")
    request = MeshRequest(
        output=options.out, extra=dict(options.set), **{name: getattr(options, name) for name in names}
    )
    bar = ProgressBar(options.world.name) if sys.stderr.isatty() else None
    try:
        mesh = make_mesh(request, bar or silent)
    finally:
        if bar:
            bar.clear()
    for note in mesh.metadata.get("notes", ()):
        print(note, file=sys.stderr)
    seconds = round(time.perf_counter() - start, 2)
    facts = {"file": str(options.out), "faces": len(mesh.faces), "vertices": len(mesh.vertices), "seconds": seconds}
    if options.json:
        print(json.dumps(facts | {"metadata": dict(mesh.metadata)}))
    else:
        print(f"{options.out}: {len(mesh.faces)} triangles, {mesh.base_color.shape[0]} texels a side, {seconds} s")
    return 0


def run_generators(options: argparse.Namespace) -> int:
    """List the mesh generators and whether each can run here."""
    entries = generator_entries()
    if options.json:
        print(json.dumps(entries))
        return 0
    for entry in entries:
        if "error" in entry:
            print(f"{entry['name']}: {entry['error']['message']} {entry['error']['fix']}")
            continue
        memory = f"{entry['memory_gib']:g} GiB of GPU memory" if entry["memory_gib"] else "no GPU"
        print(f"{entry['name']}: {entry['label']}; {memory}; {', '.join(entry['platforms'])}; {entry['licence']}")
        health = entry["health"]
        print(f"  {entry['description']}", f"  {health['message']} {health['fix']}".rstrip(), sep="\n")
        for option in entry["options"]:
            values = " | ".join(str(value) for value, _ in option["choices"]) or option["kind"]
            print(f"    {option['name']}={json.dumps(option['default'])}: {option['description']} [{values}]")
    return 0
