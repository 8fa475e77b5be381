"""Do the hardware's own counters agree with the work we declare?

``python -m probes.harness.verify --device 0`` runs every kernel of ours once under Nsight Compute.
It compares the instructions and bytes that the hardware counted with those declared, row by row; a
working set that fits the L2 must hit it. Where the profiler, or the right to use its counters, is
missing, it says which.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import glob

from kernels import bulk, cluster
from kernels.base import Audit, Work
from kernels.device import Device
from kernels.stream.work import ARRAYS
from probes.harness.case import Case, choose
from probes.harness.clocks.sampling import CudaClock
from probes.harness.devices.choose import choose as choose_device
from probes.records.measurement import RidgelineError
from probes.records.tag import BANDWIDTH, COMPUTE, MAIN_MEMORY, WORKING_SET, Sweep, Tag

OPCODES_METRIC = "sass__inst_executed_per_opcode"
"""Instructions that warps executed, by opcode. Nsight Compute names these four metrics so."""
READ_METRIC = "dram__bytes_read.sum"
"""Bytes read from DRAM."""
WRITTEN_METRIC = "dram__bytes_write.sum"
"""Bytes written to DRAM."""
HITS_METRIC = "lts__t_sector_hit_rate.pct"
"""Percent of the L2's accesses that hit."""
ENTRIES = "bulk|chains|neighbours|stream|sweep"
"""Names of the ``__global__`` functions that verifiable cases run, as a regular expression."""
DRAM = Tag(BANDWIDTH, MAIN_MEMORY)
SHARED_SET_READS = Sweep(BANDWIDTH, WORKING_SET, "read")
"""All multiprocessors read one working set together, past their L1: it comes from the L2."""
OPERATIONS, DRAM_BYTES, L2_HITS = "operations", "bytes", "hits"
"""What the counters can tell of a case."""
REPEATS_IN_ONE_LAUNCH = 64
"""Repetitions of a kernel that does all of them in one launch: so many that what comes before its
loop, or misses in the first pass over a working set, stays below what is allowed.
"""
TOLERANCE = 0.01
"""Difference between counted and declared work, over the declared, that still agrees."""
L2_SHARE_THAT_HITS = 0.5
"""A working set up to this share of the L2 must hit it."""
LEAST_HIT_SHARE = 0.9
"""Share of the reads of such a working set that must hit, at least. The counters of a hit rate come
from several passes over the kernel, and differ by some percent.
"""
PROFILER_PLACES = ("/usr/local/cuda/bin/ncu", "/opt/nvidia/nsight-compute/*/ncu")
"""Where the profiler lies if it is not on the PATH."""


@dataclass(frozen=True)
class Counts:
    """What the profiler counted in one launch."""

    opcodes: dict[str, float]
    """Executed instructions by opcode."""
    bytes: float
    """Read from DRAM and written to it."""
    hit_share: float = 0.0
    """Share of the L2's accesses that hit."""


@dataclass(frozen=True)
class Comparison:
    """One case: its declared work beside the counted."""

    text: str
    """What its line says after the ceiling."""
    compared: bool = True
    """False if nothing is known to compare."""
    differs: bool = False
    """True if they differ by more than is allowed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Verify, and return the exit code.

    0: all compared rows agree. 1: some do not. 2: it cannot be done here, for a reason told in one
    line.
    """
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
    """The cases of these probes that run a .cu file of ours and of which the counters can tell.

    Two probes may ask for the same ceiling with the same params: it comes once. Raises
    RidgelineError if the device is not a CUDA device.
    """
    if device.kind != "cuda":
        raise RidgelineError(f"hardware counters are read on CUDA devices; {device.name} is none")
    seen = set()
    for probe in choose(only):
        for case in probe.cases(device):
            if case.backend != "raw" or case.skip:
                continue
            key = case.ceiling, str(case.params)
            if key not in seen and what_counters_tell(case, device):
                seen.add(key)
                yield case


