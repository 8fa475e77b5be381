"""Names along the slopes among points, where nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from analysis.draw.canvas import covered, roofs_and_names
from analysis.draw.labels import Box
from analysis.draw.layers.axes import axes
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


def boxes_over_name(ax: Any, gid: str) -> list[Box]:
    """Small boxes over the name along this slope."""
    other_texts = [text for text in ax.texts if text.get_gid() != gid]
    for artist in (*ax.get_lines(), *other_texts):
        artist.remove()
    return roofs_and_names(ax)


def over(a: Box, b: Box) -> bool:
    shares_columns = min(a.right, b.right) > max(a.left, b.left)
    shares_rows = min(a.top, b.top) > max(a.bottom, b.bottom)
    return shares_columns and shares_rows


@pytest.mark.parametrize("tag", ["l2", "dram"])
def test_a_name_stands_clear_of_points_on_its_slope(tag: str) -> None:
    ax = empty()
    rate = next(roof.rate for roof in SLOPES if roof.tag.endswith(tag))
    factors = (0.3, 0.6, 1, 1.5)
    places = [(x, x * rate * factor) for x in (0.02, 0.05, 0.1, 0.2) for factor in factors]
    points = covered(ax, places, joined=False)
    names_among_points(ax, SLOPES, points)
    name = boxes_over_name(ax, f"bandwidth/{tag}/name")
    assert name
    assert not any(over(a, b) for a in name for b in points)


def test_a_name_too_long_for_its_slope_gives_up_its_rate_and_crosses_no_roof() -> None:
    ax = empty(left=4.8)
    names_among_points(ax, SLOPES, [])
    text = next(text for text in ax.texts if text.get_gid() == "bandwidth/l2/name")
    _, roof = ax.transData.transform((1, 2.1e12))
    assert text.get_text() == "L2"
    assert all(top < roof for _, _, _, top in boxes_over_name(ax, "bandwidth/l2/name"))
    assert text.get_position()[0] > 4.8
