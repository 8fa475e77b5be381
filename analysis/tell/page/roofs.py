"""The page's section on ceilings, and the sweeps of the hardware."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.model.ceilings import Ceiling
from analysis.model.sweeps import POINT_HEAD, SweepChart, points
from analysis.outcome import Outcome
from analysis.tell.ceiling_columns import CEILINGS_ON_PAGE
from analysis.tell.page.markup import folded, heading
from analysis.tell.page.plot import row_name_of_ceiling
from analysis.tell.page.stills import Stills
from analysis.tell.page.tables import table_of, table_of_texts


def ceilings_table(ceilings: Mapping[str, Ceiling], most_rows: int) -> str:
    """The first of these, which mostly are all, with the exact number behind a rounded one."""
    rows = list(ceilings.values())[:most_rows]
    names = [row_name_of_ceiling(number) for number in range(len(rows))]
    return table_of("Ceilings", CEILINGS_ON_PAGE, rows, "ceilings-table", names)


def sweeps(outcome: Outcome, stills: Stills, most_points: int) -> str:
    """A picture of each sweep, with its first points folded away; measurements.csv has all."""
    return "".join(_sweep(sweep, stills, most_points) for sweep in outcome.sweeps)


def _sweep(sweep: SweepChart, stills: Stills, most_points: int) -> str:
    rows = list(points(sweep))
    curves = ", ".join(line.name for line in sweep.lines)
    picture = stills.show(sweep.name, f"{sweep.title}: {curves}")
    table = table_of_texts(f"Points of {sweep.title}", POINT_HEAD, rows[:most_points])
    return heading(3, sweep.title) + picture + folded(f"{len(rows)} points", table)
