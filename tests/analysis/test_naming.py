"""What people call what a row speaks of."""

from __future__ import annotations

from analysis.naming import name_of_row
from tests.devices import measurement


def test_a_point_is_called_by_its_place_and_a_step_by_its_name() -> None:
    point = measurement("sweep/bandwidth/working-set/read", x=4096.0)
    step = measurement("sweep/overhead/step/decode", x=1.0)
    assert name_of_row(point) == "read over working set, at 4 KiB"
    assert name_of_row(step) == "decode"
