"""Hold what a launch computed against NumPy, and its machine code against the declared work, before
it is timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from kernels.base import Audit, Fault, Launch
from probes.harness.case import Case

STANDS_FOR_INFINITY = 1e30
"""Masks hold the lowest number there is, or one near it, where they mean minus infinity."""


class Failure(Exception):
    """A case failed: the reason, in one line."""


@dataclass(frozen=True)
class Verdict:
    """What the check of a case that may be timed found: nothing, or a fault of a library that its
    row tells.

    facts: ``{fault: {values, of, error}}``, for the row's params. note: the same in words.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


SOUND = Verdict()


def check(case: Case, launch: Launch) -> Verdict:
    """Run a launch on checkable operands and compare; raises Failure with the arithmetic.

    A result that is wrong through the known fault of a library alone passes with a verdict that
    says so.
    """
    kernel = case.kernel
    tolerance = kernel.tolerance.get(case.dtype, 0.0)
    launch.run(kernel.check_repeat)
    found = launch.result()
    expected = kernel.reference(
        case.dtype, kernel.check_repeat, **{**case.params, **kernel.check_params}
    )
    problem = difference(found, expected, tolerance)
    if not problem:
        return SOUND
    for appeal in kernel.appeals(case.dtype, found, expected):
        if not any(difference(*pair, tolerance) for pair in appeal.pairs):
            fault = _fault(found, expected, tolerance)
            return Verdict({appeal.fault: asdict(fault)}, appeal.words(fault))
    raise Failure(f"{kernel.name}/{case.backend} {case.dtype}: {problem}")


def difference(found: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    """Where and by how much ``found`` differs from ``expected``, or nothing. Equal infinities are
    equal, and so is NaN where NaN is expected."""
    if found.shape != expected.shape:
        return f"the result has shape {found.shape}, should be {expected.shape}"
    error, largest = _errors(found, expected)
    right = error <= tolerance * largest
    if right.all():
        return ""
    wrong = ~right
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ", ".join(map(str, at))
    return (
        f"out[{place}] is {found[at]:.9g}, should be {expected[at]:.9g} (tolerance {tolerance:g}); "
        f"{int(wrong.sum())} of {wrong.size} values are wrong"
    )


def _fault(found: np.ndarray, expected: np.ndarray, tolerance: float) -> Fault:
    """How far a result is from its reference."""
    if found.shape != expected.shape:
        return Fault(found.size, found.size, None)
    error, largest = _errors(found, expected)
    wrong = int((~(error <= tolerance * largest)).sum())
    finite = error[np.isfinite(error)]
    return Fault(wrong, error.size, float(finite.max(initial=0)) / largest)


def _errors(found: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, float]:
    """The distance of every value from its reference, and the largest finite magnitude of the
    reference, above zero.

    Values near the end of FP32, which stand for infinity in masks, do not count as the largest: any
    other value would pass beside them. Their own distance is scaled to what counts.
    """
    kind = np.float32 if found.dtype == expected.dtype == np.float32 else np.float64
    finite: Any = True
    with np.errstate(all="ignore"):
        error = np.subtract(
            found, expected, dtype=kind
        )  # in place from here: a layer may answer with some 100 MB
        np.abs(error, out=error)
        if not np.isfinite(error).all():
            finite = np.isfinite(expected)
            error[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0
        largest = _largest(expected, finite)
        if largest >= STANDS_FOR_INFINITY:
            ordinary = finite & (np.abs(expected) < STANDS_FOR_INFINITY)
            within = max(_largest(expected, ordinary), np.finfo(np.float64).tiny)
            error = np.where(finite & ~ordinary, error / np.abs(expected) * within, error)
            largest = within
    return error, max(largest, np.finfo(np.float64).tiny)


def _largest(values: np.ndarray, where: Any) -> float:
    """The largest magnitude among some values; 0 if there is none."""
    return max(
        float(values.max(initial=0, where=where)), -float(values.min(initial=0, where=where))
    )


def audited(launch: Launch, case: Case, verdict: Verdict = SOUND) -> Audit:
    """What the machine code of this launch holds, and what its check found.

    Raises Failure where that is not the work it should do.
    """
    audit = launch.audit(case.kernel.work(case.dtype, **case.params))
    if audit.problem:
        raise Failure(f"{case.kernel.name}/{case.backend} {case.dtype}: {audit.problem}")
    notes = filter(None, (verdict.note, audit.note))
    return replace(audit, note="; ".join(notes), facts={**audit.facts, **verdict.facts})
