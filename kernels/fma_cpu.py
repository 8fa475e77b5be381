"""Multiply-add chains on the CPU's vector units: the most arithmetic a core can issue."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from kernels.asm import Spec
from kernels.base import ITEMSIZE
from kernels.cpu import (
    CpuLaunch,
    Native,
    Vector,
    compile_kernel,
    load_argument,
    loop,
    multiply_add,
    pack,
    splat,
    vector,
)
from kernels.fma import start

STEPS = 8  # multiply-adds of each chain in one trip of the loop: 128 for 16 chains, so the loop costs nothing
FLOATS = {"fp32": np.float32, "fp64": np.float64}


def shape(features: tuple[str, ...], dtype: str) -> dict[str, int]:
    """The params that fill this core: chains, lanes and steps."""
    unit = vector(features)
    return {"chains": unit.chains, "lanes": unit.lanes(ITEMSIZE[dtype]), "steps": STEPS}


def build(device: Any, dtype: str, params: Mapping[str, Any], queue: Any) -> CpuLaunch:
    """A launch of ``threads`` x ``chains`` x ``lanes`` chains; each thread writes its chains' values."""
    chains, lanes, threads = params["chains"], params["lanes"], params["threads"]
    native = _native(vector(device.features), dtype, chains, lanes, params["steps"])
    out = np.zeros((threads, chains * lanes), FLOATS[dtype])
    rows = [pack([row.ctypes.data, float(params["m"]), float(params["c"])], dtype) for row in out]
    pattern = r"v?f?n?m(add|sub|la|ls)|vfn?m(add|sub)\d+p[sd]|v?mulp[sd]"
    per_128 = 2 * 128 / 8 / ITEMSIZE[dtype]
    return CpuLaunch(native, rows, queue, [out], lambda held: held[0], Spec(pattern, per_128, threads))


@cache
def _native(unit: Vector, dtype: str, chains: int, lanes: int, steps: int) -> Native:
    def emit(builder: Any, arguments: Any, repeat: Any) -> None:
        _loop(builder, arguments, repeat, unit, dtype, chains, lanes, steps)

    return compile_kernel(emit)


def _loop(b: Any, arguments: Any, repeat: Any, unit: Vector, dtype: str, chains: int, lanes: int, steps: int) -> None:
    """``repeat`` trips of ``steps`` multiply-adds on each of ``chains`` registers, then store them all."""
    from llvmlite import ir

    scalar = ir.FloatType() if dtype == "fp32" else ir.DoubleType()
    kind = ir.VectorType(scalar, lanes)
    m = splat(b, load_argument(b, arguments, 1, scalar), lanes)
    c = splat(b, load_argument(b, arguments, 2, scalar), lanes)

    def trip(_: Any, values: Any) -> Any:
        for _ in range(steps):
            values = [multiply_add(b, x, m, c, unit.fma) for x in values]
        return values

    starts = [ir.Constant(kind, [start(k * lanes + lane, dtype) for lane in range(lanes)]) for k in range(chains)]
    last = loop(b, repeat, 1, starts, trip)
    out = load_argument(b, arguments, 0, kind.as_pointer())
    for number, value in enumerate(last):
        store = b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), number)]))
        store.align = ITEMSIZE[dtype]
