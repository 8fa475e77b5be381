"""Pictures of runs side by side: what is drawn, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.compare.comparison import Comparison, compare
from analysis.compare.roofs import MOST_SIDES, roofs_of, together
from analysis.draw.compared import changes_figure, roofs_figure
from tests.analysis.compare.made_up import CPU_RUN, run_like, set_of
from tests.runs import table


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Two sets of three runs, the second slower in FP32."""
    root = tmp_path_factory.mktemp("sets")
    first = set_of(CPU_RUN, root / "first", 1)
    second = set_of(CPU_RUN, root / "second", 2, {"compute/fp32": 1.2})
    return compare([first, second])


def test_each_side_has_a_line_and_a_band_for_each_roof(sets: Comparison) -> None:
    picture = roofs_figure(sets)
    (ax,) = picture.axes
    roofs = [roofs_of(side) for side in sets.sides]
    count = sum(len(side.slopes) + len(side.flats) for side in roofs)
    assert len(ax.lines) == count > 0
    assert len(ax.collections) == count
    assert ax.get_legend_handles_labels()[1] == ["second", "first"]  # the first on top


def test_a_band_goes_from_the_slowest_to_the_fastest_run(sets: Comparison) -> None:
    side = sets.sides[0]
    flat = roofs_of(side).flats[0]
    rates = [
        roof.rate
        for run in side.runs
        for roof in run.outcome.model.compute
        if roof.tag == flat.roof.tag
    ]
    assert (flat.low, flat.high) == (min(rates), max(rates))


def test_sides_beyond_the_sixth_are_one_band(tmp_path: Path) -> None:
    count = MOST_SIDES + 2
    folders = [run_like(CPU_RUN, tmp_path / f"run{number}") for number in range(count)]
    comparison = compare(folders)
    (ax,) = roofs_figure(comparison).axes
    _, named = ax.get_legend_handles_labels()
    assert len(named) == MOST_SIDES
    one = roofs_of(comparison.sides[0])
    more = together([roofs_of(side) for side in comparison.sides[MOST_SIDES:]])
    assert len(more.flats) == len(one.flats)


def test_changes_have_a_bar_where_the_spread_of_runs_was_the_noise(sets: Comparison) -> None:
    (ax,) = changes_figure(sets).axes
    marks = [line for line in ax.lines if str(line.get_gid()).startswith("change ")]
    told = [row for row in sets.rows if row.verdicts[0].ratio]
    assert len(marks) == len(told)
    slower = [mark for mark in marks if mark.get_gid() == "change compute/fp32"]
    assert np.asarray(slower[0].get_xdata(), float)[0] < -0.1


def test_runs_without_roofs_say_so(tmp_path: Path) -> None:
    every = [row["ceiling"] for row in table(CPU_RUN, "measurements.csv")]
    runs = [run_like(CPU_RUN, tmp_path / name, untrusted=every) for name in "ab"]
    (ax,) = roofs_figure(compare(runs)).axes
    assert not ax.lines
    assert any("no roofs" in text.get_text() for text in ax.texts)
