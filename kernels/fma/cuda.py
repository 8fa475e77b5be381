"""Multiply-add chains on CUDA cores: the launch of ``fma.cu``, and of its twin in Numba."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kernels.fma.work as fma_work
from kernels.cuda import launch as cuda
from kernels.cuda import sass
from kernels.cuda.memory import Buffer, Stream, collected
from kernels.device import Device
from kernels.fma.work import bfloat16_pair

SOURCE = Path(__file__).with_name("fma.cu")
BLOCK = 512
THREADS_PER_SM = 1024  # where the device does not say: every architecture holds as many
CLOCKS_PER_BLOCK = 2  # cycles and nanoseconds
FULL_RATE_OVERHEAD = 0.008  # of the issue slots


@dataclass(frozen=True)
class Type:
    """One scalar type: how the registers of ``fma.cu`` look from outside, and what it must become.

    operand: type of the kernel's ``m`` and ``c``; seen: how an output register is read; opcode: the
    instruction; lanes, products: as in ``fma.work``; since: first compute capability that has it;
    trip: instructions of a thread in one trip of the loop, so many that the loop's own are below
    FULL_RATE_OVERHEAD.
    """

    operand: Any
    seen: Any
    opcode: str
    lanes: int = 1
    products: int = 1
    since: float = 5.0
    chains: int = 8
    trip: int = 1024


TYPES = {
    "fp64": Type(np.float64, np.float64, "DFMA"),
    "fp32": Type(np.float32, np.float32, "FFMA"),
    "fp16": Type(np.uint32, np.float16, r"HFMA2(\.MMA)?$", lanes=2, since=5.3, trip=2048),
    "bf16": Type(np.uint32, np.uint16, r"HFMA2(\.MMA)?\.BF16", lanes=2, since=8.0, trip=2048),
    "int32": Type(np.int32, np.int32, r"IMAD$|XMAD"),
    "int8": Type(np.int32, np.int32, r"IDP\.4A", products=4, since=6.1),
}


def missing(device: Device, dtype: str) -> str:
    """Why this device has no multiply-add of this type, or nothing."""
    since = TYPES[dtype].since
    return (
        f"sm_{cuda.sm(device)} has no {dtype} multiply-add (since {since})"
        if float(device.arch) < since
        else ""
    )


def shape(device: Device, dtype: str) -> dict[str, int]:
    """Params of one wave of blocks that fills the device."""
    row = TYPES[dtype]
    blocks_per_sm = (device.facts.get("threads_per_multiprocessor") or THREADS_PER_SM) // BLOCK
    return {
        "chains": row.chains,
        "steps": row.trip // row.chains,
        "threads": device.units * blocks_per_sm * BLOCK,
        "block": BLOCK,
        "blocks_per_sm": blocks_per_sm,
        "lanes": row.lanes,
        "products": row.products,
    }


def operand(dtype: str, value: float) -> Any:
    """A multiplier or addend as the kernel takes it: packed twice for types of two lanes."""
    if dtype == "fp16":
        return np.uint32(int(np.float16(value).view(np.uint16)) * 0x10001)
    if dtype == "bf16":
        return np.uint32(bfloat16_pair(value))
    return TYPES[dtype].operand(value)


def decode(dtype: str, registers: np.ndarray, threads: int, chains: int) -> np.ndarray:
    """Registers [chain][thread] as numbers of shape (threads, chains * lanes)."""
    row = TYPES[dtype]
    seen = registers.view(row.seen)
    if dtype == "bf16":
        seen = (seen.astype(np.uint32) << 16).view(np.float32)
    return (
        seen.reshape(chains, threads, row.lanes)
        .transpose(1, 0, 2)
        .reshape(threads, chains * row.lanes)
    )


def spec(dtype: str, params: Mapping[str, Any]) -> sass.Spec:
    """What the hot loop must hold."""
    row = TYPES[dtype]
    per_warp = 2 * row.lanes * row.products * sass.WARP
    return sass.Spec(row.opcode, per_warp, params["threads"] / sass.WARP, FULL_RATE_OVERHEAD)


def defines(dtype: str, params: Mapping[str, Any]) -> dict[str, object]:
    """Macros of ``fma.cu`` for these params."""
    kind = {f"KIND_{dtype.upper()}": 1}
    names = ("chains", "steps", "block", "blocks_per_sm")
    return kind | {name.upper(): params[name] for name in names}


def prepare(device: Device, dtype: str, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    sass.audit(
        cuda.build(device, SOURCE, defines(dtype, params)),
        spec(dtype, params),
        fma_work.work(dtype, **params),
    )


def raw(device: Device, dtype: str, params: Mapping[str, Any], queue: Stream) -> cuda.CudaLaunch:
    """A launch of ``fma.cu``; one launch does all repetitions."""
    chains, block, threads = params["chains"], params["block"], params["threads"]
    cubin = cuda.build(device, SOURCE, defines(dtype, params))
    kernel = cuda.function(cubin.path, "chains")
    out, clocks = buffers(dtype, params, queue)
    operands = operand(dtype, params["m"]), operand(dtype, params["c"])

    def enqueue(repeat: int) -> None:
        arguments = (out.pointer, clocks.pointer, np.int32(repeat), *operands)
        kernel((threads // block,), (block,), arguments, stream=queue)

    return cuda.CudaLaunch(
        queue,
        enqueue,
        [out],
        lambda: decode(dtype, out.download(), threads, chains),
        lambda work: sass.audit(cubin, spec(dtype, params), work),
        clocks,
    )


def buffers(dtype: str, params: Mapping[str, Any], queue: Stream) -> tuple[Buffer, Buffer]:
    """Room for the values of all chains, poisoned, and for two clocks of each block."""
    blocks = params["threads"] // params["block"]
    with collected() as held:
        held.append(Buffer(params["chains"] * params["threads"], TYPES[dtype].operand, queue))
        held.append(Buffer(CLOCKS_PER_BLOCK * blocks, np.uint64, queue))
        held[0].poison()
    return held[0], held[1]
