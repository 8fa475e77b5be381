"""Independent chains of multiply-adds in registers: the arithmetic peak of one type.

Each chain computes ``x = x * m + c`` again and again. While the numbers are checked, ``m`` is
-0.99, so that the result tells how many steps were really done; while time is taken, ``m`` is -1
and the values alternate for ever, which neither overflows nor settles into a constant that costs
less power.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import Work
from kernels.formats import FORMATS, rounded

TIMED: dict[str, dict[str, Any]] = {
    **{name: {"m": -1.0, "c": 0.7} for name in ("fp64", "fp32", "fp16", "bf16")},
    "int32": {"m": 1664525, "c": 1013904223},  # a linear congruence: every bit keeps changing
    "int8": {
        "m": 0x04030201,
        "c": 0x08F90605,
    },  # four bytes each, those of m below 128: signed or not; the products add to 28
}
CHECKED = {"m": -0.99}
NOTHING = {"chains": 1, "steps": 1}  # params of a case that cannot run
TOLERANCE = {
    "fp64": 1e-12,
    "fp32": 1e-5,
    "bf16": 1e-5,
}  # the rest are exact: the reference rounds as hardware does


def work(
    dtype: str, chains: int, steps: int, threads: int, lanes: int = 1, products: int = 1, **_: Any
) -> Work:
    """One repetition: ``steps`` multiply-adds on every chain of every thread.

    lanes: values in one register. products: multiply-adds into each value, four for a dot product
    of bytes.
    """
    return Work(flops=2.0 * chains * steps * threads * lanes * products)


def reference(dtype: str, repeat: int, **params: Any) -> np.ndarray:
    """Values of all chains, shape (threads, chains * lanes); all threads compute the same."""
    dot = dtype == "bf16" and params.get("products", 1) == 2  # on CPUs, into single precision
    x = start(np.arange(params["chains"] * params.get("lanes", 1)), "fp32" if dot else dtype)
    step = _dot2 if dot else STEP[dtype]
    for _ in range(repeat * params["steps"]):
        x = step(x, params["m"], params["c"])
    return np.tile(x, (params["threads"], 1))


def start(index: Any, dtype: str) -> Any:
    """Start value of a chain's lane; all of a thread differ, or a compiler could merge them."""
    if dtype.startswith("int"):
        return index + 1
    return 1.0 + index / (128.0 if dtype == "bf16" else 1024.0)


def _half(x: Any, m: float, c: float) -> Any:
    """One rounding to half precision; products and sums of halves are exact in double."""
    return (x * float(np.float16(m)) + float(np.float16(c))).astype(np.float16).astype(np.float64)


def _bf16(value: float) -> float:
    return float(rounded("bf16", np.array([value]))[0])


def _bfloat(x: Any, m: float, c: float) -> Any:
    return rounded("bf16", x * _bf16(m) + _bf16(c))


def bfloat16_pair(value: float) -> int:
    """The bits of ``value`` as bfloat16, twice in one word."""
    return int(FORMATS["bf16"].encode(np.array([value]))[0]) * 0x10001


def _int32(x: Any, m: int, c: int) -> Any:
    return (x.astype(np.int64) * m + c).astype(np.int32)


def _bytes(packed: int) -> np.ndarray:
    return np.array([packed], np.uint32).view(np.int8).astype(np.int64)


def _dot4(x: Any, m: int, c: int) -> Any:
    return (x.astype(np.int64) + int(_bytes(m) @ _bytes(c))).astype(np.int32)


def _dot2(x: Any, m: float, c: float) -> Any:
    """Both products of a pair are the same here; the sum is in single precision."""
    return (x + 2 * _bf16(m) * _bf16(c)).astype(np.float32).astype(np.float64)


def _plain(x: Any, m: float, c: float) -> Any:
    return x * m + c


STEP: dict[str, Callable[..., Any]] = {
    "fp64": _plain,
    "fp32": _plain,  # in double: the tolerance covers the roundings
    "fp16": _half,
    "bf16": _bfloat,
    "int32": _int32,
    "int8": _dot4,
}
