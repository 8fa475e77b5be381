"""Hold what a launch computed against NumPy, and its machine code against the declared work, before it is timed."""

from __future__ import annotations

import numpy as np

from kernels.base import Audit, Launch
from probes.harness.case import Case


class Failure(Exception):
    """A case failed: the reason, in one line."""


def check(case: Case, launch: Launch) -> None:
    """Run a launch on checkable operands and compare; raises Failure with the arithmetic."""
    kernel = case.kernel
    launch.run(kernel.check_repeat)
    expected = kernel.reference(case.dtype, kernel.check_repeat, **{**case.params, **kernel.check_params})
    if problem := difference(launch.result(), expected, kernel.tolerance.get(case.dtype, 0.0)):
        raise Failure(f"{kernel.name}/{case.backend} {case.dtype}: {problem}")


def difference(found: np.ndarray, expected: np.ndarray, tolerance: float) -> str:
    """Where and by how much ``found`` differs from ``expected``, or nothing. NaN always differs."""
    if found.shape != expected.shape:
        return f"the result has shape {found.shape}, should be {expected.shape}"
    kind = np.float32 if found.dtype == expected.dtype == np.float32 else np.float64
    error = np.subtract(found, expected, dtype=kind)  # in place from here: a layer may answer with some 100 MB
    np.abs(error, out=error)
    largest = max(float(expected.max(initial=0)), -float(expected.min(initial=0)))
    right = error <= tolerance * max(largest, np.finfo(np.float64).tiny)
    if right.all():
        return ""
    wrong = ~right
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ", ".join(map(str, at))
    return (
        f"out[{place}] is {found[at]:.9g}, should be {expected[at]:.9g} (tolerance {tolerance:g}); "
        f"{int(wrong.sum())} of {wrong.size} values are wrong"
    )


def audited(launch: Launch, case: Case) -> Audit:
    """What the machine code of this launch holds. Raises Failure where that is not the work it should do."""
    audit = launch.audit(case.kernel.work(case.dtype, **case.params))
    if audit.problem:
        raise Failure(f"{case.kernel.name}/{case.backend} {case.dtype}: {audit.problem}")
    return audit
