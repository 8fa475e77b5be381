"""Slow arithmetic: what a unit does at a fraction of its multiply-adds' rate.

Each chain applies one operation to its own value again and again. Of a function ``f`` the step is
``x = f(x) * m + c``: ``m`` makes the slope at the centre -0.97, so that a value neither settles
nor overflows while numbers are checked, and tells how many steps were really done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.base import Work

SLOPE = -0.97
"""Slope of a step at its centre: small differences from it turn around and hardly shrink."""
NEARBY = 1 / 16
"""The largest distance of a start value from the centre."""
LANES_OF_WARP = 32
NOTHING = {"chains": 1, "steps": 1, "threads": 1}
"""Params of a case that cannot run."""


@dataclass(frozen=True)
class Operation:
    """One slow operation, and what is computed to time it."""

    name: str
    """``exp2``: the path of its tag."""
    dtype: str
    """Type of its results: the subject of its tag."""
    step: Callable[[Any, Any, Any], Any]
    """``step(x, m, c)`` in NumPy: values by lane and chain, the next ones out."""
    m: float
    c: float
    centre: float = 0.0
    """Around which the start values lie, for floats."""
    tolerance: float = 0.0
    """Largest difference from the reference, over the largest value; 0 means exact."""
    results: int = 1
    """Results of the operation in one step."""
    needed: bool = False
    """True if layers need it, so that plain runs ask it: others are for ``--full``."""
    in_bits: bool = False
    """True if a chain's value is 32 bits, taken as a whole number."""

    def start(self, lanes: int, chains: int) -> np.ndarray:
        """Start values [lane, chain]; they differ, or a compiler could merge the chains.

        Only those of bits differ between lanes, too, for what exchanges them.
        """
        chain = np.arange(chains)
        if not self.in_bits:
            return np.tile(self.centre + NEARBY * (chain + 1) / chains, (lanes, 1))
        of_chain = chain.astype(np.uint32) * np.uint32(0x01234567) + np.uint32(77)
        return of_chain + np.arange(lanes, dtype=np.uint32)[:, None]

    def constants(self) -> tuple[Any, Any]:
        """``m`` and ``c`` as a step takes them."""
        if self.in_bits:
            return np.uint32(self.m), np.uint32(self.c)
        return self.m, self.c


def of_function(
    name: str,
    function: Callable[[Any], Any],
    centre: float,
    slope: float,
    *,
    dtype: str = "fp32",
    tolerance: float = 1e-4,
    needed: bool = False,
) -> Operation:
    """The operation of a function of floats with this slope at this centre."""
    m = SLOPE / slope
    c = centre - m * float(function(centre))
    step = _stepping(function)
    return Operation(name, dtype, step, m, c, centre, tolerance, needed=needed)


def _stepping(function: Callable[[Any], Any]) -> Callable[[Any, Any, Any], Any]:
    def step(x: Any, m: Any, c: Any) -> Any:
        return function(x) * m + c

    return step


def quotient(x: Any, m: Any, c: Any) -> Any:
    """``m / x + c``: a division by the value."""
    return m / x + c


def division(name: str, *, dtype: str = "fp32", tolerance: float = 1e-4, needed: bool) -> Operation:
    """Division by the value of the chain, whose slope at 1 is -m."""
    return Operation(name, dtype, quotient, -SLOPE, 1 + SLOPE, 1.0, tolerance, needed=needed)


def work(
    dtype: str, chains: int, steps: int, threads: int, lanes: int = 1, results: int = 1, **_: Any
) -> Work:
    """One repetition: ``steps`` steps on every chain of every thread, in results.

    lanes: values in one register of a chain. results: of one step on a value.
    """
    return Work(flops=float(chains * lanes * steps * threads * results))


def reference(operation: Operation, repeat: int, params: dict[str, Any], lanes: int) -> np.ndarray:
    """Values of all chains, shape (threads, chains)."""
    x = operation.start(lanes, params["chains"])
    m, c = operation.constants()
    with np.errstate(over="ignore"):
        for _ in range(repeat * params["steps"]):
            x = operation.step(x, m, c)
    return np.tile(x, (params["threads"] // lanes, 1))
