"""Round numbers for axes: two at the least, however little an axis spans."""

from __future__ import annotations

import pytest

from analysis.labels import round_numbers


def test_powers_of_the_base_come_first() -> None:
    assert round_numbers(0.2, 100.0, (4, 2), 2, 9) == [0.25, 1, 4, 16, 64]
    assert round_numbers(0.9, 2.1, (4, 2), 2, 9) == [1, 2]
    assert round_numbers(1.0, 1e6, (10,), 2, 4) == [1, 1e2, 1e4, 1e6]


@pytest.mark.parametrize("start", [1.0, 1.01, 1.6, 2.1, 3.3, 5.2, 7.1, 9.9])
def test_an_axis_of_less_than_one_octave_has_numbers(start: float) -> None:
    for low in (start, start * 1e-4, start * 1e9):
        found = round_numbers(low, 1.9 * low, (4, 2), 2, 9)
        assert 2 <= len(found) <= 9
        assert all(low <= number <= 1.9 * low for number in found)
