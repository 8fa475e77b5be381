"""Rows of frozen dataclasses as CSV, and back. Standard library only.

A cell that a spreadsheet would take for a formula gets an apostrophe before it, and loses it again
when it is read. A row that is damaged is left out and named with its line; the rows around it are
read.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from probes.records.given import UNSTORABLE, content, shortened, storable
from probes.records.measurement import RidgelineError

Row = TypeVar("Row")
Limits = Mapping[str, tuple[float, float]]
"""The least number above zero, and the largest, that a column may hold; zero is in every column."""

GUARD = "'"
FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a cell begins that a spreadsheet computes (the wide forms: where it is set to Japanese).

Guards before it belong to the match, so that a text that has one of its own gets another, and reads
back as it was.
"""
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
LONGEST_CELL = 16 << 20  # characters of a cell: all that a large network ran stands in one
MOST_LINES = 50  # of one row, whose reason may have several
MOST_SENTENCES = 8  # about damage, one for each reason
MOST_RANGES = 6  # of lines that such a sentence names
UNCLOSED = "a quote that never closes"
"""What is wrong with a line that ends inside a quoted cell, unless the next lines belong to it."""

csv.field_size_limit(LONGEST_CELL)


def guarded(text: str) -> str:
    """A text as a cell that no spreadsheet computes."""
    return f"{GUARD}{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text of a cell, without the guard that ``guarded`` put before it."""
    return text[1:] if text.startswith(GUARD) and FORMULA.match(text) else text


def columns_of(row_type: Any) -> list[str]:
    """Names of the columns of a table: the fields of its dataclass, or of a row of it."""
    return [each.name for each in fields(row_type)]


def csv_text(rows: Iterable[Any], row_type: type) -> str:
    """Dataclass rows as CSV: one header line of the field names; an empty cell is unknown."""
    header = _csv_line(columns_of(row_type))
    return header + "".join(_line_of_row(row) for row in rows)


