"""Which columns of a table a terminal has room for, and how wide each is: no number ever loses its
unit.

Plain arithmetic on characters; knows nothing of terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Generic, TypeVar

GAP = 2  # characters between two columns, and around the table
LINES = 3  # of a remark on a terminal
Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Column(Generic[Row]):
    """One column of a table: what stands in it, and what a narrow terminal may do to it."""

    name: str
    text: Callable[[Row], str]
    exact: Callable[[Row], str] = lambda row: (
        ""
    )  # the unrounded value, which a page shows on pointing at the cell
    number: bool = False  # it is aligned right
    # characters that a column of words needs, where its lines may be broken; 0: never broken
    least: int = 0
    # a narrow terminal leaves out the column with 1 first, then that with 2; 0: never left out
    may_go: int = 0
    on_terminal: bool = True
    on_page: bool = True


def fit(columns: Sequence[Column[Row]], rows: Sequence[Sequence[str]], room: int) -> dict[str, int]:
    """Width in characters of every column that is shown in ``room`` characters, by its name."""
    natural = {
        column.name: max(len(column.name), *(len(row[i]) for row in rows), 0)
        for i, column in enumerate(columns)
    }
    widths = {
        column.name: min(natural[column.name], column.least or natural[column.name])
        for column in columns
    }
    for column in sorted(columns, key=lambda column: column.may_go):
        if column.may_go and _length(widths) > room:
            del widths[column.name]
    for column in sorted(columns, key=lambda column: column.least):  # the narrowest grows first
        name = column.name
        if column.least and name in widths:
            widths[name] += max(0, min(natural[name] - widths[name], room - _length(widths)))
    return widths


def _length(widths: dict[str, int]) -> int:
    return sum(widths.values()) + GAP * len(widths)


def shortened(text: str, width: int) -> str:
    """What fills LINES lines of ``width`` characters; the rest becomes an ellipsis."""
    lines = wrap(text, width)
    return (
        text
        if len(lines) <= LINES
        else " ".join([*lines[: LINES - 1], f"{lines[LINES - 1][: width - 1]}…"])
    )
