"""Independent chains of multiply-adds in registers: the arithmetic peak of one type.

Each chain computes ``x = x * m + c`` again and again. While the numbers are checked, ``m`` is
-0.99, so that the result tells how many steps were really done; while time is taken, ``m`` is -1
and the values alternate for ever, which neither overflows nor settles into a constant that costs
less power.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.base import Work
from kernels.formats import FORMATS, rounded

TIMED: dict[str, dict[str, Any]] = {
    **{name: {"m": -1.0, "c": 0.7} for name in ("fp64", "fp32", "fp16", "bf16")},
    "int32": {"m": 1664525, "c": 1013904223},  # a linear congruence: every bit keeps changing
    # four bytes each; those of m are below 128, so that they are the same signed or not; the
    # products add up to 28
    "int8": {"m": 0x04030201, "c": 0x08F90605},
}
"""Factor and addend of each type while time is taken."""
CHECKED = {"m": -0.99}
"""The factor while numbers are checked."""
BYTES_OF_A_WORD = 4
NOTHING = {"chains": 1, "steps": 1}
"""Params of a case that cannot run."""
TOLERANCE = {"fp64": 1e-12, "fp32": 1e-5, "bf16": 1e-5}
"""The other types are exact: the reference rounds as hardware does."""


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
    lanes = np.arange(params["chains"] * params.get("lanes", 1))
    products = params.get("products", 1)
    step: Callable[..., Any]
    if dtype == "bf16" and products > 1:  # on CPUs; it adds in single precision
        x, step = start(lanes, "fp32"), partial(_dot_of_bfloats, products)
    elif dtype == "int8":
        x, step = start(lanes, dtype), partial(_dot_of_bytes, products)
    else:
        x, step = start(lanes, dtype), STEP[dtype]
    for _ in range(repeat * params["steps"]):
        x = step(x, params["m"], params["c"])
    return np.tile(x, (params["threads"], 1))


def start(index: Any, dtype: str) -> Any:
    """Start value of a lane. Those of a thread differ, or a compiler could merge its chains."""
    if dtype.startswith("int"):
        return index + 1
    return 1.0 + index / (128.0 if dtype == "bf16" else 1024.0)


def _half_step(x: Any, m: float, c: float) -> Any:
    """One rounding to half precision; products and sums of halves are exact in double."""
    exact = x * float(np.float16(m)) + float(np.float16(c))
    return exact.astype(np.float16).astype(np.float64)


def _bf16(value: float) -> float:
    return float(rounded("bf16", np.array([value]))[0])


def _bfloat_step(x: Any, m: float, c: float) -> Any:
    """One rounding to bfloat16."""
    return rounded("bf16", x * _bf16(m) + _bf16(c))


def bfloat16_pair(value: float) -> int:
    """The bits of ``value`` as bfloat16, twice in one word."""
    return int(FORMATS["bf16"].encode(np.array([value]))[0]) * 0x10001


def _int32_step(x: Any, m: int, c: int) -> Any:
    """Modulo 2**32."""
    return (x.astype(np.int64) * m + c).astype(np.int32)


def _bytes(packed: int) -> np.ndarray:
    """The four signed bytes of a word."""
    return np.array([packed], np.uint32).view(np.int8).astype(np.int64)


def _dot_of_bytes(products: int, x: Any, m: int, c: int) -> Any:
    """So many products of bytes are added to each value, modulo 2**32: those of a word repeat."""
    added = products // BYTES_OF_A_WORD * int(_bytes(m) @ _bytes(c))
    return (x.astype(np.int64) + added).astype(np.int32)


def _dot_of_bfloats(products: int, x: Any, m: float, c: float) -> Any:
    """Equal products of bfloat16 are added to each value, in single precision."""
    exact = x + products * _bf16(m) * _bf16(c)
    return exact.astype(np.float32).astype(np.float64)


def _double_step(x: Any, m: float, c: float) -> Any:
    """In double precision."""
    return x * m + c


STEP: dict[str, Callable[..., Any]] = {
    "fp64": _double_step,
    "fp32": _double_step,  # the tolerance covers the roundings to single
    "fp16": _half_step,
    "bf16": _bfloat_step,
    "int32": _int32_step,
}
"""One multiply-add of the types that do one at a time."""
