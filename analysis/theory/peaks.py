"""Theoretical peaks: what the silicon could do, with the formula and the source of every number.

A peak is clock x units x operations per unit and clock. A measured device is looked up by compute
capability or CPU core, never by its marketing name; what the tables do not hold is unknown, and
stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from analysis.theory.links import link_of
from analysis.theory.tables import row_of, row_of_arch, source_of, tables
from analysis.units import unit_of
from kernels.device import Device
from probes.records.tag import (
    ARITHMETIC,
    BANDWIDTH,
    COMPUTE,
    LIBRARY,
    MAIN_MEMORY,
    OF_MATRICES,
    ONE_CORE,
    TRANSFER,
    Tag,
)

DRAM = str(Tag(BANDWIDTH, MAIN_MEMORY))
"""The tag of main memory's peak."""
TENSOR, SPARSE = "tensor", "sparse"
"""Paths of theory: the tensor cores with dense operands, and with sparse ones."""
SPARSE_PATHS = ("mma_sp", "wgmma_sp", SPARSE)
"""How measured paths begin that the sparse peak bounds."""
SPARSE_GAIN = 2
"""A sparse rate over the dense one: 2:4 sparsity skips half the multiply-adds, but counts all."""
AS_REPORTED = "memory clock and bus width as the device reports them"
"""Source of a memory's peak that the driver's words give."""
UNIT_NAMES = {"cuda": "SM", "cpu": "core"}
"""What one of a device's units is called, by the device's kind."""


@dataclass(frozen=True)
class Peak:
    """One theoretical peak."""

    value: float | None
    """The nominal peak in ``unit``; None is unknown."""
    unit: str
    """``FLOP/s``, ``OP/s`` or ``B/s``."""
    formula: str
    """How the number is made, for people to read."""
    source: str
    """Where its factors are written."""
    per_clock: float | None = None
    """Operations or bytes of one SM or core in one clock; None for main memory."""
    limit: float | None = None
    """What no product of this architecture exceeds: ``value``, or where products differ, which
    leaves ``value`` unknown, the highest of theirs.
    """


class _Rate(NamedTuple):
    """One number of an architecture's row in ``peaks.toml``."""

    tag: str
    """The tag of its peak."""
    key: str
    """Its key in the row: ``fp32``, with an accumulator ``fp16-fp32``, or a level of memory.

    The row's ``clocks`` and ``varies`` speak of rates by this key.
    """
    per_clock: float
    """Operations or bytes of one SM or core in one clock."""


def peaks(
    device: Device, clock_hz: float | None = None, row: Mapping[str, Any] | None = None
) -> dict[str, Peak]:
    """Every theoretical peak of a device by tag, at its rated clock (Hz) or at an observed one.

    The clock is that of the units, so it leaves main memory's peak alone. ``row`` replaces the
    architecture's row of ``peaks.toml``.
    """
    if row is None:
        row = row_of(device)
    by_tag = {rate.tag: _on_chip(device, row, rate, clock_hz) for rate in _rates(row)}
    by_tag[DRAM] = _dram(device, row)
    return by_tag


def _rates(row: Mapping[str, Any]) -> Iterator[_Rate]:
    """The rates of everything that runs at the units' clock."""
    for dtype, per_clock in row.get("vector", {}).items():
        yield _Rate(str(Tag(COMPUTE, dtype)), dtype, per_clock)
    for key, per_clock in row.get("tensor", {}).items():
        dtype, dash, accumulator = key.partition("-")
        dense = Tag(COMPUTE, dtype, f"{TENSOR}{dash}{accumulator}")
        yield _Rate(str(dense), key, per_clock)
        if dtype in row.get("sparse", ()):
            sparse = Tag(COMPUTE, dtype, f"{SPARSE}{dash}{accumulator}")
            yield _Rate(str(sparse), key, SPARSE_GAIN * per_clock)
    for dtype, per_clock in row.get("matrix", {}).items():
        yield _Rate(str(Tag(COMPUTE, dtype, OF_MATRICES)), f"{dtype}-{OF_MATRICES}", per_clock)
    for key, per_clock in row.get("slow", {}).items():
        for name in tables()["slow"].get(key, [key]):
            dtype, _, operation = name.partition("/")
            yield _Rate(str(Tag(ARITHMETIC, dtype, operation)), key, per_clock)
    for level, per_clock in row.get("bytes", {}).items():
        yield _Rate(str(Tag(BANDWIDTH, level)), level, per_clock)


@cache
def _rates_of(kind: str, arch: str) -> Mapping[str, _Rate]:
    """The rates in the row of an architecture, by the tags of their peaks."""
    return {rate.tag: rate for rate in _rates(row_of_arch(kind, arch))}


