"""Strides, scattered segments and narrow elements in GPU memory: the launches of ``access.cu``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import kernels.access.work as access_work
from kernels import pattern
from kernels.access.work import FACTORS, bits, shift
from kernels.base import ITEMSIZE, Audit, KernelError, Work
from kernels.cuda import launch as cuda
from kernels.cuda import sass
from kernels.cuda.memory import Buffer, Stream, collected
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.pattern import FLOATS

SOURCE = Path(__file__).with_name("access.cu")
BLOCK = 256
VECTOR, ELEMENT = 16, 4  # bytes of the widest load, and of an element of a stride
PIECES, IN_FLIGHT = 8, 64
"""Pieces, and bytes, that a thread of a read loads before it uses the first: enough for memory to
be the limit.

With more the compiler begins to add before it has sent all loads."""
COPIED = 16  # bytes a thread of a copy has in flight: as the best shape of the copying stream
# of a thread where the number of blocks is the question: the ladder begins low and saturates
RESIDENT_VECS = 2
PER_WIDTH = {4: r"(?!.*\.(64|128))", 8: r".*\.64", 16: r".*\.128"}
NO_L1_SINCE = 7.0  # ld.L1::no_allocate: PTX ISA, "ld"


def shape(op: str, piece: int) -> dict[str, int]:
    """Threads of a block, and pieces of so many bytes in flight in each."""
    return {
        "block": BLOCK,
        "vecs": COPIED // piece if op == "copy" else min(PIECES, IN_FLIGHT // piece),
    }


def resident(device: Device, blocks_per_sm: int) -> dict[str, int]:
    """The params that put so many blocks on each multiprocessor: one wave, which strides."""
    return {
        "width": VECTOR,
        "block": BLOCK,
        "vecs": RESIDENT_VECS,
        "blocks_per_sm": blocks_per_sm,
        "blocks": blocks_per_sm * device.units,
    }


def missing(device: Device, blocks_per_sm: int) -> str:
    """Why a multiprocessor cannot hold so many blocks, or nothing."""
    threads = device.facts.get("threads_per_multiprocessor")
    if threads is None or blocks_per_sm * BLOCK <= threads:
        return ""
    return f"a multiprocessor holds {threads} threads, not {blocks_per_sm} blocks of {BLOCK}"


def width(op: str, params: Mapping[str, Any]) -> int:
    """Bytes of one load: as asked, an element of a stride, or as much of a segment as one load can
    take.
    """
    if op == "stride":
        return ELEMENT
    return min(VECTOR, params["segment_bytes"]) if op == "gather" else params["width"]


def chunks(op: str, dtype: str, params: Mapping[str, Any]) -> int:
    """Chunks of ``block`` x ``vecs`` pieces in the array. Raises KernelError where a chunk would be
    cut.
    """
    read = params["n"] // (params["stride"] if op == "stride" else 1)
    chunk = params["block"] * params["vecs"] * width(op, params) // ITEMSIZE[dtype]
    if read % chunk or params["n"] > 1 << 31:
        raise KernelError(
            f"access to {read} of {params['n']} elements: take a multiple of {chunk}, 2**31 at most"
        )
    return read // chunk


def defines(device: Device, op: str, dtype: str, params: Mapping[str, Any]) -> dict[str, object]:
    """Macros of ``access.cu`` for these params."""
    found: dict[str, object] = {f"OP_{op}": 1, "BLOCK": params["block"], "VECS": params["vecs"]}
    found["WIDTH"] = width(op, params)
    if op == "copy":
        return found | {"STORE": ".cs"}
    found["LOAD"] = ".nc.L1::no_allocate" if float(device.arch) >= NO_L1_SINCE else ".nc"
    if op == "stride":
        found["STRIDE"] = params["stride"]
    if op == "gather":
        segment = params["segment_bytes"]
        count = bits(dtype, params["n"], segment)
        found |= {"SEGMENT": segment, "BITS": count, "SHIFT": shift(count)}
        found |= {
            name: f"{factor}u"
            for name, factor in zip(("FIRST_FACTOR", "SECOND_FACTOR"), FACTORS, strict=True)
        }
    return found


def audit(cubin: Cubin, op: str, dtype: str, params: Mapping[str, Any], work: Work) -> Audit:
    """The loop must hold just the loads (and stores) of the right width whose bytes are
    declared.
    """
    per_warp, kinds = width(op, params) * sass.WARP, "(LDG|STG)" if op == "copy" else "LDG"
    trips = chunks(op, dtype, params) * params["block"] / sass.WARP
    return sass.audit(
        cubin,
        sass.Spec(kinds + PER_WIDTH[width(op, params)], per_warp, trips),
        Work(flops=work.bytes),
    )


def build(op: str, device: Device, dtype: str, params: Mapping[str, Any]) -> Cubin:
    """The cubin of these params for this device."""
    return cuda.build(device, SOURCE, defines(device, op, dtype, params))


def prepare(op: str, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    audit(
        build(op, device, dtype, params), op, dtype, params, access_work.work(op, dtype, **params)
    )


def raw(
    op: str, device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
) -> cuda.CudaLaunch:
    """A launch of ``access.cu``; ``blocks`` (default: one for each chunk) stride over the array."""
    parts, n = chunks(op, dtype, params), params["n"]
    blocks = min(parts, params.get("blocks", parts))
    cubin = build(op, device, dtype, params)
    kernel = cuda.function(cubin.path, "access")
    buffers = _buffers(op, dtype, n, blocks, queue)
    arguments = (*(buffer.pointer for buffer in buffers), np.uint32(parts))
    _, target, sums = buffers

    def enqueue(repeat: int) -> None:
        for _ in range(repeat):
            kernel((blocks,), (params["block"],), arguments, stream=queue)

    def result() -> np.ndarray:
        if op == "copy":
            return target.download_at(*pattern.sample_starts(n, ITEMSIZE[dtype]))
        return np.array([sums.download().sum()])

    return cuda.CudaLaunch(
        queue, enqueue, buffers, result, lambda work: audit(cubin, op, dtype, params, work)
    )


def _buffers(op: str, dtype: str, n: int, blocks: int, queue: Stream) -> list[Buffer]:
    """Source, target (a copy's) and sums (a read's); what is not there takes an element."""
    sizes = (n, FLOATS[dtype]), (n if op == "copy" else 1, FLOATS[dtype]), (blocks, np.float64)
    with collected() as held:
        for count, kind in sizes:
            held.append(Buffer(count, kind, queue))
        held[0].fill(0, dtype)
    for buffer in held[1:]:
        buffer.poison()
    return held
