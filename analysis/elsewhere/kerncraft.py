"""A machine file for kerncraft from a measured CPU.

Kerncraft's file also tells of ports and counters, which nothing here measures: what it needs beside
this is marked ``INFORMATION_REQUIRED``, as its own generator of such files marks it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from analysis.elsewhere.peaks_export import MeasuredDevice
from analysis.model.ceilings import Ceiling
from analysis.theory.peaks import peaks
from kernels.device import Cache, Device
from probes.records.measurement import OK, RidgelineError
from probes.records.tag import BANDWIDTH, COMPUTE, MAIN_MEMORY, ONE_CORE, Tag

REQUIRED = "INFORMATION_REQUIRED"
PRECISIONS = {"DP": "fp64", "SP": "fp32"}
"""Kerncraft's names of precisions, and ours."""
KERNELS = {
    "load": ("read", 1, 0),
    "store": ("write", 0, 1),
    "copy": ("copy", 1, 1),
    "stream_triad": ("triad", 2, 1),
}
"""Kerncraft's names of benchmarks: our operation, streams that it reads, and that it writes.

STREAM's triad reads two arrays; kerncraft's own ``triad`` reads three, so this has another name.
"""
X86 = ("x86_64", "i686")
"""What a system calls machines whose lines of cache are all 64 bytes (Intel 64 and IA-32
Architectures Optimization Reference Manual; AMD64 Architecture Programmer's Manual)."""
FLOPS_OF_TRIAD = 2
BYTES = 8
"""Of an element."""


def machine_file(measured: MeasuredDevice) -> str:
    """The file, as YAML. Raises RidgelineError for a GPU, which kerncraft has no model of."""
    device = measured.device
    if device.kind != "cpu":
        raise RidgelineError(
            f"--kerncraft describes CPUs, and {device.name} is none: --device tells it as JSON"
        )
    return "\n".join([*_head(measured), *_hierarchy(device, measured), *_benchmarks(measured)])


