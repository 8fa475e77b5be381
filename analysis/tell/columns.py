"""Columns of tables: what stands in each, wherever a table is shown, and which of them have room.

A table is one list of columns. Its file, the terminal and the page take theirs from that list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Generic, TypeVar

from analysis.units import si
from probes.records.table import csv_of_values

GAP = 2
"""Characters between two columns, and around the table."""
LINES_OF_REMARK = 3
"""On a terminal."""
TERMINAL, PAGE = "terminal", "page"
"""Where most tables are shown."""

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Column(Generic[Row]):
    """One column of a table."""

    stored: str = ""
    """Its name in the table's file, and of the row's field that it holds; empty if not stored."""
    computed: Callable[[Row], Any] | None = None
    """What a column holds that is not stored, or is no field of the row."""
    name: str = ""
    """Its name where people read it."""
    shown: tuple[str, ...] = ()
    """Where people read it: on the terminal, on the page, or in a table of that name."""
    text: Callable[[Row], str] | None = None
    """The value as people read it; without it the value with its unit, or as it is."""
    unit: Callable[[Row], str] | None = None
    """Unit of a number that people read rounded: a page tells the exact one, too."""
    number: bool = False
    """True if it is aligned right, and sorted by its value."""
    least: int = 0
    """Characters that a column of words needs, where its lines may be broken; 0: never broken."""
    may_go: int = 0
    """A narrow terminal leaves out the column with 1 first, then that with 2; 0: never."""
    if_known: bool = False
    """True if people see it only where some row of the table has a value."""

    def value(self, row: Row) -> Any:
        """What it holds: text, or a number in SI base units; None is unknown."""
        return self.computed(row) if self.computed else getattr(row, self.stored)

    def in_words(self, row: Row) -> str:
        """The value as people read it."""
        if self.text:
            return self.text(row)
        value = self.value(row)
        return si(value, self.unit(row)) if self.unit else str(value)

    def exact(self, row: Row) -> str:
        """The value that is not rounded, with its unit; empty where there is none to tell."""
        value = self.value(row)
        if self.unit is None or value is None:
            return ""
        return f"{value!r} {self.unit(row)}".strip()


def shown_in(table: str, columns: Iterable[Column[Row]]) -> tuple[Column[Row], ...]:
    """The columns that are shown there."""
    return tuple(column for column in columns if table in column.shown)


def known(columns: Iterable[Column[Row]], rows: Sequence[Row]) -> tuple[Column[Row], ...]:
    """The columns without those that are shown only if some row has a value, and none has."""

    def has_value(column: Column[Row]) -> bool:
        return any(column.value(row) is not None for row in rows)

    return tuple(column for column in columns if not column.if_known or has_value(column))


def in_words(columns: Iterable[Column[Row]], row: Row) -> list[str]:
    """The cells of a row as people read them."""
    return [column.in_words(row) for column in columns]


def file_of(columns: Iterable[Column[Row]], rows: Iterable[Row]) -> str:
    """The file of a table, as CSV."""
    stored = [column for column in columns if column.stored]
    values = ([column.value(row) for column in stored] for row in rows)
    return csv_of_values([column.stored for column in stored], values)


def fit(
    columns: Sequence[Column[Row]], cells: Sequence[Sequence[str]], characters: int
) -> dict[str, int]:
    """Width in characters of every column that is shown in so many characters, by its name.

    cells: of each row, in the order of the columns. Columns of words give way first, then whole
    columns: no number ever loses its unit.
    """
    natural = {}
    widths = {}
    for i, column in enumerate(columns):
        natural[column.name] = max(len(column.name), *(len(row[i]) for row in cells), 0)
        least = column.least or natural[column.name]
        widths[column.name] = min(natural[column.name], least)
    for column in sorted(columns, key=lambda column: column.may_go):
        if column.may_go and _length(widths) > characters:
            del widths[column.name]
    for column in sorted(columns, key=lambda column: column.least):  # the narrowest grows first
        name = column.name
        if column.least and name in widths:
            wanted = natural[name] - widths[name]
            free = characters - _length(widths)
            widths[name] += max(0, min(wanted, free))
    return widths


def _length(widths: dict[str, int]) -> int:
    """Characters of a line of a table."""
    return sum(widths.values()) + GAP * len(widths)


def on_few_lines(text: str, width: int, most: int = LINES_OF_REMARK) -> str:
    """What fills ``most`` lines of ``width`` characters; an ellipsis is for the rest."""
    lines = wrap(text, width)
    if len(lines) <= most:
        return text
    *whole, last = lines[:most]
    return " ".join([*whole, f"{last[: width - 1]}…"])
