"""The columns of a comparison: in its file, on a terminal and on its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from analysis.compare.comparison import ComparedRow, Comparison
from analysis.compare.facts import typical_reading
from analysis.compare.sides import FEWEST_SIDES
from analysis.compare.verdict import Verdict
from analysis.compare.why import Difference
from analysis.compare.words import ratio_in_words, why_sentence
from analysis.tell.columns import Column
from analysis.units import si

COMPARED_FILE = "compared.csv"
MOST_RUNS = 6
"""Runs that have a column each; with more a side has one, and the file has all."""
LEAST_OF_NAME = 16
"""Characters of a row's name that stay on one line."""
TIME = re.compile(r"(\d{8})T(\d{2})(\d{2})(\d{2})Z")
"""How folders of sets and runs are named."""
LAST_TO_GO = 1000
"""Rank of the columns that a narrow terminal leaves out last."""


class Line(NamedTuple):
    """One row on one side: a line of the file."""

    comparison: Comparison
    row: ComparedRow
    place: int
    """Number of the side."""

    @property
    def verdict(self) -> Verdict:
        """What is said of it."""
        return self.row.verdicts[self.place - 1]

    @property
    def difference(self) -> Difference | None:
        """How much and why it differs."""
        return self.verdict.difference

    def clock(self, side: int) -> float | None:
        """The middle of a side's clocks."""
        typical = typical_reading(self.row.sides[side])
        return typical.clock_hz if typical else None

    def values(self, side: int) -> str:
        """What each run of a side says, as JSON."""
        return json.dumps([reading.value for reading in self.row.sides[side]])


def lines(comparison: Comparison) -> Iterator[Line]:
    """Every row on every side but the first."""
    for place in range(1, len(comparison.sides)):
        for row in comparison.rows:
            yield Line(comparison, row, place)


def _of_difference(line: Line, name: str) -> Any:
    """A fact of the difference; None where there is none."""
    return getattr(line.difference, name) if line.difference else None


LINE_COLUMNS: tuple[Column[Line], ...] = (
    Column(stored="row", computed=lambda line: line.row.row.name),
    Column(stored="tag", computed=lambda line: line.row.row.tag),
    Column(stored="network", computed=lambda line: line.row.row.network),
    Column(stored="key", computed=lambda line: line.row.row.key),
    Column(stored="unit", computed=lambda line: line.row.row.unit),
    Column(stored="first", computed=lambda line: line.comparison.sides[0].name),
    Column(stored="side", computed=lambda line: line.comparison.sides[line.place].name),
    Column(stored="device", computed=lambda line: line.comparison.sides[line.place].device),
    Column(stored="first_value", computed=lambda line: line.row.middle(0)),
    Column(stored="value", computed=lambda line: line.row.middle(line.place)),
    Column(stored="ratio", computed=lambda line: line.verdict.ratio),
    Column(stored="ratio_low", computed=lambda line: line.verdict.low),
    Column(stored="ratio_high", computed=lambda line: line.verdict.high),
    Column(stored="verdict", computed=lambda line: line.verdict.verdict),
    Column(stored="against", computed=lambda line: line.verdict.against),
    Column(stored="why_not", computed=lambda line: line.verdict.why_not),
    Column(stored="p", computed=lambda line: line.verdict.p),
    Column(stored="recorded_range", computed=lambda line: line.verdict.range),
    Column(stored="first_runs", computed=lambda line: line.verdict.runs[0]),
    Column(stored="runs", computed=lambda line: line.verdict.runs[1]),
    Column(stored="first_clock_hz", computed=lambda line: line.clock(0)),
    Column(stored="clock_hz", computed=lambda line: line.clock(line.place)),
    Column(stored="clock_ratio", computed=lambda line: _of_difference(line, "clock_ratio")),
    Column(stored="at_equal_clock", computed=lambda line: _of_difference(line, "at_equal_clock")),
    Column(stored="cause", computed=lambda line: _of_difference(line, "cause")),
    Column(stored="evidence", computed=lambda line: line.verdict.evidence),
    Column(stored="why", computed=lambda line: why_sentence(line.verdict)),
    Column(stored="first_values", computed=lambda line: line.values(0)),
    Column(stored="values", computed=lambda line: line.values(line.place)),
)
"""The columns of ``compared.csv``."""