def _on_chip(device: Device, row: Mapping[str, Any], rate: _Rate, clock_hz: float | None) -> Peak:
    """The peak of a rate.

    The clock is the observed one; else that which the row has for this rate, as a product's may;
    else the device's. Where products of one architecture differ, only the limit is known.
    """
    unit = unit_of(rate.tag)
    clock = clock_hz or row.get("clocks", {}).get(rate.key) or device.clock_hz
    limit = clock * device.units * rate.per_clock if clock else None
    varies = rate.key in row.get("varies", ())

    name = UNIT_NAMES[device.kind]
    names = f"{name}s" if device.units > 1 else name
    speed = f"{clock / 1e9:.4g} GHz" if clock else "unknown clock"
    work = unit.removesuffix("/s")
    formula = f"{speed} x {device.units} {names} x {rate.per_clock:g} {work}/clk/{name}"
    if varies:
        formula += " at most: products of this architecture differ"
    return Peak(
        value=None if varies else limit,
        unit=unit,
        formula=formula,
        source=source_of(row),
        per_clock=rate.per_clock,
        limit=limit,
    )


def _dram(device: Device, row: Mapping[str, Any]) -> Peak:
    """The peak of main memory: transfers a second x width of the bus in bytes."""
    transfers = device.memory_transfers
    clock = device.memory_clock_hz
    bits = device.memory_bus_bits
    source = row.get("memory_source") or device.facts.get("memory_source", AS_REPORTED)
    if not (transfers and clock and bits):
        return _unknown_dram(device, source)
    if transfers == 1:  # then what is given as a clock is the transfers a second
        speed = f"{clock / 1e6:g} MT/s"
    else:
        speed = f"{transfers} transfers/clk x {clock / 1e6:g} MHz"
    value = transfers * clock * bits / 8
    return Peak(
        value=value,
        unit="B/s",
        formula=f"{speed} x {bits} bits / 8",
        source=source,
        limit=max(value, device.memory_limit or value),
    )


def _unknown_dram(device: Device, source: str) -> Peak:
    """The peak of a main memory whose clock or width is not known: at most what it may be."""
    if not device.memory_range:
        return Peak(None, "B/s", "unknown: the memory's clock and width cannot be read here", "")
    least, most = min(device.memory_range), max(device.memory_range)
    limit = max(most, device.memory_limit or most)
    rates = f"{least / 1e9:.1f} to {most / 1e9:.1f} GB/s by power mode and module"
    return Peak(None, "B/s", rates, source, limit=limit)


def peak_for(tag: str, device: Device, clock_hz: float | None = None) -> Peak | None:
    """The peak that bounds a measured tag; None where the tables know none.

    Variants and formats (``/e5m2``) share their main tag's peak; ``/1core`` has one core's. The
    peak of wmma, mma and wgmma is that of the tensor cores, of their ``_sp`` forms the sparse one.
    A vendor's gemm may use the fastest dense unit. ``smmla`` and ``bfmmla`` of a CPU, in registers
    of any kind, have the peak of its matrix instructions.
    """
    measured = Tag.parse(tag)
    if measured.quantity == TRANSFER:
        return _transfer(measured, device)
    if ONE_CORE in measured.variants:
        device = replace(device, units=1)
    if measured.quantity == ARITHMETIC:
        return _peak(str(replace(measured, variants=())), device, clock_hz)
    # the path of a bandwidth (copy, read) has no peak of its own
    if measured.quantity == BANDWIDTH or measured.on_vector_units:
        return _peak(str(measured.whole), device, clock_hz)
    if measured.quantity != COMPUTE:
        return None
    if measured.path.endswith(OF_MATRICES):
        return _peak(str(Tag(COMPUTE, measured.subject, OF_MATRICES)), device, clock_hz)
    instruction, dash, accumulator = measured.path.partition("-")
    if instruction == LIBRARY:
        return _fastest_dense(measured, f"{TENSOR}{dash}{accumulator}", device, clock_hz)
    unit = SPARSE if instruction in SPARSE_PATHS else TENSOR
    path = f"{unit}{dash}{accumulator}"
    return _peak(str(Tag(COMPUTE, measured.subject, path)), device, clock_hz)


def _transfer(measured: Tag, device: Device) -> Peak | None:
    """The peak of the link that a transfer goes over; its clock is none of the device's."""
    link = link_of(measured, device)
    if link is None:
        return None
    return Peak(link.rate, unit_of(str(measured)), link.formula, link.source, limit=link.rate)


def _fastest_dense(
    measured: Tag, tensor: str, device: Device, clock_hz: float | None
) -> Peak | None:
    """The faster of the vector units' peak and the tensor cores'.

    ``tensor``: how the paths of these tensor cores begin: with the accumulator of the gemm's tag,
    ``tensor-fp32``. A gemm without one in its tag may use any, and ``tensor`` begins all of them.
    """
    vector = str(measured.whole)  # a tag without a path is that of the vector units
    prefix = str(Tag(COMPUTE, measured.subject, tensor))
    dense = [
        rate
        for tag, rate in _rates_of(device.kind, device.arch).items()
        if tag == vector or tag.startswith(prefix)
    ]
    fastest = max(dense, key=lambda rate: rate.per_clock, default=None)
    return _on_chip(device, row_of(device), fastest, clock_hz) if fastest else None


def _peak(tag: str, device: Device, clock_hz: float | None) -> Peak | None:
    """The peak that ``peaks`` has for one tag, without making all the others.

    A run of many layers asks for one peak a layer.
    """
    row = row_of(device)
    if tag == DRAM:
        return _dram(device, row)
    rate = _rates_of(device.kind, device.arch).get(tag)
    return _on_chip(device, row, rate, clock_hz) if rate else None