def _head(measured: MeasuredDevice) -> Iterator[str]:
    device = measured.device
    facts = device.facts
    sockets = max(1, int(facts.get("sockets") or 1))
    nodes = max(1, int(facts.get("numa_nodes") or 1))
    threads = max(1, int(facts.get("logical_cpus") or device.units) // device.units)
    yield f"# measured by Ridgeline {measured.version} on {', '.join(measured.days)}"
    yield "# what kerncraft needs and nobody measured is INFORMATION_REQUIRED"
    yield f"model name: {_quoted(device.name)}"
    yield f"model type: {_quoted(str(facts.get('model') or device.arch or REQUIRED))}"
    clock = _clock(measured)
    yield f"clock: {_unit(clock, 1e9, 'GHz')}  # observed under load"
    yield f"sockets: {sockets}"
    yield f"cores per socket: {device.units // sockets}"
    yield f"threads per core: {threads}"
    yield f"NUMA domains per socket: {max(1, nodes // sockets)}"
    yield f"cores per NUMA domain: {max(1, device.units // nodes)}"
    is_x86 = facts.get("machine") in X86
    yield f"isa: {'x86' if is_x86 else 'aarch64'}"
    yield f"in-core model: {REQUIRED}"
    yield f"compiler: {REQUIRED}"
    yield from _flops_per_cycle(measured)
    yield f"cacheline size: {'64 B' if is_x86 else REQUIRED}"


def _clock(measured: MeasuredDevice) -> float | None:
    """The clock in Hz that the cores kept while they computed in FP64; None if unknown."""
    ceiling = measured.ceilings.get(str(Tag(COMPUTE, "fp64")))
    return ceiling.clock_hz if ceiling else None


def _flops_per_cycle(measured: MeasuredDevice) -> Iterator[str]:
    """Of one core: by theory, and beside it what was measured."""
    theory = peaks(measured.device)
    yield "FLOPs per cycle:"
    for name, dtype in PRECISIONS.items():
        tag = str(Tag(COMPUTE, dtype))
        peak = theory.get(tag)
        one_core = measured.ceilings.get(str(Tag(COMPUTE, dtype, variants=(ONE_CORE,))))
        per_clock = peak.per_clock if peak else None
        note = ""
        if one_core is not None and one_core.rate and one_core.clock_hz:
            note = f"  # measured: {one_core.rate / one_core.clock_hz:.2f}"
        if per_clock is None:
            yield f"  {name}: {{total: {REQUIRED}}}{note}"
        else:
            yield f"  {name}: {{total: {per_clock:g}, FMA: {per_clock:g}}}{note}"


def _hierarchy(device: Device, measured: MeasuredDevice) -> Iterator[str]:
    """Each level of memory, with what one core gets of the level above it in a cycle."""
    yield "memory hierarchy:"
    caches = device.caches
    for place, cache in enumerate(caches):
        behind = caches[place + 1].level if place + 1 < len(caches) else MAIN_MEMORY
        yield from _cache(cache, device, measured, behind)
    yield "- level: MEM"
    yield f"  cores per group: {device.units}"
    yield "  size per group: null"
    yield "  upstream throughput: [full socket memory bandwidth, half-duplex]"


def _cache(cache: Cache, device: Device, measured: MeasuredDevice, behind: str) -> Iterator[str]:
    yield f"- level: {cache.level.upper()}"
    yield f"  cores per group: {cache.units}"
    yield f"  groups: {max(1, device.units // cache.units)}"
    yield f"  size per group: {cache.bytes / 1000:.2f} kB"
    ceiling = measured.ceilings.get(_tag(behind, "read", one_core=True))
    bytes_a_cycle = None
    clock = _clock(measured)
    if ceiling is not None and ceiling.rate and (ceiling.clock_hz or clock):
        bytes_a_cycle = ceiling.rate / (ceiling.clock_hz or clock or 1.0)
    if bytes_a_cycle is None:
        yield f"  upstream throughput: {REQUIRED}"
    else:
        where = f"reads of one core from {behind.upper()}, measured"
        yield f"  upstream throughput: [{bytes_a_cycle:.1f} B/cy, half-duplex]  # {where}"


def _tag(level: str, operation: str, *, one_core: bool) -> str:
    return str(Tag(BANDWIDTH, level, operation, (ONE_CORE,) if one_core else ()))


def _benchmarks(measured: MeasuredDevice) -> Iterator[str]:
    """What was measured, a level each, at one core and at all."""
    yield "benchmarks:"
    yield "  kernels:"
    for name, (_, reads, writes) in KERNELS.items():
        yield f"    {name}:"
        yield f"      FLOPs per iteration: {FLOPS_OF_TRIAD if name == 'stream_triad' else 0}"
        yield f"      read streams: {{bytes: {BYTES * reads}.00 B, streams: {reads}}}"
        yield "      read+write streams: {bytes: 0.00 B, streams: 0}"
        yield f"      write streams: {{bytes: {BYTES * writes}.00 B, streams: {writes}}}"
    yield "  measurements:"
    levels = [cache.level for cache in measured.device.caches]
    for level in (*levels, MAIN_MEMORY):
        yield from _measurements(measured, level)
    yield ""


def _measurements(measured: MeasuredDevice, level: str) -> Iterator[str]:
    """The rates of one level, of threads that each have a core."""
    cores = (True, False) if measured.device.units > 1 else (False,)
    results = {}
    for name, (operation, _, _) in KERNELS.items():
        rates = [
            _rate(measured.ceilings, _tag(level, operation, one_core=one_core))
            for one_core in cores
        ]
        if any(rate is not None for rate in rates):
            texts = [_unit(rate, 1e9, "GB/s") if rate else "null" for rate in rates]
            results[name] = f"[{', '.join(texts)}]"
    if not results:
        return
    counts = [1 if one_core else measured.device.units for one_core in cores]
    yield f"    {'MEM' if level == MAIN_MEMORY else level.upper()}:"
    yield "      1:"
    yield f"        cores: {counts}"
    yield "        results:"
    for name, rates_of_kernel in results.items():
        yield f"          {name}: {rates_of_kernel}"


def _rate(ceilings: Mapping[str, Ceiling], tag: str) -> float | None:
    """The rate of a ceiling that can be trusted; None if there is none."""
    ceiling = ceilings.get(tag)
    if ceiling is None or ceiling.status != OK or not ceiling.trusted:
        return None
    return ceiling.rate


def _unit(value: float | None, factor: float, unit: str) -> str:
    return REQUIRED if value is None else f"{value / factor:.2f} {unit}"


def _quoted(text: str) -> str:
    """A text as a YAML string, of which JSON's are a part."""
    return json.dumps(text, ensure_ascii=False)
