"""`python -m worldtracing.data render` and `contact-sheet`."""

from __future__ import annotations

import argparse
import sys
import time

from ..errors import WorldTracingError
from ..terminal import positive
from .pool import SPLITS
from .shards import DatasetConfig, ShardReader, render_dataset
from .sheet import sample_row, write_sheet


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it worked."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except WorldTracingError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; complete shards are kept.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worldtracing.data", description="Training data for WT-DiT.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    render = commands.add_parser("render", help="render samples into shards; continues where it was stopped")
    render.add_argument("--out", required=True, help="folder of the data set")
    render.add_argument("--count", type=positive, required=True, help="samples in all")
    render.add_argument("--pool", help="folder of .npz meshes; without one all objects are procedural")
    render.add_argument("--split", choices=SPLITS, default="train", help="part of the pool (default: %(default)s)")
    render.add_argument("--pool-share", type=_share, default=DatasetConfig.pool_share, help="share of pool objects")
    render.add_argument("--only", choices=[kind for kind, _ in DatasetConfig.kinds], help="one kind of sample alone")
    render.add_argument(
        "--size", type=positive, default=DatasetConfig.size, help="pixels a side (default: %(default)s)"
    )
    render.add_argument("--seed", type=int, default=0)
    render.add_argument("--workers", type=positive, default=1, help="processes (default: %(default)s)")
    render.set_defaults(run=_render)
    sheet = commands.add_parser("contact-sheet", help="a picture of samples: photo, mask, depths of four layers")
    sheet.add_argument("data", help="folder of the data set")
    sheet.add_argument("picture", help="the PNG to write")
    sheet.add_argument("--first", type=int, default=0, help="number of the first sample")
    sheet.add_argument("--count", type=positive, default=48)
    sheet.add_argument("--columns", type=positive, default=3)
    sheet.set_defaults(run=_contact_sheet)
    return parser


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return share


def _render(arguments: argparse.Namespace) -> None:
    kinds = DatasetConfig.kinds if arguments.only is None else ((arguments.only, 1.0),)
    share = arguments.pool_share if arguments.pool else 0.0
    config = DatasetConfig(arguments.seed, arguments.size, arguments.split, share, kinds)
    begin = time.monotonic()

    def report(stage: str, k: int, n: int) -> None:
        print(f"{stage} {k + 1}/{n} shards, {time.monotonic() - begin:.0f} s", flush=True)

    render_dataset(arguments.out, arguments.count, config, arguments.pool, arguments.workers, report)


def _contact_sheet(arguments: argparse.Namespace) -> None:
    data = ShardReader(arguments.data)
    if not 0 <= arguments.first < len(data):
        raise WorldTracingError(
            "WT-IO-DATASET",
            f"There is no sample {arguments.first} in {arguments.data}.",
            f"Its samples are 0 to {len(data) - 1}.",
        )
    stop = min(arguments.first + arguments.count, len(data))
    rows = [sample_row(data[index]) for index in range(arguments.first, stop)]
    print(write_sheet(arguments.picture, rows, arguments.columns))


if __name__ == "__main__":
    raise SystemExit(main())
