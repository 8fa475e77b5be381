"""Numbers as people read them."""

from __future__ import annotations

import pytest

from analysis.units import short


@pytest.mark.parametrize(
    ("value", "text"),
    [(1060.4, "1060"), (0.5, "0.5"), (0.12345, "0.123"), (-0.0, "0"), (-0.25, "-0.25"), (0.0, "0")],
)
def test_three_digits_and_no_negative_zero(value: float, text: str) -> None:
    assert short(value) == text
