"""Pieces of device memory fetched by few calls: none left out, none out of order."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.cuda.memory import evenly
from kernels.pattern import sample_starts

WIDTH = 64  # elements of a piece that a check looks at


@pytest.mark.parametrize("n", [WIDTH, 100, 129, 1000, 10**6, 1 << 28])
def test_the_pieces_a_check_looks_at_are_two_runs(n: int) -> None:
    starts, width = sample_starts(n, 8)
    runs = list(evenly(starts, width))
    assert len(runs) <= 2
    covered: list[int] = []
    for run, step in runs:
        pieces = np.arange(run.stop - run.start)
        covered += (starts[run.start] + step * pieces).tolist()
    assert covered == starts.tolist()
    assert all(step >= width for _, step in runs), "rows of one copy may not overlap"


def test_pieces_that_lie_unevenly_are_runs_of_their_own() -> None:
    assert list(evenly(np.array([9, 5, 0, 8, 16, 17]), 4)) == [
        (slice(0, 1), 4),
        (slice(1, 2), 4),
        (slice(2, 5), 8),
        (slice(5, 6), 4),
    ]
