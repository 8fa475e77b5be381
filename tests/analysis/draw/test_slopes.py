"""Names along the slopes among points, where nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from analysis.draw.canvas import covered, roofs_and_names
from analysis.draw.labels import Box
from analysis.draw.layers.axes import axes
from analysis.draw.layers.numbers import number_beside
from analysis.draw.slopes import names_among_points
from analysis.model.roofline import Roof, Roofline

SLOPES = (Roof("bandwidth/l2", 385e9, None, "B/s"), Roof("bandwidth/dram", 48e9, None, "B/s"))
ROOFS = Roofline(
    (Roof("compute/int8", 2.1e12, None, "OP/s"), Roof("compute/fp32", 5e11, None, "FLOP/s")), SLOPES
)


def empty(roofs: Roofline = ROOFS, left: float = 0.01) -> Any:
    """Axes of these roofs from this intensity on."""
    ax, _ = axes(Figure((9.6, 5.6), dpi=100), Box(0.1, 0.8, 9.0, 4.8), roofs, [])
    assert ax is not None
    ax.set_xlim(left, 1000)
    ax.set_ylim(left * 20e9, 4e12)
    return ax


def boxes(ax: Any, gid: str) -> list[Box]:
    """Small boxes over the name along this slope."""
    lines, others = list(ax.get_lines()), [text for text in ax.texts if text.get_gid() != gid]
    for each in (*lines, *others):
        each.remove()
    return roofs_and_names(ax)


def over(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


@pytest.mark.parametrize("tag", ["l2", "dram"])
def test_a_name_stands_clear_of_points_on_its_slope(tag: str) -> None:
    ax = empty()
    rate = next(roof.rate for roof in SLOPES if roof.tag.endswith(tag))
    points = covered(
        ax,
        [(x, x * rate * f) for x in (0.02, 0.05, 0.1, 0.2) for f in (0.3, 0.6, 1, 1.5)],
        joined=False,
    )
    names_among_points(ax, SLOPES, points)
    name = boxes(ax, f"bandwidth/{tag}/name")
    assert name
    assert not any(over(a, b) for a in name for b in points)


def test_a_name_too_long_for_its_slope_gives_up_its_rate_and_crosses_no_roof() -> None:
    ax = empty(left=4.8)
    names_among_points(ax, SLOPES, [])
    text = next(text for text in ax.texts if text.get_gid() == "bandwidth/l2/name")
    _, roof = ax.transData.transform((1, 2.1e12))
    assert text.get_text() == "L2"
    assert all(top < roof for _, _, _, top in boxes(ax, "bandwidth/l2/name"))
    assert text.get_position()[0] > 4.8


def test_every_point_of_a_crowd_has_its_number_and_a_far_one_is_tied() -> None:
    ax = empty()
    spots = [(1 + 0.05 * i, 1e10 * (1 + 0.05 * i)) for i in range(16)]
    taken = covered(ax, spots, 3.0)
    before = list(taken)
    for spot in spots:
        number_beside(ax, "640", spot, "#000000", taken)
    numbers = [text for text in ax.texts if text.get_gid() == "end"]
    placed = taken[len(before) :]
    assert len(numbers) == len(spots)
    assert not any(
        over(box, other) for i, box in enumerate(placed) for other in [*before, *placed[:i]]
    )
    assert {text.arrow_patch is None for text in numbers} == {True, False}