def what_counters_tell(case: Case, device: Device) -> str:
    """OPERATIONS, DRAM_BYTES or L2_HITS: what the counters can tell of a case; else nothing."""
    if isinstance(case.tag, Tag):
        if case.tag.quantity == COMPUTE:
            return OPERATIONS
        # Only plain passes: of other access to DRAM the declared bytes are those asked for.
        is_stream = case.kernel.name in (*ARRAYS, bulk.READ.name)
        return DRAM_BYTES if case.tag.whole == DRAM and is_stream else ""
    if case.kernel is cluster.NEIGHBOURS:
        return OPERATIONS
    if case.tag != SHARED_SET_READS:
        return ""
    largest_set = L2_SHARE_THAT_HITS * (device.last_cache_bytes or 0)
    return L2_HITS if case.params["set_bytes"] <= largest_set else ""


def repeats_of_launch(case: Case, device: Device) -> int:
    """How many repetitions of a case are run in its one launch.

    A stream needs a launch for each repetition; the others do all of them in one.
    """
    return 1 if what_counters_tell(case, device) == DRAM_BYTES else REPEATS_IN_ONE_LAUNCH


def launch_all(cases: Sequence[Case], device: Device) -> int:
    """Run every case in one launch each, in order, for the profiler that started this process."""
    queue = CudaClock(device).queue
    for case in cases:
        launch = case.kernel.backends[case.backend](device, case.dtype, case.params, queue)
        launch.run(repeats_of_launch(case, device))
        launch.close()
    return 0


def profile(device: str, only: Sequence[str] | None) -> list[Counts]:
    """Run this module with ``--launch`` under the profiler; the counts of each launch, in order.

    Raises RidgelineError if there is no profiler, or if it fails.
    """
    metrics = [
        "--metrics",
        f"{OPCODES_METRIC},{READ_METRIC},{WRITTEN_METRIC},{HITS_METRIC}",
        # Without it there is the sum of all opcodes only.
        "--print-metric-instances",
        "details",
    ]
    filters = [
        "--kernel-name-base",
        "function",
        "--kernel-name",
        f"regex:^({ENTRIES})$",
    ]
    # The profiler would lock the GPU's clocks for times to repeat; counts do not depend on them.
    leave_clocks = ["--clock-control", "none"]
    launches = [sys.executable, "-m", "probes.harness.verify", "--launch", "--device", device]
    if only:
        launches += ["--only", *only]
    form = ["--csv", "--print-units", "base"]
    command = [_profiler(), *form, *metrics, *filters, *leave_clocks, *launches]
    process = subprocess.run(command, capture_output=True, text=True)
    output = process.stdout + process.stderr
    if "ERR_NVGPUCTRPERM" in output:
        raise RidgelineError(
            "no right to use the GPU's counters: run as root, or see NVIDIA's ERR_NVGPUCTRPERM page"
        )
    if process.returncode:
        last_line = "".join(output.strip().splitlines()[-1:])
        raise RidgelineError(f"ncu ended with code {process.returncode}: {last_line[:200]}")
    return parse(process.stdout)


def _profiler() -> str:
    """The path of Nsight Compute's command; raises RidgelineError if there is none."""
    on_path = shutil.which("ncu")
    if on_path:
        return on_path
    for place in PROFILER_PLACES:
        for path in glob(place):
            return path
    raise RidgelineError("Nsight Compute (ncu) is not installed: it comes with the CUDA toolkit")


def parse(text: str) -> list[Counts]:
    """The counts of each launch, of the profiler's CSV, which has one row a metric."""
    # Between its rows stand the profiler's own lines (==PROF==), and those of the process.
    lines = [line for line in text.splitlines() if line.startswith('"')]
    launches: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(lines):
        launches.setdefault(row["ID"], {})[row["Metric Name"]] = row["Metric Value"]
    return [_counts_of(metrics) for metrics in launches.values()]


def _counts_of(metrics: Mapping[str, str]) -> Counts:
    """The values of a launch's metrics; 0 where one is missing."""
    opcodes = _by_opcode(metrics.get(OPCODES_METRIC, ""))
    read = _number(metrics.get(READ_METRIC, "0"))
    written = _number(metrics.get(WRITTEN_METRIC, "0"))
    hit_percent = _number(metrics.get(HITS_METRIC, "0"))
    return Counts(opcodes, read + written, hit_percent / 100)


def _number(text: str) -> float:
    """The number that the profiler wrote, first of all: ``1,100``; 0 where it says ``n/a``."""
    first = text.replace(",", "").split()[0]
    return float(first) if first[:1].isdigit() else 0.0


