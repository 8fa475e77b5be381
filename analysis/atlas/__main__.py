"""``python -m analysis.atlas``: the devices that were measured, and the check of what is handed in.

``check`` looks at every run, ``add RUN`` makes an entry of one, ``page`` lists and compares,
``leave-out`` says how far estimates from one device to another are off.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.atlas.check import check, settled_in_words
from analysis.atlas.devices import devices_of
from analysis.atlas.entry import ATLAS, add, read_atlas
from analysis.atlas.page import PAGE_FILE, markdown, page
from analysis.elsewhere.left_out import leave_out_each
from analysis.tell import program
from analysis.tell.on_elsewhere import how_far_off
from analysis.tell.output import plain
from analysis.units import short, si
from probes.records.given import reason
from probes.records.measurement import RidgelineError
from probes.records.run import replace_file

SOUND, PROBLEMS = 0, 1
"""Exit codes, beside 2 for bad input."""
LISTING_FILE = "README.md"
"""The list of devices as an atlas's folder shows it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is asked of an atlas; return the exit code.

    0, 1 if ``check`` finds a problem, 2 on bad input.
    """
    return program.run(_parser(), lambda args: args.do(args), argv)


def _parser() -> argparse.ArgumentParser:
    parser = program.Parser(
        prog="python -m analysis.atlas",
        description="The atlas: measured devices, whose roofs --on places networks on.",
    )
    parser.add_argument(
        "--atlas", type=Path, default=ATLAS, metavar="DIR", help="default: results/atlas"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    checking = commands.add_parser("check", help="check every run: exit 1 if one is not sound")
    checking.set_defaults(do=_check)
    adding = commands.add_parser("add", help="make an entry of a run, to hand in by pull request")
    adding.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="a run, then runs whose networks stood on its roofs (--roofs)",
    )
    adding.set_defaults(do=_add)
    leaving = commands.add_parser(
        "leave-out", help="leave each device out in turn: its bounds and estimates beside its times"
    )
    leaving.set_defaults(do=_leave_out)
    paging = commands.add_parser("page", help="write the page and the list of its devices")
    paging.add_argument(
        "--out", type=Path, metavar="FILE", help=f"the page (default: {PAGE_FILE} in the atlas)"
    )
    paging.set_defaults(do=_page)
    return parser


def _check(args: argparse.Namespace) -> int:
    """Print what is wrong, the answer first; return the exit code."""
    checked = check(args.atlas)
    runs = sum(len(device.entries) for device in checked.devices)
    count = len(checked.problems)
    answer = "all sound" if not count else f"{count} problem" + ("s" if count > 1 else "")
    print(plain(f"{args.atlas}: {runs} runs of {len(checked.devices)} devices, {answer}"))
    for problem in checked.problems:
        name = f"{problem.folder.parent.name}/{problem.folder.name}"
        print(plain(f"  {name} {problem.what}"))
    for device in checked.devices:
        print(plain(f"  {device.name}: {settled_in_words(device)}"))
    return PROBLEMS if checked.problems else SOUND


def _add(args: argparse.Namespace) -> int:
    """Make an entry, check it and list it; return the exit code."""
    folder = add(args.runs, args.atlas)
    print(plain(str(folder)))
    _list(args.atlas)
    problems = [problem for problem in check(args.atlas).problems if problem.folder == folder]
    for problem in problems:
        print(plain(f"  {problem.what}"))
    return PROBLEMS if problems else SOUND


def _leave_out(args: argparse.Namespace) -> int:
    """Print each network of each device with what the others say of it; return the exit code.

    1 if a bound is broken.
    """
    devices = devices_of(read_atlas(args.atlas))
    known = [device.known for device in devices]
    error = leave_out_each(known)
    print(plain(how_far_off(error)))
    broken = [case for case in error.cases if case.is_broken]
    if error.cases:
        count = len(error.cases)
        answer = "no bound is broken" if not broken else f"{len(broken)} bounds are broken"
        print(f"Of {count} cases {answer}.")
    for case in error.cases:
        bound = si(case.bound, "s") if case.bound is not None else "unknown"
        print(
            plain(
                f"  {case.network} {case.precision.upper()} on {case.device}: "
                f"{si(case.seconds, 's')}; bound {bound}, estimate {si(case.estimate, 's')} "
                f"({short(case.ratio)} times)"
            )
        )
    return PROBLEMS if broken else SOUND


def _page(args: argparse.Namespace) -> int:
    """Write the page and the list; return the exit code."""
    entries = read_atlas(args.atlas)
    out = args.out or args.atlas / PAGE_FILE
    try:
        replace_file(out, page(entries))
    except OSError as error:
        raise RidgelineError(f"cannot write to {out}: {reason(error)}") from None
    _list(args.atlas)
    print(plain(str(out)))
    return SOUND


def _list(atlas: Path) -> None:
    """Write the list of the devices of an atlas. Raises RidgelineError where that cannot be."""
    listing = atlas / LISTING_FILE
    try:
        replace_file(listing, markdown(read_atlas(atlas)))
    except OSError as error:
        raise RidgelineError(f"cannot write to {listing}: {reason(error)}") from None


if __name__ == "__main__":
    sys.exit(main())
