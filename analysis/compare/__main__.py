"""``python -m analysis.compare RUN RUN…``: is this run slower than that one, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.compare.comparison import PASSED, Comparison, compare
from analysis.compare.exports import as_json, as_junit, as_markdown
from analysis.compare.files import write
from analysis.compare.ranges import as_toml
from analysis.tell import program
from analysis.tell.console import Console
from probes.records.given import reason, writing_to
from probes.records.measurement import RidgelineError
from probes.records.run import replace_file
from probes.records.shares import gate_share


def main(argv: Sequence[str] | None = None) -> int:
    """Compare runs; return the exit code.

    Without a gate 0; with one 0 if nothing is slower than it beyond doubt, 1 if something is, and 3
    if that cannot be told. 2 on bad input.
    """
    return program.run(_parser(), _answer, argv)


def _parser() -> argparse.ArgumentParser:
    parser = program.Parser(
        prog="python -m analysis.compare",
        description="Runs side by side: same, faster, slower or cannot tell, and why.",
    )
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folder of a run, or of several that are one side; the first is compared with",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="DIR",
        help="compare with all runs there; the runs given are the other side",
    )
    parser.add_argument(
        "--gate",
        type=gate_share,
        metavar="3%",
        help="exit with 1 if a row is slower than that beyond doubt, with 3 if none can tell",
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON instead")
    parser.add_argument(
        "--markdown", action="store_true", help="print a table for a pull request instead"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML for CI")
    parser.add_argument(
        "--all", action="store_true", help="print every row, not only what changed and the roofs"
    )
    parser.add_argument(
        "--ranges",
        action="store_true",
        help="the runs given are sets of one kind of machine: print how far they range over and "
        "drift, as lines of ranges.toml",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where table, picture and page go (default: results)",
    )
    return parser


def _answer(args: argparse.Namespace) -> int:
    """Compare, print and write what was asked for; return the exit code of the gate.

    Raises RidgelineError on bad input.
    """
    if args.json and args.markdown:
        raise RidgelineError("--json and --markdown both print: give one of them")
    if args.ranges:
        print(as_toml(args.runs), end="")
        return PASSED
    comparison = compare(args.runs, args.baseline, args.gate)
    if args.junit:
        _write_junit(comparison, args.junit)
    if args.json:
        print(as_json(comparison))
    elif args.markdown:
        print(as_markdown(comparison), end="")
    else:
        with writing_to(args.out):
            folder = write(comparison, args.out)
        Console(everything=args.all).comparison(comparison, folder)
    return comparison.code


def _write_junit(comparison: Comparison, path: Path) -> None:
    """Write the JUnit XML. Raises RidgelineError where that cannot be."""
    try:
        replace_file(path, as_junit(comparison))
    except OSError as error:
        raise RidgelineError(f"cannot write --junit {path}: {reason(error)}") from None


if __name__ == "__main__":
    sys.exit(main())
