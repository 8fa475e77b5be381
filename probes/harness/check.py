"""Check a launch before it is timed: its numbers by NumPy, its machine code by its work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from kernels.base import Appeal, Audit, Fault, Launch
from probes.harness.case import Case

STANDS_FOR_INFINITY = 1e30
"""Masks hold the lowest number there is, or one near it, where they mean minus infinity."""


class Failure(Exception):
    """A case failed: the reason, in one line."""


@dataclass(frozen=True)
class Verdict:
    """The fault of a library in the numbers of a case that may be timed; empty if there is none."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    """``{fault: {values, of, error}}``, for the row's params."""
    note: str = ""
    """The same in words."""


SOUND = Verdict()
"""The numbers are right."""


def check(case: Case, launch: Launch) -> Verdict:
    """Run a launch on checkable operands and compare its result with the reference.

    A result that is wrong through the known fault of a library alone passes, with a verdict that
    says so. Raises Failure with the arithmetic for any other that is wrong.
    """
    kernel = case.kernel
    tolerance = kernel.tolerance.get(case.dtype, 0.0)
    launch.run(kernel.check_repeat)
    result = launch.result()
    params = {**case.params, **kernel.check_params}
    expected = kernel.reference(case.dtype, kernel.check_repeat, **params)
    problem = difference(result, expected, tolerance)
    if not problem:
        return SOUND
    for appeal in kernel.appeals(case.dtype, result, expected):
        if _holds(appeal, tolerance):
            fault = _fault(result, expected, tolerance)
            return Verdict({appeal.fault: asdict(fault)}, appeal.words(fault))
    raise Failure(f"{kernel.name}/{case.backend} {case.dtype}: {problem}")


def _holds(appeal: Appeal, tolerance: float) -> bool:
    """True if both arrays of every pair of this appeal agree."""
    for with_fault, without_fault in appeal.pairs:
        if difference(with_fault, without_fault, tolerance):
            return False
    return True


def difference(result: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    """Where and by how much ``result`` differs from ``expected``, or nothing.

    tolerance: in parts of the largest magnitude expected. Equal infinities are equal, and so is NaN
    where NaN is expected.
    """
    if result.shape != expected.shape:
        return f"the result has shape {result.shape}, should be {expected.shape}"
    error, largest = _errors(result, expected)
    right = error <= tolerance * largest
    if right.all():
        return ""
    wrong = ~right
    first_wrong = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ", ".join(map(str, first_wrong))
    return (
        f"out[{place}] is {result[first_wrong]:.9g}, should be {expected[first_wrong]:.9g} "
        f"(tolerance {tolerance:g}); {int(wrong.sum())} of {wrong.size} values are wrong"
    )


def _fault(result: np.ndarray, expected: np.ndarray, tolerance: float) -> Fault:
    """How far a result is from its reference."""
    if result.shape != expected.shape:
        return Fault(result.size, result.size, None)
    error, largest = _errors(result, expected)
    right = error <= tolerance * largest  # a NaN is not right
    wrong = int((~right).sum())
    finite = error[np.isfinite(error)]
    return Fault(wrong, error.size, float(finite.max(initial=0)) / largest)


def _errors(result: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, float]:
    """The distance of every value from its reference, and the magnitude to compare it with.

    That is the largest finite magnitude of the reference, above zero. Values near the end of FP32,
    which stand for infinity in masks, do not count as the largest: any other value would pass
    beside them. Their own distance is scaled to what counts.
    """
    both_fp32 = result.dtype == expected.dtype == np.float32
    dtype = np.float32 if both_fp32 else np.float64
    tiny = np.finfo(np.float64).tiny  # FP64 in NumPy, too: an FP32 array scaled by it is widened
    finite: Any = True
    with np.errstate(all="ignore"):
        # One array, then changed in place: a layer may answer with some 100 MB.
        error = np.subtract(result, expected, dtype=dtype)
        np.abs(error, out=error)
        if not np.isfinite(error).all():
            finite = np.isfinite(expected)
            both_nan = np.isnan(result) & np.isnan(expected)
            error[(result == expected) | both_nan] = 0
        largest = _largest(expected, finite)
        if largest >= STANDS_FOR_INFINITY:
            ordinary = finite & (np.abs(expected) < STANDS_FOR_INFINITY)
            largest = max(_largest(expected, ordinary), tiny)
            scaled = error / np.abs(expected) * largest
            error = np.where(finite & ~ordinary, scaled, error)
    return error, max(largest, tiny)


def _largest(values: np.ndarray, where: Any) -> float:
    """The largest magnitude of the values where ``where`` is true; 0 if there is none."""
    highest = float(values.max(initial=0, where=where))
    lowest = float(values.min(initial=0, where=where))
    return max(highest, -lowest)


def check_code(launch: Launch, case: Case, verdict: Verdict = SOUND) -> Audit:
    """Check that the machine code of a launch does the work of its case.

    Returns what it holds, with the verdict on its numbers. Raises Failure if it does other work.
    """
    audit = launch.audit(case.kernel.work(case.dtype, **case.params))
    if audit.problem:
        raise Failure(f"{case.kernel.name}/{case.backend} {case.dtype}: {audit.problem}")
    notes = filter(None, (verdict.note, audit.note))
    return replace(audit, note="; ".join(notes), facts={**audit.facts, **verdict.facts})
