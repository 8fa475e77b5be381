"""Where and by how much a result differs is told; what cannot be compared never passes."""

from __future__ import annotations

import numpy as np
import pytest

from probes.harness.check import difference

RIGHT = np.array([1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (np.array([1.0, np.nan, 4.0]), "out[1] is nan"),
        (np.array([1.0, 2.0]), "shape (2,), should be (3,)"),
        (RIGHT * (1 + 1.5e-6), "out[2]"),
        (RIGHT, ""),
        (RIGHT * (1 + 0.5e-6), ""),
    ],
)
def test_differences_are_found_and_named(found: np.ndarray, message: str) -> None:
    problem = difference(found, RIGHT, 1e-6)
    assert message in problem if message else not problem
