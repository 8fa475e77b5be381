"""Does the measured curve hug the roof from far below the ridge to far above?

One kernel reads a large array and does more and more multiply-adds on each element. The flat and
the slope of the roof are measured in the same run, as the same cases that ``compute`` and
``bandwidth`` ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kernels import intensity
from kernels.base import ITEMSIZE
from kernels.device import Device
from kernels.fma import cpu as fma_cpu
from kernels.intensity import cpu as intensity_cpu
from kernels.intensity import cuda as intensity_cuda
from kernels.intensity import work as intensity_work
from probes import bandwidth, compute, tensor_core
from probes.harness.case import Case, run_alone
from probes.records.tag import BANDWIDTH, COMPUTE, INTENSITY, MAIN_MEMORY, READ, Sweep, Tag

DEFAULT = False
SLOPE = Tag(BANDWIDTH, MAIN_MEMORY, READ)
FLATS = {
    "cuda": (
        Tag(COMPUTE, "fp64"),
        Tag(COMPUTE, "fp32"),
        Tag(COMPUTE, "fp16"),
        Tag(COMPUTE, "bf16"),
        Tag(COMPUTE, "int32"),
        Tag(COMPUTE, "fp16", "mma-fp32"),
    ),
    "cpu": (Tag(COMPUTE, "fp64"), Tag(COMPUTE, "fp32")),
}
"""The flat roof that each curve is to reach."""
LEAST_INTENSITY = 1 / 16
"""FLOP per byte where a curve begins."""
PAST_RIDGE = 16
"""Times the ridge where a curve ends."""
RIDGE = 16
"""Multiply-adds of an element at the ridge of a common CPU core, and of a GPU whose clocks or bus
are unknown."""
BYTES_COMPUTED = 512
"""Operand bytes that one SM multiplies and adds in a clock, in every type at full rate: 64 FP64,
128 FP32, 256 FP16 (CUDA C++ Programming Guide, arithmetic instructions). It only chooses where
points lie, never a roof."""
NEAR = (2**-0.5, 1.0, 2**0.5)
"""Times the ridge: further points of each curve, beside the powers of two."""
FAR = 4
"""Above so many times the ridge, and below one part of it in so many, points lie farther apart;
above it, arrays may be smaller, too."""
EQUAL = 2
"""Times the ridge: above it a GPU's blocks get equal shares, since memory keeps none waiting."""
FULL_FP64 = 2
"""Throughput of FP32 over that of FP64 where double precision runs at full rate."""


def cases(device: Device) -> Iterator[Case]:
    """The anchors of the roof, then for each precision the points of the curve."""
    candidates = (*tensor_core.cases(device), *compute.cases(device), *bandwidth.cases(device))
    anchors = [case for case in candidates if _is_anchor(case, device)]
    yield from anchors
    for flat in FLATS[device.kind]:
        beside: tuple[Case, ...] = ()
        if device.kind == "cpu":
            # other programs use its memory and cores meanwhile; a GPU is this program's alone
            beside = tuple(case for case in anchors if case.tag in (flat, SLOPE))
        on_tensor_cores = bool(flat.path)
        for k, spacing in points(flat.operands, ridge(device, flat.operands), on_tensor_cores):
            yield replace(_case(device, flat, k, spacing), beside=beside)


def _is_anchor(case: Case, device: Device) -> bool:
    """True for a case that measures the slope or a flat roof, by the backend of the curves."""
    if case.tag == SLOPE:
        return True
    return case.backend in ("raw", "cpu") and case.tag in FLATS[device.kind]


def ridge(device: Device, dtype: str) -> float:
    """About how many multiply-adds of an element take as long as its load."""
    clock, memory_clock, bus_bits = device.clock_hz, device.memory_clock_hz, device.memory_bus_bits
    if device.kind == "cpu" or not (clock and memory_clock and bus_bits):
        return RIDGE
    bytes_per_second = memory_clock * (device.memory_transfers or 1) * bus_bits / 8
    bytes_loaded = bytes_per_second / (clock * device.units)
    bytes_computed = float(BYTES_COMPUTED)
    if dtype == "fp64":
        bytes_computed *= FULL_FP64 / (device.facts.get("fp32_over_fp64") or FULL_FP64)
    return max(1.0, bytes_computed / bytes_loaded)


