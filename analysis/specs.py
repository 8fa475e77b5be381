"""Theory without a device: the peaks of a named product, or of a CPU given by its numbers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NoReturn

from analysis.theory import Peak, peaks, tables
from analysis.units import si
from probes.harness.records import Device, RidgelineError


def main(argv: Sequence[str] | None = None) -> int:
    """Print the peaks asked for; exit code 0, or 2 after one line on bad input."""
    try:
        return _run(_parser().parse_args(argv))
    except RidgelineError as error:
        print(f"analysis.theory: {error}", file=sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RidgelineError(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    p = _Parser(prog="python -m analysis.theory", description="Theoretical peaks, with formula and source.")
    p.add_argument("--spec", metavar="NAME", help="a named product, or part of its name; 'list' lists them")
    p.add_argument("--core", metavar="NAME", help="a CPU core such as haswell or zen4; 'list' lists them")
    p.add_argument("--cpu-cores", type=_positive_int, metavar="N", help="cores of the CPU")
    p.add_argument("--clock", type=_positive, metavar="HZ", help="clock of the CPU, such as 3.0e9")
    p.add_argument("--memory", metavar="RATExBYTESxCHANNELS", help="transfers per second, such as 2666e6x8x6")
    p.add_argument("--json", action="store_true", help="SI base units, for other tools")
    return p


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _positive_int(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def _run(args: argparse.Namespace) -> int:
    if "list" in (args.spec, args.core):
        print("\n".join(tables()["spec" if args.spec else "cpu"]))
        return 0
    if args.spec:
        name = find_spec(args.spec)
        if name != args.spec:
            print(f"{args.spec} -> {name}", file=sys.stderr)
        device, row = spec_device(name)
        return _print(device.name, peaks(device, row=row), args.json)
    if args.core or args.cpu_cores or args.memory:
        device = cpu_device(args.core, args.cpu_cores, args.clock, args.memory)
        return _print(device.name, {t: p for t, p in peaks(device).items() if p.value or p.limit}, args.json)
    raise RidgelineError("nothing to compute: give --spec NAME, or --core, --cpu-cores and --clock, or --memory")


def find_spec(text: str) -> str:
    """The product called ``text``, or the first whose name holds it. Raises RidgelineError."""
    names = list(tables()["spec"])
    matches = [n for n in names if n == text] or [n for n in names if text.lower() in n.lower()]
    if not matches:
        raise RidgelineError(f"no product is called {text!r}; --spec list shows all {len(names)}")
    return matches[0]


def spec_device(name: str) -> tuple[Device, dict[str, Any]]:
    """A named product as a device, and its architecture's row with the product's own rates in it."""
    spec = tables()["spec"][name]
    rate, bits = spec["memory"]
    row = dict(tables()["cuda"][spec["cc"]])
    for unit in ("vector", "tensor"):
        row[unit] = row.get(unit, {}) | spec.get(unit, {})
    own = {*spec.get("vector", {}), *spec.get("tensor", {})}
    row["varies"] = [key for key in row.get("varies", ()) if key not in own]
    row["source"] = f"{spec['source']}; {row['source']}"
    device = Device(
        "cuda", 0, name, spec["cc"], spec["sms"], spec["clock"], memory_clock_hz=rate, memory_bus_bits=bits,
        memory_transfers=1,
    )  # fmt: skip
    return device, row


def cpu_device(core: str | None, cores: int | None, clock: float | None, memory: str | None) -> Device:
    """A CPU given by its numbers. Raises RidgelineError for an unknown core or an unreadable number."""
    if core and core not in tables()["cpu"]:
        raise RidgelineError(f"no CPU core is called {core!r}; --core list shows all {len(tables()['cpu'])}")
    if core and not (cores and clock):
        raise RidgelineError(f"--core {core} needs --cpu-cores and --clock too")
    if cores and not core:
        raise RidgelineError(f"--cpu-cores {cores} needs --core too; --core list shows the names")
    rate, bits = _memory(memory) if memory else (None, None)
    name = f"{cores} x {core}" if core else "memory"
    return Device("cpu", 0, name, core or "", cores or 1, clock, rate, bits, 1 if memory else None)


def _memory(text: str) -> tuple[float, int]:
    try:
        rate, width, channels = (float(part) for part in text.split("x"))
    except ValueError:
        rate = width = channels = 0.0
    if min(rate, width, channels) <= 0:
        raise RidgelineError(f"--memory {text!r} is not RATExBYTESxCHANNELS, such as 2666e6x8x6")
    return rate, int(width * channels * 8)


def _print(name: str, found: dict[str, Peak], as_json: bool) -> int:
    memory = found["bandwidth/dram"].value if "bandwidth/dram" in found else None
    ridges = {t: p.value / memory for t, p in found.items() if memory and p.value and t.startswith("compute")}
    if as_json:
        data = {"device": name, "peaks": {t: asdict(p) for t, p in found.items()}, "ridges": ridges}
        print(json.dumps(data, indent=1))
        return 0
    print(name)
    wide = max(map(len, found), default=0)
    for tag, peak in found.items():
        value = si(peak.value, peak.unit) if peak.value else f"at most {si(peak.limit, peak.unit)}"
        ridge = f"  ridge {ridges[tag]:.3g} {peak.unit[:-2]}/byte" if tag in ridges else ""
        print(f"  {tag:{wide}}  {value:>15}  = {peak.formula}{ridge}\n  {'':{wide}}  {'':>15}    {peak.source}")
    return 0
