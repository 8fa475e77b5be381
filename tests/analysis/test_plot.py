"""A picture must show what was measured, and be readable: these look at lines and boxes, people at the rest."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from matplotlib.text import Text

from analysis.plot import figure, spread_out
from analysis.roofline import Roof, Roofline

COMPUTE = [
    ("fp8/wgmma_sp-fp32", 3.4e15), ("fp8/wgmma-fp32", 1.9e15), ("int8/wgmma-int32", 1.91e15),
    ("fp16/wgmma-fp32", 9.5e14), ("bf16/wgmma-fp32", 9.4e14), ("tf32/wgmma-fp32", 4.7e14),
    ("fp16/wmma-fp32", 6.5e14), ("fp16/mma-fp32", 6.6e14), ("fp64/mma", 6.6e13), ("int8", 1.33e14),
    ("fp16", 1.31e14), ("bf16", 1.305e14), ("fp32", 6.6e13), ("int32", 3.33e13), ("fp64", 3.34e13),
]  # fmt: skip
CROWDED = Roofline(
    tuple(Roof(f"compute/{t}", r, 1.05 * r, "FLOP/s", 0.95) for t, r in sorted(COMPUTE, key=lambda c: -c[1])),
    tuple(Roof(f"bandwidth/{t}", r, None, "B/s") for t, r in (("shared", 3.3e13), ("l2", 9e12), ("dram", 4.6e12))),
)
SIZES = [(8.0, 6.0), (9.0, 5.0), (19.2, 10.8)]


def drawn(model: Roofline, inches: tuple[float, float] = (9.0, 5.0)) -> Any:
    made = figure(model, [], "Device", "measured at 1.98 GHz", inches)
    made.canvas.draw()
    return made


def test_measured_roofs_are_where_they_were_measured() -> None:
    lines = drawn(CROWDED).axes[0].get_lines()
    solid = {round(line.get_ydata()[-1]) for line in lines if line.get_linestyle() == "-"}
    assert {round(rate) for _, rate in COMPUTE} <= solid
    slope = next(line for line in lines if line.get_gid() == "bandwidth/dram")
    assert all(y / x == pytest.approx(4.6e12) for x, y in zip(slope.get_xdata(), slope.get_ydata(), strict=True))


def test_theory_is_dashed_and_absent_where_unknown() -> None:
    one = Roofline((Roof("compute/fp32", 1e12, 1.1e12, "FLOP/s"),), (Roof("bandwidth/dram", 1e11, None, "B/s"),))
    dashed = [line for line in drawn(one).axes[0].get_lines() if line.get_linestyle() == "--"]
    assert [line.get_ydata()[-1] for line in dashed] == [1.1e12]


@pytest.mark.parametrize("inches", SIZES, ids=str)
def test_labels_of_roofs_never_collide_and_stay_on_the_page(inches: tuple[float, float]) -> None:
    made = drawn(CROWDED, inches)
    names = [t for t in made.axes[0].texts if t.get_text().startswith(("FP", "BF", "TF", "INT"))]
    boxes = [Text.get_window_extent(t) for t in names]  # of the words alone, without the line that ties them
    assert len(boxes) == len(COMPUTE)
    assert not [1 for a, b in combinations(boxes, 2) if a.overlaps(b)]
    page = made.bbox
    assert all(b.x0 >= 0 and b.x1 <= page.x1 and b.y0 >= 0 and b.y1 <= page.y1 for b in boxes)


def test_a_run_with_nothing_trustworthy_still_gives_a_picture() -> None:
    texts = [t.get_text() for t in drawn(Roofline((), ())).axes[0].texts]
    assert any("nothing trustworthy" in text for text in texts)


def test_spread_out_moves_only_what_overlaps() -> None:
    assert spread_out([100, 50, 0], 20) == [100, 50, 0]
    assert spread_out([100, 99, 98], 20) == [119, 99, 79]
    assert spread_out([100, 95, 70, 69], 20) == pytest.approx([113.5, 93.5, 73.5, 53.5])