def points(dtype: str, ridge: float, tensor: bool = False) -> list[tuple[int, int]]:
    """(multiply-adds, spacing) of each point, in order of intensity.

    One register in ``spacing`` gets the multiply-adds, of which there is one where that is above 1;
    the params call it ``every``. Steps are of about 2, finer around ``ridge``; further than FAR
    from it the roof is straight, and every other point does (of which a quick run takes every
    other, as of any curve). On tensor cores a multiply-add is one in each column of a matrix.
    """
    size = ITEMSIZE[dtype]
    columns = intensity_cuda.COLUMNS if tensor else 1
    widest_spacing = intensity_cuda.VECS if tensor else 2**6
    sparse = []
    for spacing in (64, 32, 16, 8, 4, 2):
        flop_per_byte = 2 * columns / (size * spacing)
        if spacing <= widest_spacing and flop_per_byte >= LEAST_INTENSITY:
            sparse.append((1, spacing))
    powers = [2**e for e in range(20) if 2**e < 2 * PAST_RIDGE * ridge]
    around_ridge = [ridge * near for near in NEAR]
    dense = {intensity_work.possible(k, even=tensor) for k in (*powers, *around_ridge)}
    all_points = [*sparse, *((k, 1) for k in sorted(dense))]
    below = [(k, spacing) for k, spacing in all_points if k / spacing < ridge / FAR]
    above = [(k, spacing) for k, spacing in all_points if k / spacing > ridge * FAR]
    near = all_points[len(below) : len(all_points) - len(above)]
    last_and_every_other = above[::-2][::-1]
    return [*below[::2], *near, *last_and_every_other]


def _case(device: Device, flat: Tag, k: int, spacing: int) -> Case:
    """The point with ``k`` multiply-adds on one register in ``spacing``, under this flat roof."""
    dtype, path = flat.operands, flat.path
    params, skip = _shape(device, dtype, path, spacing)
    size = ITEMSIZE[dtype]
    times_ridge = k / ridge(device, dtype)
    tiles = -(-array_bytes(device, far=times_ridge > FAR) // (size * params["tile"]))
    if device.kind == "cuda":
        params |= intensity_cuda.array(params, tiles)
        params["equal"] = int(times_ridge > EQUAL)
    else:
        params["n"] = tiles * params["tile"]
    params |= {"k": k, "every": spacing}
    flop_per_byte = 2 * k * params.get("columns", 1) / (size * spacing)
    backend = "cpu" if device.kind == "cpu" else "raw"
    series = f"{dtype}-{path}" if path else dtype
    tag = Sweep(COMPUTE, INTENSITY, series)
    return Case(intensity.MIXED, dtype, backend, tag, params, skip, x=flop_per_byte)


def array_bytes(device: Device, far: bool = False) -> int:
    """About the bytes of the array: past the last cache as for a stream, and no more than that.

    A GPU repeats it in one launch; its array is a power of two of its tiles, which is up to 1.4
    times as much, or as little. far: less, where memory takes so much less time than arithmetic
    that it hardly matters what a cache keeps.
    """
    past = bandwidth.LEAST_PAST_CACHE if far else bandwidth.PAST_CACHE
    return max(bandwidth.LEAST_BYTES, past[device.kind] * (device.last_cache_bytes or 0))


def _shape(device: Device, dtype: str, path: str, spacing: int) -> tuple[dict[str, Any], str]:
    """Params of the launch, and why this device cannot run it, or nothing."""
    if device.kind == "cpu":
        shape = intensity_cpu.shape(device.features, dtype, spacing) | {"threads": device.units}
        return shape, fma_cpu.missing(device.features, dtype)
    return intensity_cuda.shape(device, dtype, path), intensity_cuda.missing(device, dtype, path)


if __name__ == "__main__":
    run_alone(__file__)
