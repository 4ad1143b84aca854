"""`worldtracing weights list|download|fetch|convert|verify|remove`: arguments in, functions of this package called.

With --json, what is printed is for another program: one object per line, `{"progress": [stage, k, n]}` while work goes
on, and `{"error": {"code", "message", "fix"}}` at the end of what failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import WorldTracingError
from ..progress import OnProgress, silent
from .assistants import ASSISTANT_MODELS, AssistantModel, fetch
from .catalogue import LICENCE, RELEASED, ReleasedModel, release_config, released_model
from .convert import convert_checkpoint
from .download import download
from .store import KINDS, PRECISIONS, StoredFile, WeightStore, default_folder
from .tensorfile import verify_weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `worldtracing weights`."""
    parser.add_argument(
        "--folder", type=Path, help=f"weights folder (default: WORLDTRACING_WEIGHTS or {default_folder()})"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, help_text: str, needs_model: bool = True) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=help_text, description=help_text)
        sub.add_argument("--json", action="store_true", help="print JSON, one object per line")
        if needs_model:
            sub.add_argument("model", choices=RELEASED, metavar="MODEL", help=", ".join(RELEASED))
        return sub

    add("list", "List the released models and what is in the weights folder.", needs_model=False)

    sub = add("download", "Download a model from the Hugging Face Hub and convert it. Resumes where it stopped.")
    _add_source(sub)
    sub.add_argument("--keep-download", action="store_true", help="keep the checkpoint beside the converted weights")
    _add_conversion(sub)

    sub = add("fetch", "Download a model that selects or finds. Resumes where it stopped.", needs_model=False)
    sub.add_argument("model", choices=ASSISTANT_MODELS, metavar="MODEL", help=", ".join(ASSISTANT_MODELS))
    _add_source(sub)

    sub = add("convert", "Convert a checkpoint that you have, without any network.")
    sub.add_argument("--from", dest="source", type=Path, required=True, metavar="FILE", help="the released .pt file")
    _add_conversion(sub)

    sub = add("verify", "Check every byte of the weights in the folder.", needs_model=False)
    sub.add_argument("model", nargs="?", choices=RELEASED, metavar="MODEL", help="only of this model")

    sub = add("remove", "Delete a model's weights and downloads from the folder.")
    sub.add_argument("--downloads-only", action="store_true", help="keep the converted weights")


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--accept-licence", action="store_true", help="accept the licence without being asked")
    parser.add_argument("--endpoint", metavar="URL", help="a mirror of the hub (default: HF_ENDPOINT, else the hub)")
    parser.add_argument("--token", help="for gated models (default: HF_TOKEN, else that of `hf auth login`)")


def _add_conversion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16", help="default: %(default)s")
    parser.add_argument("--release", metavar="YYYY-MM", help="which release of the weights, where there are several")


def run(options: argparse.Namespace) -> int:
    """Carry one action out and return the exit code; errors pass as WorldTracingError, or are printed as JSON."""
    actions: dict[str, Callable[[WeightStore, argparse.Namespace], None]] = {
        "list": _list,
        "download": _download,
        "fetch": _fetch,
        "convert": _convert,
        "verify": _verify,
        "remove": _remove,
    }
    try:
        actions[options.action](WeightStore(options.folder), options)
    except WorldTracingError as error:
        if not options.json:
            raise
        print(json.dumps({"error": error.to_dict()}), flush=True)
        return 1
    return 0


def _list(store: WeightStore, options: argparse.Namespace) -> None:
    files = store.files()
    if options.json:
        models = [{"name": m.name, "label": m.label, "page": m.page, "gated": m.gated} for m in RELEASED.values()]
        entries = [_entry(file) for file in files]
        print(json.dumps({"folder": str(store.folder), "licence": LICENCE, "models": models, "files": entries}))
        return
    for model in RELEASED.values():
        print(f"{model.name:<9}{model.label}; {model.page}{' (gated)' if model.gated else ''}")
        for file in files:
            if model.name in file.models:
                print(f"         {_describe(file)}")
    print(f"\n{store.folder}: {sum(file.size for file in files) / 1e9:.2f} GB\n{LICENCE}")