def _by_opcode(text: str) -> dict[str, float]:
    """The counts of ``123 (FFMA: 100; MOV: 23)`` by opcode."""
    counts = re.findall(r"([A-Z][A-Z0-9_.]*)\s*[:=]\s*([\d,.]+)", text)
    return {opcode: _number(count) for opcode, count in counts}


def report(cases: Sequence[Case], device: Device, launches: Sequence[Counts]) -> int:
    """Print each case's declared and counted work; return 1 if some differ too much, else 0.

    launches: the counts of each case's launch, in order. Raises RidgelineError if they are not as
    many as the cases.
    """
    if len(launches) != len(cases):
        raise RidgelineError(f"ncu saw {len(launches)} launches of our kernels, not {len(cases)}")
    print(f"{'ceiling':36} {'declared':>12} {'counted':>12}  difference")
    comparisons = []
    for case, counts in zip(cases, launches, strict=True):
        comparisons.append(compare(case, device, counts))
    for case, comparison in zip(cases, comparisons, strict=True):
        print(f"{case.ceiling:36} {comparison.text}")
    differ = sum(comparison.differs for comparison in comparisons)
    not_compared = sum(not comparison.compared for comparison in comparisons)
    agree = len(comparisons) - differ - not_compared
    print(f"{agree} rows agree, {differ} differ, {not_compared} are not compared")
    return int(differ > 0)


def compare(case: Case, device: Device, counts: Counts) -> Comparison:
    """A case's declared work beside the counted.

    Compared are the operations of a compute case, the bytes of DRAM of a stream, and of a working
    set inside the L2 the share of its reads that hit.
    """
    countable = what_counters_tell(case, device)
    if countable == L2_HITS:
        return _compare_hits(counts.hit_share)
    work = case.kernel.work(case.dtype, **case.params)
    if countable == DRAM_BYTES:
        # What the L2 still holds at the end is written later: as much as its size may be missing.
        l2_share = (device.last_cache_bytes or 0) / work.bytes
        return _compare_amounts(work.bytes, counts.bytes, TOLERANCE + l2_share)
    audit = audit_of(case, device, work)
    if not audit.operations:
        return Comparison(f"not compared: {audit.note}", compared=False)
    # Of what only moves bytes, these are what one instruction is counted to do.
    declared = (work.flops or work.bytes) * repeats_of_launch(case, device)
    # The profiler counts an instruction once a warp, and the audit knows what it does for a warp.
    operations = audit.operations * _instructions(audit, counts)
    return _compare_amounts(declared, operations, TOLERANCE)


def _compare_hits(hit_share: float) -> Comparison:
    """All reads but those of the first pass should hit: the declared share is 1."""
    text = f"{1:12.6g} {hit_share:12.6g}  of L2 reads hit"
    if hit_share >= LEAST_HIT_SHARE:
        return Comparison(text)
    return Comparison(f"{text}  more than {1 - LEAST_HIT_SHARE:.0%} miss", differs=True)


def _compare_amounts(declared: float, counted: float, allowed: float) -> Comparison:
    """Two amounts of work, which may differ by the share ``allowed`` of the declared one."""
    difference = counted / declared - 1
    text = f"{declared:12.6g} {counted:12.6g}  {difference:+.2%}"
    if abs(difference) <= allowed:
        return Comparison(text)
    return Comparison(f"{text}  more than {allowed:.1%}", differs=True)


def _instructions(audit: Audit, counts: Counts) -> float:
    """How many instructions were counted of the opcodes that the audit named, such as ``A+B.C``.

    The profiler may count an opcode without its modifiers, so they are left out of both.
    """
    audited = {_without_modifiers(name) for name in audit.instruction.split("+")}
    return sum(
        count for name, count in counts.opcodes.items() if _without_modifiers(name) in audited
    )


def _without_modifiers(opcode: str) -> str:
    """``HMMA`` of ``HMMA.16816.F32``."""
    return opcode.split(".")[0]


def audit_of(case: Case, device: Device, work: Work) -> Audit:
    """What the disassembler says of this case's kernel.

    That costs little: ``launch_all`` has compiled it into the cache before.
    """
    queue = CudaClock(device).queue
    launch = case.kernel.backends[case.backend](device, case.dtype, case.params, queue)
    try:
        launch.run(1)
        return launch.audit(work)
    finally:
        launch.close()


if __name__ == "__main__":
    sys.exit(main())
