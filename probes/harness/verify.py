"""Do the hardware's own counters agree with the work we declare?

``python -m probes.harness.verify --device 0`` runs every kernel of ours once under Nsight Compute.
It compares the instructions and bytes that the hardware counted with those declared, row by row; a
working set that fits the L2 must hit it. Where the profiler, or the right to use its counters, is
missing, it says which.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob

from kernels.base import Audit, Work
from kernels.device import Device
from kernels.stream.work import ARRAYS
from probes.harness.case import Case, choose
from probes.harness.devices.choose import choose as choose_device
from probes.records.measurement import RidgelineError
from probes.records.tag import BANDWIDTH, COMPUTE, MAIN_MEMORY, Tag

OPCODES = "sass__inst_executed_per_opcode"
READ = "dram__bytes_read.sum"
WRITTEN = "dram__bytes_write.sum"
HITS = "lts__t_sector_hit_rate.pct"
"""Metrics, as Nsight Compute names them."""
KERNELS = "chains|stream|sweep"  # names of our kernels in CUDA C++ whose counts say something
DRAM = Tag(BANDWIDTH, MAIN_MEMORY)
WORKING_SET = "sweep/bandwidth/working-set/read"
COMPUTE_REPEATS = 64
"""Of a compute kernel: enough that what surrounds its loop stays below the tolerance."""
TOLERANCE = 0.01
"""Difference between counted and declared work, over the declared, that still agrees."""
L2_SHARE_THAT_HITS = 0.5
"""A working set up to this share of the L2 must hit it."""
LEAST_HIT_SHARE = 0.9
"""Of the reads of such a working set. The counters of a hit rate come from several passes over the
kernel, and differ by some percent.
"""
PROFILER_PLACES = ("/usr/local/cuda/bin/ncu", "/opt/nvidia/nsight-compute/*/ncu")
"""Where the profiler lies if it is not on the PATH."""


@dataclass(frozen=True)
class Counted:
    """What the profiler counted of one launch."""

    opcodes: dict[str, float]
    """Executed instructions by opcode."""
    bytes: float
    """Read from DRAM and written to it."""
    hits: float = 0.0
    """Share of L2 reads that hit."""


@dataclass(frozen=True)
class Comparison:
    """One case: its declared work beside the counted."""

    text: str
    """The end of its line."""
    compared: bool = True
    """False if the counters cannot say anything of it."""
    differs: bool = False
    """True if the difference is above the tolerance."""


def main(argv: Sequence[str] | None = None) -> int:
    """Verify; 0: all rows agree, 1: some do not, 2: it cannot be done here, in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m probes.harness.verify", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--device", default="0", help="CUDA device (default: 0)")
    parser.add_argument(
        "--only", nargs="+", metavar="PROBE", help="only the kernels of these probes"
    )
    # This module starts itself with --launch, under the profiler.
    parser.add_argument("--launch", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    try:
        device, _ = choose_device(args.device)
        cases = list(verifiable(device, args.only))
        if args.launch:
            return launch_all(cases, device)
        return report(cases, device, profile(args.device, args.only))
    except RidgelineError as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2


def verifiable(device: Device, only: Sequence[str] | None) -> Iterator[Case]:
    """Our own CUDA kernels among the cases of these probes, one case for each tag and backend.

    Raises RidgelineError if the device is not a CUDA device.
    """
    if device.kind != "cuda":
        raise RidgelineError(f"hardware counters are read on CUDA devices; {device.name} is none")
    keys_so_far = set()
    for probe in choose(only):
        for case in probe.cases(device):
            if case.backend != "raw" or case.skip:
                continue
            key = case.ceiling, case.backend, str(case.params)
            if key not in keys_so_far and what_counters_tell(case, device):
                keys_so_far.add(key)
                yield case


def what_counters_tell(case: Case, device: Device) -> str:
    """What the counters can say of a case, as one word, or nothing.

    It is ``operations``, the ``bytes`` of DRAM, or the ``hits`` of the L2.
    """
    if isinstance(case.tag, Tag) and case.tag.quantity == COMPUTE:
        return "operations"
    if isinstance(case.tag, Tag) and case.tag.whole == DRAM and case.kernel.name in ARRAYS:
        return "bytes"
    largest_set = L2_SHARE_THAT_HITS * (device.last_cache_bytes or 0)
    fits = case.params.get("set_bytes", math.inf) <= largest_set
    return "hits" if case.ceiling == WORKING_SET and fits else ""


def repeats_of_launch(case: Case, device: Device) -> int:
    """How many repetitions of a case are run: as many as are still one launch."""
    return 1 if what_counters_tell(case, device) == "bytes" else COMPUTE_REPEATS


def launch_all(cases: Sequence[Case], device: Device) -> int:
    """Run every case once, in order."""
    from probes.harness.clocks.sampling import CudaClock

    queue = CudaClock(device).queue
    for case in cases:
        launch = case.kernel.backends[case.backend](device, case.dtype, case.params, queue)
        launch.run(repeats_of_launch(case, device))
        launch.close()
    return 0


def profile(device: str, only: Sequence[str] | None) -> list[Counted]:
    """Run this module's launches under the profiler; one entry a launch, in order.

    Raises RidgelineError if there is no profiler, or if it fails.
    """
    metrics = [
        "--metrics",
        f"{OPCODES},{READ},{WRITTEN},{HITS}",
        "--print-metric-instances",
        "details",
    ]
    filters = [
        "--kernel-name-base",
        "function",
        "--kernel-name",
        f"regex:^({KERNELS})$",
        "--clock-control",
        "none",
    ]
    launches = [sys.executable, "-m", "probes.harness.verify", "--launch", "--device", device]
    if only:
        launches += ["--only", *only]
    command = [_profiler(), "--csv", "--print-units", "base", *metrics, *filters, *launches]
    done = subprocess.run(command, capture_output=True, text=True)
    output = done.stdout + done.stderr
    if "ERR_NVGPUCTRPERM" in output:
        raise RidgelineError(
            "no right to use the GPU's counters: run as root, or see NVIDIA's ERR_NVGPUCTRPERM page"
        )
    if done.returncode:
        last_line = output.strip().splitlines()[-1:]
        raise RidgelineError(f"ncu ended with code {done.returncode}: {' '.join(last_line)[:200]}")
    return parse(done.stdout)


def _profiler() -> str:
    """The path of Nsight Compute's command; raises RidgelineError if there is none."""
    on_path = shutil.which("ncu")
    if on_path:
        return on_path
    for place in PROFILER_PLACES:
        for path in glob(place):
            return path
    raise RidgelineError("Nsight Compute (ncu) is not installed: it comes with the CUDA toolkit")


def parse(text: str) -> list[Counted]:
    """The profiler's CSV, one row a metric, as one entry a launch."""
    lines = [line for line in text.splitlines() if line.startswith('"')]
    launches: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(lines):
        launches.setdefault(row["ID"], {})[row["Metric Name"]] = row["Metric Value"]
    return [_counted(metrics) for metrics in launches.values()]


def _counted(metrics: Mapping[str, str]) -> Counted:
    """The values of a launch's metrics; 0 where one is missing."""
    read = _number(metrics.get(READ, "0"))
    written = _number(metrics.get(WRITTEN, "0"))
    hits_percent = _number(metrics.get(HITS, "0"))
    return Counted(_by_opcode(metrics.get(OPCODES, "")), read + written, hits_percent / 100)


def _number(text: str) -> float:
    """The number that the profiler wrote; 0 where it says ``n/a``."""
    first = text.replace(",", "").split()[0]
    return float(first) if first[:1].isdigit() else 0.0


def _by_opcode(text: str) -> dict[str, float]:
    """The counts of ``123 (FFMA: 100; MOV: 23)`` by opcode."""
    counts = re.findall(r"([A-Z][A-Z0-9_.]*)\s*[:=]\s*([\d,.]+)", text)
    return {opcode: _number(count) for opcode, count in counts}


def report(cases: Sequence[Case], device: Device, counted: Sequence[Counted]) -> int:
    """Print each row's declared and counted work; 1 if some differ by more than the tolerance.

    Raises RidgelineError if the profiler saw another number of launches than there are cases.
    """
    if len(counted) != len(cases):
        raise RidgelineError(f"ncu saw {len(counted)} launches of our kernels, not {len(cases)}")
    print(f"{'ceiling':36} {'declared':>12} {'counted':>12}  difference")
    comparisons = []
    for case, counts in zip(cases, counted, strict=True):
        comparisons.append(compare(case, device, counts))
    for case, comparison in zip(cases, comparisons, strict=True):
        print(f"{case.ceiling:36} {comparison.text}")
    differ = sum(comparison.differs for comparison in comparisons)
    not_compared = sum(not comparison.compared for comparison in comparisons)
    agree = len(comparisons) - differ - not_compared
    print(f"{agree} rows agree, {differ} differ, {not_compared} are not compared")
    return int(differ > 0)


def compare(case: Case, device: Device, counted: Counted) -> Comparison:
    """A case's declared work beside the counted.

    Compared are the operations of a compute case, the bytes of DRAM of a stream, and of a working
    set inside the L2 the share of its reads that hit.
    """
    told = what_counters_tell(case, device)
    if told == "hits":
        return _compare_hits(counted.hits)
    work = case.kernel.work(case.dtype, **case.params)
    if told == "bytes":
        # What the L2 still holds at the end is written later: its size may be missing.
        allowed = TOLERANCE + (device.last_cache_bytes or 0) / work.bytes
        return _compare_amounts(work.bytes, counted.bytes, allowed)
    audit = audit_of(case, device, work)
    if not audit.operations:
        return Comparison(f"not compared: {audit.note}", compared=False)
    declared = work.flops * repeats_of_launch(case, device)
    operations = audit.operations * _instructions(audit, counted)
    return _compare_amounts(declared, operations, TOLERANCE)


def _compare_hits(share: float) -> Comparison:
    """All reads but those of the first pass must hit."""
    text = f"{1:12.6g} {share:12.6g}  of L2 reads hit"
    if share >= LEAST_HIT_SHARE:
        return Comparison(text)
    return Comparison(f"{text}  more than {1 - LEAST_HIT_SHARE:.0%} miss", differs=True)


def _compare_amounts(declared: float, counted: float, allowed: float) -> Comparison:
    """Two amounts of work, which may differ by the share ``allowed`` of the declared one."""
    difference = counted / declared - 1
    text = f"{declared:12.6g} {counted:12.6g}  {difference:+.2%}"
    if abs(difference) <= allowed:
        return Comparison(text)
    return Comparison(f"{text}  more than {allowed:.1%}", differs=True)


def _instructions(audit: Audit, counted: Counted) -> float:
    """Counted instructions of the opcodes that the audit named."""
    audited = {_base(name) for name in audit.instruction.split("+")}
    return sum(count for name, count in counted.opcodes.items() if _base(name) in audited)


def _base(opcode: str) -> str:
    """``HMMA`` of ``HMMA.16816.F32``."""
    return opcode.split(".")[0]


def audit_of(case: Case, device: Device, work: Work) -> Audit:
    """What the disassembler says of this case's kernel; its cubin is in the cache."""
    from probes.harness.clocks.sampling import CudaClock

    queue = CudaClock(device).queue
    launch = case.kernel.backends[case.backend](device, case.dtype, case.params, queue)
    try:
        launch.run(1)
        return launch.audit(work)
    finally:
        launch.close()


if __name__ == "__main__":
    sys.exit(main())
