"""``python -m analysis.fleet DIR``: which nodes of a fleet are slow, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.fleet.files import write
from analysis.fleet.fleet import fleet_of
from analysis.tell import program
from analysis.tell.console import Console
from probes.records.given import writing_to


def main(argv: Sequence[str] | None = None) -> int:
    """Read a fleet and tell of it; return the exit code."""
    return program.run(_parser(), _answer, argv)


def _parser() -> argparse.ArgumentParser:
    parser = program.Parser(
        prog="python -m analysis.fleet",
        description="Runs of many nodes: how each ceiling spreads, which nodes are slow, and why.",
    )
    parser.add_argument("top", type=Path, metavar="DIR", help="the folder that holds the runs")
    parser.add_argument(
        "--all", action="store_true", help="name every node and print every ceiling"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where tables, picture and page go (default: results)",
    )
    return parser


def _answer(args: argparse.Namespace) -> None:
    """Read, write and print. Raises RidgelineError on bad input."""
    console = Console(everything=args.all)
    with console.counting("reading runs") as count:
        fleet = fleet_of(args.top, count)
    with writing_to(args.out):
        folder = write(fleet, args.out)
    console.fleet(fleet, folder)


if __name__ == "__main__":
    sys.exit(main())