def csv_of_values(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Rows of values as CSV below one header line; an empty cell is unknown."""
    lines = [_line_of_values(row) for row in rows]
    return _csv_line(head) + "".join(lines)


@lru_cache(maxsize=1 << 15)
def _line_of_row(row: Any) -> str:
    """The line of a frozen row; cached, since a run writes all of its rows after each step."""
    return _line_of_values(getattr(row, name) for name in columns_of(row))


def _line_of_values(values: Iterable[object]) -> str:
    return _csv_line([_text(value) for value in values])


def _csv_line(cells: Iterable[str]) -> str:
    """The line of these cells, with its end.

    The writer quotes a cell that holds a character of its line end, and a reader takes either of
    ``\\r`` and ``\\n`` for one: so it is told both, and only ``\\n`` is written.
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n") + "\n"


def _text(value: object) -> str:
    """A value as the text of its cell; ``_value`` reads it back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return repr(value)  # which reads back as the same number
    if isinstance(value, str):
        return guarded(storable(value))
    return str(value)


class Damage(ValueError):
    """What is wrong with a row; of one cell, it begins with the name of the column."""


Cells = list[str] | str
"""The cells of a row, or one text: why they cannot be read."""


@dataclass
class Table(Generic[Row]):
    """What was read of a CSV file."""

    columns: list[str]
    """Names in its header."""
    rows: list[Row]
    """The good rows."""
    lines: list[int]
    """The number of each good row's line."""
    damaged: list[tuple[int, str]]
    """Line and reason of each row that was left out."""


def read_table(
    path: Path,
    row_type: type[Row],
    limits: Limits,
    guards: bool,
    problem: Callable[[Row], str] = lambda row: "",
    wanted: Callable[[Mapping[str, str]], bool] = lambda cells: True,
) -> Table[Row]:
    """Read the rows of a CSV file; a column that it lacks takes the default of its field.

    guards: whether cells were guarded when it was written. problem: returns why a row cannot be
    true though each of its cells is right, or an empty text. wanted: says of the cells of a row, by
    column, if it is to be read; other rows are passed over, even if they are damaged. Raises
    RidgelineError if the file cannot be read or its header is not that of such a table.
    """
    # bytes that are no UTF-8 become lone surrogates, so that they spoil their own row only
    lines = content(path).decode("utf-8-sig", "surrogateescape").split("\n")
    header = _header(path, lines, row_type)
    annotations = {field.name: str(field.type) for field in fields(row_type)}  # type: ignore[arg-type]
    table = Table[Row](header, [], [], [])
    for number, cells in _records(lines[1:], len(header)):
        try:
            by_column = dict(zip(header, _checked_cells(cells, len(header)), strict=True))
            if not wanted(by_column):
                continue
            row = row_type(**_values(by_column, annotations, limits, guards))
            if why := problem(row):
                raise Damage(why)
            table.rows.append(row)
            table.lines.append(number)
        except Damage as error:
            table.damaged.append((number, str(error)))
    return table


def _header(path: Path, lines: Sequence[str], row_type: type) -> list[str]:
    try:
        header = next(csv.reader(lines[:1], strict=True), [])
    except csv.Error:
        header = []
    needed = [field.name for field in fields(row_type) if not _has_default(field)]
    missing = [name for name in needed if name not in header]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        what = f"line 1 has no column {missing[0]}{more}"
        raise RidgelineError(f"{path} is no table of a run: {what}")
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise RidgelineError(f"{path} line 1 has two columns {twice[0]}")
    return header


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _records(lines: Sequence[str], width: int) -> Iterator[tuple[int, Cells]]:
    """The number of its first line in the file, and the cells, of every row below the header.

    A quoted cell may hold ends of lines. A quote that never closes is the damage of its own line:
    reading goes on with the next one, not behind the quote that happens to come next.
    """
    at = 0
    while at < len(lines):
        used, cells = _record(lines, at, width)
        if cells:
            yield at + 2, cells  # lines[0] is the file's line 2
        at += used


def _record(lines: Sequence[str], at: int, width: int) -> tuple[int, Cells]:
    """How many lines the row at ``lines[at]`` takes, and its cells; empty for an empty line."""
    first = _parsed(lines[at])
    if isinstance(first, list):
        return 1, first
    for used in range(2, min(MOST_LINES, len(lines) - at) + 1):
        cells = _parsed("\n".join(lines[at : at + used]))
        if isinstance(cells, list) and len(cells) == width:
            return used, cells
        if cells != UNCLOSED:
            break
    return 1, first


def _parsed(text: str) -> Cells:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
    except csv.Error as error:
        why = str(error)
    return UNCLOSED if "end of data" in why else why


def _checked_cells(cells: Cells, width: int) -> list[str]:
    """The cells of a row. Raises Damage if they cannot be read or are not ``width`` many."""
    if isinstance(cells, str):
        raise Damage(cells)
    if len(cells) != width:
        raise Damage(f"{len(cells)} cells, not {width}")
    return cells


def _values(
    cells: Mapping[str, str], annotations: Mapping[str, str], limits: Limits, guards: bool
) -> dict[str, Any]:
    """The values of a row's cells by their columns, those of its fields.

    annotations: of each field, such as ``float | None``. Raises Damage.
    """
    if UNSTORABLE.search("".join(cells.values())):  # one search of all is fast
        _refuse_unstorable(cells, annotations)
    values = {}
    for name, annotation in annotations.items():
        if name in cells:
            values[name] = _value(name, annotation, cells[name], limits, guards)
    return values


def _refuse_unstorable(cells: Mapping[str, str], names: Iterable[str]) -> None:
    """Raise Damage for the first of these cells that no text file can hold."""
    for name in names:
        cell = cells.get(name, "")
        if UNSTORABLE.search(cell):
            raise Damage(f"{name} is {shortened(repr(cell))}, which is no UTF-8 text")


def _value(column: str, annotation: str, text: str, limits: Limits, guards: bool) -> Any:
    """The value of a cell by the annotation of its field, such as ``float | None``.

    Raises Damage.
    """
    if annotation == "str":
        return unguarded(text) if guards else text
    if not text and "None" in annotation:
        return None
    if annotation == "bool":
        if text not in ("0", "1"):
            raise Damage(f"{column} is {shortened(repr(text))}, not 0 or 1")
        return text == "1"
    return _number(column, annotation, text, limits)


def _number(column: str, annotation: str, text: str, limits: Limits) -> float:
    is_whole = annotation.startswith("int")
    low, high = limits.get(column, (0.0, math.inf))
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if is_whole and not text.lstrip("+-").isdecimal():
        value = math.nan
    is_zero = value == 0 and math.isfinite(high)
    is_within = low <= value <= high and math.isfinite(value)
    if not (is_zero or is_within):
        what = "whole number" if is_whole else "number"
        raise Damage(f"{column} is {shortened(repr(text))}, not a {what} from {low:g} to {high:g}")
    return int(text) if is_whole else value


def damage_sentences(path: Path, table: Table[Any]) -> list[str]:
    """Sentences that name the damaged rows by line, those of one reason together."""
    lines_by_reason: dict[str, list[int]] = {}
    for line, why in table.damaged:
        lines_by_reason.setdefault(why, []).append(line)
    sentences = []
    for why, lines in list(lines_by_reason.items())[:MOST_SENTENCES]:
        sentences.append(f"{path.name} {lines_are(lines)} damaged and left out: {why}")
    if len(lines_by_reason) > MOST_SENTENCES:
        counts = f"{len(table.damaged)} rows are damaged and left out in all"
        sentences.append(f"{path.name}: {counts}, {len(table.rows)} are read")
    return sentences


def lines_are(lines: Sequence[int]) -> str:
    """``line 3 is``, ``lines 3 to 9, 12 are``; of many ranges the first ones are named."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and ranges[-1][1] + 1 == line:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    words = []
    for first, last in ranges[:MOST_RANGES]:
        words.append(str(first) if first == last else f"{first} to {last}")
    further = sum(last - first + 1 for first, last in ranges[MOST_RANGES:])
    numbers = ", ".join(words)
    if further:
        numbers += f" and {further} more"
    return f"line {numbers} is" if len(lines) == 1 else f"lines {numbers} are"
