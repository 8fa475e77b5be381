"""``python -m analysis.theory``: theoretical peaks of a named product, or of a CPU given by its
numbers.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import NoReturn

from analysis.tell.output import (
    CLOSED,
    ReaderLeft,
    Unheard,
    error_line,
    heard,
    plain,
    replace_unprintable,
)
from analysis.theory.peaks import Peak, peaks
from analysis.theory.products import GIVEN, cpu_device, find_products, products, spec_device
from analysis.theory.tables import row_of, tables
from analysis.units import short, si
from probes.records.measurement import RidgelineError
from probes.records.tag import COMPUTE, Tag

COLUMNS = "  {:<{wide}}  {:>20}  {:>16}  {}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the peaks asked for; exit code 0, 2 after one line on bad input, 141 where the reader
    left.
    """
    replace_unprintable()
    try:
        with heard():
            _answer(_parser().parse_args(argv))
    except RidgelineError as error:
        return _ended(str(error), 2)
    except ReaderLeft:
        return CLOSED
    except Unheard as error:
        return _ended(str(error), 1)
    return 0


def _ended(line: str, code: int) -> int:
    """Say why nothing more is told; returns the exit code."""
    with suppress(OSError):  # standard error may be where standard output is
        print(f"analysis.theory: {error_line(line)}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RidgelineError(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    p = _Parser(
        prog="python -m analysis.theory", description="Theoretical peaks, with formula and source."
    )
    p.add_argument(
        "--spec", metavar="NAME", help="a named product, or part of its name; 'list' lists them"
    )
    p.add_argument(
        "--core", metavar="NAME", help="a CPU core such as haswell or zen4; 'list' lists them"
    )
    p.add_argument("--cpu-cores", type=_count, metavar="N", help="cores of the CPU")
    p.add_argument("--clock", type=_hertz, metavar="HZ", help="clock of the CPU, such as 3.0e9")
    p.add_argument(
        "--memory", metavar="RATExBYTESxCHANNELS", help="transfers per second, such as 2666e6x8x6"
    )
    p.add_argument("--json", action="store_true", help="SI base units, for other tools")
    return p


def _hertz(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (value > 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a clock in Hz, such as 3.0e9")
    return value


def _count(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 1_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of cores")
    return int(text)


def _answer(args: argparse.Namespace) -> None:
    by_numbers = [args.core, args.cpu_cores, args.clock, args.memory]
    if "list" in (args.spec, args.core):
        names = list(products() if args.spec == "list" else tables()["cpu"])
        print(json.dumps(names, indent=1) if args.json else "\n".join(names))
    elif args.spec is not None and any(by_numbers):
        raise RidgelineError("--spec stands alone: a product has its own cores, clock and memory")
    elif args.spec is not None:
        device, row = spec_device(_product(args.spec, args.json))
        _print(device.name, peaks(device, row=row), args.json)
    elif any(by_numbers):
        device = cpu_device(*by_numbers)
        found = peaks(device, row={**row_of(device), "memory_source": GIVEN})
        _print(device.name, {tag: p for tag, p in found.items() if p.limit}, args.json)
    else:
        raise RidgelineError(
            "nothing to compute: give --spec NAME, or --core, --cpu-cores and --clock, or --memory"
        )


def _product(text: str, as_json: bool) -> str:
    """The product meant; an alias says which it took, beside the JSON rather than in it."""
    name, *others = find_products(text)
    if name != text:
        also = f" (also: {', '.join(others)})" if others else ""
        print(plain(f"{text} -> {name}{also}"), file=sys.stderr if as_json else sys.stdout)
    return name


def ridges(found: dict[str, Peak]) -> dict[str, float]:
    """Ridge point of each compute peak against main memory, in operations per byte, where both are
    known.
    """
    memory = found["bandwidth/dram"].value if "bandwidth/dram" in found else None
    return {
        t: p.value / memory
        for t, p in found.items()
        if memory and p.value and Tag.parse(t).quantity == COMPUTE
    }


def _print(name: str, found: dict[str, Peak], as_json: bool) -> None:
    points = ridges(found)
    if as_json:
        data = {
            "device": name,
            "peaks": {tag: asdict(p) for tag, p in found.items()},
            "ridges": points,
        }
        print(json.dumps(data, indent=1))
        return
    sources = list(dict.fromkeys(p.source for p in found.values()))
    wide = max(map(len, found))
    print(name, COLUMNS.format("tag", "peak", "ridge", "formula [source]", wide=wide), sep="\n")
    for tag, peak in found.items():
        value = si(peak.value, peak.unit) if peak.value else f"<= {si(peak.limit, peak.unit)}"
        ridge = f"{short(points[tag])} {peak.unit[:-2]}/byte" if tag in points else ""
        print(
            COLUMNS.format(
                tag, value, ridge, f"{peak.formula} [{sources.index(peak.source) + 1}]", wide=wide
            )
        )
    for number, source in enumerate(sources, 1):
        print(f"  [{number}] {source}")


if __name__ == "__main__":
    sys.exit(main())
