"""Do the hardware's own counters agree with the work we declare? ``python -m probes.harness.verify
--device 0``.

Every kernel of ours runs once under Nsight Compute; instructions and bytes that the hardware
counted are held against those declared, row by row, and a working set that fits the L2 must hit it.
Where the profiler, or the right to use its counters, is missing, it says what.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob

from kernels.base import Audit, Work
from kernels.device import Device
from kernels.stream.work import ARRAYS
from probes.harness.case import Case, choose
from probes.harness.devices.choose import choose as choose_device
from probes.records.measurement import RidgelineError
from probes.records.tag import BANDWIDTH, COMPUTE, MAIN_MEMORY, Tag

OPCODES, READ, WRITTEN = (
    "sass__inst_executed_per_opcode",
    "dram__bytes_read.sum",
    "dram__bytes_write.sum",
)
HITS = "lts__t_sector_hit_rate.pct"
KERNELS = "chains|stream|sweep"  # names of our kernels in CUDA C++ whose counts say something
DRAM = Tag(BANDWIDTH, MAIN_MEMORY)
WORKING_SET = "sweep/bandwidth/working-set/read"
TRIPS = 64  # of a compute kernel: enough that what surrounds its loop stays below the tolerance
TOLERANCE = 0.01
HELD = 0.5  # of the L2: a working set up to this share of it must hit
# the counters of a hit rate come from several passes over the kernel, and differ by some percent
HIT_SHARE = 0.9
PLACES = ("/usr/local/cuda/bin/ncu", "/opt/nvidia/nsight-compute/*/ncu")


@dataclass(frozen=True)
class Counted:
    """What the profiler counted of one launch: instructions by opcode, bytes of DRAM, share of L2
    reads that hit.
    """

    opcodes: dict[str, float]
    bytes: float
    hits: float = 0.0


def main(argv: Sequence[str] | None = None) -> int:
    """Verify; 0: all rows agree, 1: some do not, 2: it cannot be done here, in one line."""
    p = argparse.ArgumentParser(
        prog="python -m probes.harness.verify", description=(__doc__ or "").split("\n")[0]
    )
    p.add_argument("--device", default="0", help="CUDA device (default: 0)")
    p.add_argument("--only", nargs="+", metavar="PROBE", help="only the kernels of these probes")
    p.add_argument(
        "--launch", action="store_true", help=argparse.SUPPRESS
    )  # what runs under the profiler
    args = p.parse_args(argv)
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
    """Our own CUDA kernels among the cases of these probes, one case for each tag and backend."""
    if device.kind != "cuda":
        raise RidgelineError(f"hardware counters are read on CUDA devices; {device.name} is none")
    seen = set()
    for probe in choose(only):
        for case in probe.cases(device):
            key = case.ceiling, case.backend, str(case.params)
            if case.backend == "raw" and not case.skip and key not in seen and counts(case, device):
                seen.add(key)
                yield case


def counts(case: Case, device: Device) -> str:
    """What the counters can say of a case: its ``operations``, its DRAM ``bytes``, its L2 ``hits``,
    or nothing.
    """
    if isinstance(case.tag, Tag) and case.tag.quantity == COMPUTE:
        return "operations"
    if isinstance(case.tag, Tag) and case.tag.whole == DRAM and case.kernel.name in ARRAYS:
        return "bytes"
    fits = case.params.get("set_bytes", math.inf) <= HELD * (device.last_cache_bytes or 0)
    return "hits" if case.ceiling == WORKING_SET and fits else ""


def trips(case: Case, device: Device) -> int:
    """Repetitions that still are one launch."""
    return 1 if counts(case, device) == "bytes" else TRIPS


def launch_all(cases: Sequence[Case], device: Device) -> int:
    """Run every case once, in order."""
    from probes.harness.clocks.sampling import CudaClock

    queue = CudaClock(device).queue
    for case in cases:
        launch = case.kernel.backends[case.backend](device, case.dtype, case.params, queue)
        launch.run(trips(case, device))
        launch.close()
    return 0


def profile(device: str, only: Sequence[str] | None) -> list[Counted]:
    """Run this module's launches under the profiler; one entry a launch, in order."""
    tool = next(
        filter(None, [shutil.which("ncu"), *(path for place in PLACES for path in glob(place))]),
        None,
    )
    if tool is None:
        raise RidgelineError(
            "Nsight Compute (ncu) is not installed: it comes with the CUDA toolkit"
        )
    inner = [sys.executable, "-m", "probes.harness.verify", "--launch", "--device", device]
    wanted = [
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
    command = [
        tool,
        "--csv",
        "--print-units",
        "base",
        *wanted,
        *filters,
        *inner,
        *(["--only", *only] if only else []),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if "ERR_NVGPUCTRPERM" in done.stdout + done.stderr:
        raise RidgelineError(
            "no right to use the GPU's counters: run as root, or see NVIDIA's ERR_NVGPUCTRPERM page"
        )
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise RidgelineError(f"ncu ended with code {done.returncode}: {' '.join(last)[:200]}")
    return parse(done.stdout)


def parse(text: str) -> list[Counted]:
    """The profiler's CSV, one row a metric, as one entry a launch."""
    lines = [line for line in text.splitlines() if line.startswith('"')]
    launches: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(lines):
        launches.setdefault(row["ID"], {})[row["Metric Name"]] = row["Metric Value"]
    return [
        Counted(
            _instances(found.get(OPCODES, "")),
            sum(_number(found.get(name, "0")) for name in (READ, WRITTEN)),
            _number(found.get(HITS, "0")) / 100,
        )
        for found in launches.values()
    ]


def _number(text: str) -> float:
    """0 where the profiler says ``n/a``."""
    first = text.replace(",", "").split()[0]
    return float(first) if first[:1].isdigit() else 0.0


def _instances(text: str) -> dict[str, float]:
    """``123 (FFMA: 100; MOV: 23)`` by opcode."""
    return {
        name: _number(value)
        for name, value in re.findall(r"([A-Z][A-Z0-9_.]*)\s*[:=]\s*([\d,.]+)", text)
    }


def report(cases: Sequence[Case], device: Device, counted: Sequence[Counted]) -> int:
    """Print each row's declared and counted work; 1 if some differ by more than the tolerance."""
    if len(counted) != len(cases):
        raise RidgelineError(f"ncu saw {len(counted)} launches of our kernels, not {len(cases)}")
    print(f"{'ceiling':36} {'declared':>12} {'counted':>12}  difference")
    lines = [compare(case, device, found) for case, found in zip(cases, counted, strict=True)]
    for case, line in zip(cases, lines, strict=True):
        print(f"{case.ceiling:36} {line}")
    wrong, left = (sum(word in line for line in lines) for word in (DIFFERS, UNCOUNTED))
    print(f"{len(lines) - wrong - left} rows agree, {wrong} differ, {left} are not compared")
    return int(wrong > 0)


DIFFERS, UNCOUNTED = "more than", "not compared"


def compare(case: Case, device: Device, found: Counted) -> str:
    """Declared and counted work of a row, and the verdict: operations of a compute case, bytes of
    DRAM of a stream, and of a working set inside the L2 the share of its reads that must hit, all
    but the first pass.

    What the L2 still holds at the end of a stream is written later, so its size may be missing from
    the bytes.
    """
    work, counted = case.kernel.work(case.dtype, **case.params), counts(case, device)
    if counted == "hits":
        low = f"  {DIFFERS} {1 - HIT_SHARE:.0%} miss" if found.hits < HIT_SHARE else ""
        return f"{1:12.6g} {found.hits:12.6g}  of L2 reads hit{low}"
    declared, seen, allowed = work.bytes, found.bytes, TOLERANCE
    if counted == "operations":
        audit = audited(case, device, work)
        if not audit.operations:
            return f"{UNCOUNTED}: {audit.note}"
        declared, seen = (
            work.flops * trips(case, device),
            audit.operations * _instructions(audit, found),
        )
    else:
        allowed += (device.last_cache_bytes or 0) / work.bytes
    verdict = f"  {DIFFERS} {allowed:.1%}" if abs(seen / declared - 1) > allowed else ""
    return f"{declared:12.6g} {seen:12.6g}  {seen / declared - 1:+.2%}{verdict}"


def _instructions(audit: Audit, found: Counted) -> float:
    """Counted instructions of the opcodes that the audit named."""
    bases = {name.split(".")[0] for name in audit.instruction.split("+")}
    return sum(count for name, count in found.opcodes.items() if name.split(".")[0] in bases)


def audited(case: Case, device: Device, work: Work) -> Audit:
    """What the disassembler said of this case's kernel; its cubin is in the cache."""
    from probes.harness.clocks.sampling import CudaClock

    launch = case.kernel.backends[case.backend](
        device, case.dtype, case.params, CudaClock(device).queue
    )
    try:
        launch.run(1)
        return launch.audit(work)
    finally:
        launch.close()


if __name__ == "__main__":
    sys.exit(main())