def _entry(file: StoredFile) -> dict:
    entry = {"path": str(file.path), "kind": file.kind, "models": list(file.models), "bytes": file.size}
    if file.header:
        entry |= {"precision": file.header.precision, "release": file.header.release}
    return entry


def _describe(file: StoredFile) -> str:
    kinds = {"weights": "ready", "damaged": "damaged", "download": "checkpoint", "partial": "unfinished"}
    release = f", release {file.header.release}" if file.header and file.header.release else ""
    return f"{kinds[file.kind]}: {file.path.name}, {file.size / 1e9:.2f} GB{release}"


def _download(store: WeightStore, options: argparse.Namespace) -> None:
    model = released_model(options.model)
    if not model.known:
        release_config(model, options.release)  # ask before gigabytes are downloaded, not after
    if not store.licence_accepted(model) and (options.accept_licence or _accepts(model)):
        store.accept_licence(model)
    with _progress(model.name, options) as on_progress:
        source = download(store, model, on_progress, options.endpoint, options.token)
    _convert_to_store(store, model, source, options)
    if not options.keep_download:
        store.remove(model.name, kinds=("download",))


def _fetch(store: WeightStore, options: argparse.Namespace) -> None:
    model = ASSISTANT_MODELS[options.model]
    accepted = options.accept_licence or _accepts(
        model, f"{model.label} is under other people's terms: {model.licence}."
    )
    with _progress(model.name, options) as on_progress:
        folder = fetch(store.folder, model.name, accepted, on_progress, options.endpoint, options.token)
    if not options.json:
        print(f"{folder}: ready")


def _accepts(model: ReleasedModel | AssistantModel, terms: str = LICENCE) -> bool:
    """Show the licence and ask; without a terminal nobody can answer."""
    print(f"{terms}\nRead them at {model.page}", file=sys.stderr)
    if not sys.stdin.isatty():
        return False
    return input("Do you accept them? Type yes: ").strip().lower() == "yes"


def _convert(store: WeightStore, options: argparse.Namespace) -> None:
    _convert_to_store(store, released_model(options.model), options.source, options)


def _convert_to_store(store: WeightStore, model: ReleasedModel, source: Path, options: argparse.Namespace) -> None:
    target = store.weights_path(model.name, options.precision)
    with _progress(model.name, options) as on_progress:
        convert_checkpoint(source, target, model, options.precision, options.release, on_progress)
    if not options.json:
        print(f"{target}: {target.stat().st_size / 1e9:.2f} GB, ready")


def _verify(store: WeightStore, options: argparse.Namespace) -> None:
    paths = store.converted(options.model)
    for path in paths:
        with _progress(path.name, options) as on_progress:
            verify_weights(path, on_progress)
        if not options.json:
            print(f"{path}: unchanged since its conversion")
    if not paths and not options.json:
        print(f"{store.folder} holds no converted weights.")


def _remove(store: WeightStore, options: argparse.Namespace) -> None:
    kinds = ("download", "partial") if options.downloads_only else KINDS
    for file in store.remove(options.model, kinds):
        if not options.json:
            print(f"{file.path}: removed, {file.size / 1e9:.2f} GB")


@contextmanager
def _progress(title: str, options: argparse.Namespace) -> Iterator[OnProgress]:
    """JSON where that is wanted, else a progress bar where somebody can see it."""
    from ..cli import ProgressBar

    if options.json:
        yield lambda stage, k, n: print(json.dumps({"progress": [stage, k, n]}), flush=True)
        return
    bar = ProgressBar(title) if sys.stderr.isatty() else None
    try:
        yield bar or silent
    finally:
        if bar:
            bar.clear()