def columns_of(comparison: Comparison, on_page: bool) -> tuple[Column[ComparedRow], ...]:
    """The columns that people read: the row, what was reached, and each side's change and verdict.

    Of more than two sides the columns have numbers, which ``words.key`` explains.
    on_page: also each run, where they are few, and the evidence and the cause in words, for which a
    terminal has no room.
    """
    columns: list[Column[ComparedRow]] = [
        Column(name="row", computed=lambda row: row.row.name, least=LEAST_OF_NAME)
    ]
    columns += _side_columns(comparison)
    if on_page and len(comparison.runs) <= MOST_RUNS:
        columns += _run_columns(comparison)
    several = len(comparison.sides) > FEWEST_SIDES
    for place in range(len(comparison.sides) - 1):
        columns += _verdict_columns(place, str(place + 2) if several else "")
        if on_page:
            columns += _evidence_columns(place)
    return tuple(columns)


def _side_columns(comparison: Comparison) -> Iterator[Column[ComparedRow]]:
    """What each side reached."""
    names = in_brief([side.name for side in comparison.sides])
    for place in range(len(comparison.sides)):
        name = names[place] if len(comparison.sides) == FEWEST_SIDES else str(place + 1)
        yield _middle_column(place, name)


def _run_columns(comparison: Comparison) -> Iterator[Column[ComparedRow]]:
    """What each run reached, where a side has several."""
    if all(len(side.runs) == 1 for side in comparison.sides):
        return
    names = in_brief([side.name for side in comparison.sides])
    number = 0
    for side, side_name in zip(comparison.sides, names, strict=True):
        for in_side in range(len(side.runs)):
            name = f"{side_name} {in_side + 1}" if len(side.runs) > 1 else side_name
            yield _run_column(number, name)
            number += 1


def in_brief(names: Sequence[str]) -> list[str]:
    """``19:16:34`` of ``20261128T191634Z``, where all are such times of one day and differ."""
    times = [TIME.fullmatch(name) for name in names]
    days = {time[1] for time in times if time}
    if None in times or len(days) != 1:
        return list(names)
    short_names = [f"{time[2]}:{time[3]}:{time[4]}" for time in times if time]
    return short_names if len(set(short_names)) == len(names) else list(names)


def _may_go(place: int) -> int:
    """When the columns of a side go where there is no room: the last side's first.

    Those of the first two sides stay, unless there is no room for a comparison at all.
    """
    return max(2 * MOST_RUNS, LAST_TO_GO - place) if place > 1 else 0


def _middle_column(place: int, name: str) -> Column[ComparedRow]:
    """The middle of a side's runs."""
    return Column(
        name=name,
        computed=lambda row: row.middle(place),
        unit=lambda row: row.row.unit,
        text=lambda row: si(row.middle(place), row.row.unit),
        number=True,
        may_go=_may_go(place),
    )


def _run_column(number: int, name: str) -> Column[ComparedRow]:
    """One run's value."""

    def value(row: ComparedRow) -> float | None:
        reading = row.row.readings[number]
        return reading.value if reading else None

    return Column(
        name=name,
        computed=value,
        unit=lambda row: row.row.unit,
        text=lambda row: si(value(row), row.row.unit),
        number=True,
    )


def _verdict_columns(place: int, side: str) -> Iterator[Column[ComparedRow]]:
    """The change and the verdict on one side; side: its name, where there are several."""
    of_side = f" {side}" if side else ""
    yield Column(
        name=f"change{of_side}",
        computed=lambda row: row.verdicts[place].ratio,
        text=lambda row: ratio_in_words(row.verdicts[place]),
        may_go=_may_go(place + 1),
    )
    yield Column(
        name=f"verdict{of_side}",
        computed=lambda row: row.verdicts[place].verdict,
        may_go=_may_go(place + 1),
    )


def _evidence_columns(place: int) -> Iterator[Column[ComparedRow]]:
    """Evidence and cause in words."""
    yield Column(name="evidence", computed=lambda row: row.verdicts[place].evidence, least=20)
    yield Column(name="why", computed=lambda row: why_sentence(row.verdicts[place]), least=20)
