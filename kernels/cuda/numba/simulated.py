"""Plain Python on arrays, for Numba's simulator in place of the intrinsics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.cuda.numba.pieces import WIDTH, Pieces


def simulated(dtype: str) -> Pieces:
    """The pieces for this type, in plain Python."""
    kind, width = {"fp32": np.float32, "fp64": np.float64}[dtype], WIDTH[dtype]

    def load(array: Any, i: int) -> tuple[Any, ...]:
        return tuple(kind(v) for v in array[i * width : (i + 1) * width])

    def store(array: Any, i: int, values: Sequence[Any]) -> None:
        for k, value in enumerate(values):
            array[i * width + k] = value

    def advance(count: int, steps: int) -> Any:
        def steps_of(x: Sequence[Any], m: Any, c: Any) -> tuple[Any, ...]:
            for _ in range(steps):
                x = tuple(kind(v * m + c) for v in x)
            return tuple(x)

        return steps_of

    def put(count: int) -> Any:
        def store_all(out: Any, thread: int, threads: int, values: Sequence[Any]) -> None:
            for k, value in enumerate(values):
                out[k * threads + thread] = value

        return store_all

    def put_one(array: Any, i: int, value: Any) -> None:
        array[i] = value

    return Pieces(
        starts=lambda count: lambda: tuple(kind(1 + k / 1024) for k in range(count)),
        advance=advance,
        put=put,
        put_clock=put_one,
        cycles=lambda: 2,
        nanoseconds=lambda: 1,
        load=load,
        store=store,
        put_sum=put_one,
        scaled=lambda s, a: tuple(kind(s * v) for v in a),
        added=lambda a, b: tuple(kind(v + w) for v, w in zip(a, b, strict=True)),
        summed=sum,
        same=lambda v: (v,) * width,
    )
