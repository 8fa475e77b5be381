"""Tables of the page from the columns that file and terminal have too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from analysis.tell.columns import Column, known
from analysis.tell.page.markup import Cell, Head, table

SENTENCES = 20
"""A column that takes so many characters on a terminal holds sentences."""

Row = TypeVar("Row")


def table_of(
    label: str,
    columns: Sequence[Column[Row]],
    rows: Iterable[Row],
    name: str = "",
    row_names: Sequence[str] = (),
) -> str:
    """A table with these columns, as ``markup.table`` makes it."""
    rows = list(rows)
    shown = known(columns, rows)
    cells = ([cell_of(column, row) for column in shown] for row in rows)
    return table(label, heads_of(shown), cells, name, row_names)


def heads_of(columns: Iterable[Column[Row]]) -> list[Head]:
    """The heads of these columns."""
    return [Head(column.name, column.number) for column in columns]


def cell_of(column: Column[Row], row: Row) -> Cell:
    """What a row has in a column, with the exact number behind a rounded one."""
    text = column.in_words(row)
    if not column.number:
        return Cell(text, is_long=column.least >= SENTENCES)
    value = column.value(row)
    if value is None:
        return Cell(text, "")
    return Cell(text, column.exact(row) or repr(value))


def table_of_texts(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    cells = ([Cell(text) for text in row] for row in rows)
    return table(label, [Head(name) for name in heads], cells)
