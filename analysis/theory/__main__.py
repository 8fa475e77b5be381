"""``python -m analysis.theory``: theoretical peaks of a product, or of a CPU by its numbers."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from analysis.tell import program
from analysis.tell.output import plain
from analysis.theory.peaks import DRAM, Peak, peaks
from analysis.theory.products import (
    AS_GIVEN,
    cpu_device,
    find_products,
    gpu_device,
    products,
    spec_device,
)
from analysis.theory.tables import row_of, tables
from analysis.units import short, si
from kernels.device import Device
from probes.records.measurement import RidgelineError
from probes.records.tag import COMPUTE, Tag

COLUMNS = "  {tag:<{width}}  {peak:>20}  {ridge:>16}  {formula}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the peaks asked for; return the exit code."""
    return program.run(_parser(), _answer, argv)


def _parser() -> argparse.ArgumentParser:
    parser = program.Parser(
        prog="python -m analysis.theory", description="Theoretical peaks, with formula and source."
    )
    parser.add_argument(
        "--spec", metavar="NAME", help="a named product, or part of its name; 'list' lists them"
    )
    parser.add_argument(
        "--core", metavar="NAME", help="a CPU core such as haswell or zen4; 'list' lists them"
    )
    parser.add_argument(
        "--capability", metavar="N.N", help="a compute capability such as 9.0; 'list' lists them"
    )
    parser.add_argument("--sms", type=_count, metavar="N", help="multiprocessors of the GPU")
    parser.add_argument("--cpu-cores", type=_count, metavar="N", help="cores of the CPU")
    parser.add_argument(
        "--clock", type=_hertz, metavar="HZ", help="clock of the CPU or the GPU, such as 3.0e9"
    )
    parser.add_argument(
        "--memory", metavar="RATExBYTESxCHANNELS", help="transfers per second, such as 2666e6x8x6"
    )
    parser.add_argument("--json", action="store_true", help="SI base units, for other tools")
    return parser


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
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of cores or multiprocessors")
    return int(text)


def _answer(args: argparse.Namespace) -> None:
    """Print what was asked for. Raises RidgelineError on bad input."""
    of_cpu = [args.core, args.cpu_cores, args.memory]
    of_gpu = [args.capability, args.sms]
    if args.spec == "list":
        _print_names(products(), args.json)
    elif args.core == "list":
        _print_names(tables()["cpu"], args.json)
    elif args.capability == "list":
        _print_names(tables()["cuda"], args.json)
    elif args.spec is not None and any([*of_cpu, *of_gpu, args.clock]):
        raise RidgelineError("--spec stands alone: a product has its own cores, clock and memory")
    elif any(of_cpu) and any(of_gpu):
        raise RidgelineError(
            "--capability and --sms are a GPU's, the others a CPU's: give those of one"
        )
    elif args.spec is not None:
        device, row = spec_device(_product(args.spec, args.json))
        _print(device.name, peaks(device, row=row), args.json)
    elif any(of_gpu):
        if not args.capability:
            raise RidgelineError("--sms needs --capability too; --capability list shows them")
        _print_known(gpu_device(args.capability, args.sms, args.clock), args.json)
    elif any([*of_cpu, args.clock]):
        _print_known(cpu_device(args.core, args.cpu_cores, args.clock, args.memory), args.json)
    else:
        raise RidgelineError(
            "nothing to compute: give --spec NAME, or --capability, --sms and --clock, or --core, "
            "--cpu-cores and --clock, or --memory"
        )


def _print_known(device: Device, as_json: bool) -> None:
    """Print those peaks of a device given by its numbers that these numbers tell."""
    row = {**row_of(device), "memory_source": AS_GIVEN}
    known = {tag: peak for tag, peak in peaks(device, row=row).items() if peak.limit}
    _print(device.name, known, as_json)


def _print_names(names: Iterable[str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(list(names), indent=1))
    else:
        print("\n".join(names))


def _product(text: str, as_json: bool) -> str:
    """The product that ``text`` means.

    Where that is not its whole name, a line says which product is taken; it stands beside the JSON,
    not in it.
    """
    name, *others = find_products(text)
    if name != text:
        also = f" (also: {', '.join(others)})" if others else ""
        print(plain(f"{text} -> {name}{also}"), file=sys.stderr if as_json else sys.stdout)
    return name


def ridges(by_tag: Mapping[str, Peak]) -> dict[str, float]:
    """Ridge point of each compute peak against main memory, in operations per byte.

    Peaks that are not known are left out.
    """
    memory = by_tag[DRAM].value if DRAM in by_tag else None
    if not memory:
        return {}
    return {
        tag: peak.value / memory
        for tag, peak in by_tag.items()
        if peak.value and Tag.parse(tag).quantity == COMPUTE
    }


def _print(name: str, by_tag: Mapping[str, Peak], as_json: bool) -> None:
    if as_json:
        _print_json(name, by_tag)
    else:
        _print_table(name, by_tag)


def _print_json(name: str, by_tag: Mapping[str, Peak]) -> None:
    data = {
        "device": name,
        "peaks": {tag: asdict(peak) for tag, peak in by_tag.items()},
        "ridges": ridges(by_tag),
    }
    print(json.dumps(data, indent=1))


def _print_table(name: str, by_tag: Mapping[str, Peak]) -> None:
    """A line a peak, then the sources by number."""
    intensities = ridges(by_tag)
    sources = list(dict.fromkeys(peak.source for peak in by_tag.values()))
    width = max(map(len, by_tag))
    print(name)
    print(
        COLUMNS.format(
            tag="tag", peak="peak", ridge="ridge", formula="formula [source]", width=width
        )
    )
    for tag, peak in by_tag.items():
        value = si(peak.value, peak.unit) if peak.value else f"<= {si(peak.limit, peak.unit)}"
        work = peak.unit.removesuffix("/s")
        ridge = f"{short(intensities[tag])} {work}/byte" if tag in intensities else ""
        formula = f"{peak.formula} [{sources.index(peak.source) + 1}]"
        print(COLUMNS.format(tag=tag, peak=value, ridge=ridge, formula=formula, width=width))
    for number, source in enumerate(sources, 1):
        print(f"  [{number}] {source}")


if __name__ == "__main__":
    sys.exit(main())
