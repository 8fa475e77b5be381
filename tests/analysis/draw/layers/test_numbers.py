"""Numbers beside points, where nothing else is."""

from __future__ import annotations

from itertools import combinations

from matplotlib.figure import Figure

from analysis.draw.canvas import covered
from analysis.draw.labels import Box
from analysis.draw.layers.numbers import number_beside


def over(a: Box, b: Box) -> bool:
    shares_columns = min(a.right, b.right) > max(a.left, b.left)
    shares_rows = min(a.top, b.top) > max(a.bottom, b.bottom)
    return shares_columns and shares_rows


def test_every_point_of_a_crowd_has_its_number_and_a_far_one_is_tied() -> None:
    ax = Figure((9.6, 5.6), dpi=100).add_axes((0.1, 0.15, 0.8, 0.8))
    ax.set(xscale="log", yscale="log", xlim=(0.01, 1000), ylim=(2e8, 4e12))
    points = [(1 + 0.05 * i, 1e10 * (1 + 0.05 * i)) for i in range(16)]
    curve = covered(ax, points, 3.0)
    taken = list(curve)
    for point in points:
        number_beside(ax, "640", point, "#000000", taken)
    numbers = [text for text in ax.texts if text.get_gid() == "end"]
    boxes = taken[len(curve) :]
    assert len(numbers) == len(points)
    assert not any(over(box, other) for box in boxes for other in curve)
    assert not any(over(one, other) for one, other in combinations(boxes, 2))
    assert {text.arrow_patch is None for text in numbers} == {True, False}  # type: ignore[attr-defined]
