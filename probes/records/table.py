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
"""How a cell begins that a spreadsheet computes (the wide forms: where it is set to Japanese), or
our guard of one.
"""
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
LONGEST_CELL = 16 << 20  # characters of a cell: all that a large network ran stands in one
MOST_LINES = 50  # of one row, whose reason may have several
MOST_KINDS = 8  # of damage, told in words
MOST_RANGES = 6  # of lines, likewise

csv.field_size_limit(LONGEST_CELL)


def guarded(text: str) -> str:
    """A text as a cell that no spreadsheet computes."""
    return f"{GUARD}{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text of such a cell."""
    return text[1:] if text.startswith(GUARD) and FORMULA.match(text) else text


def columns_of(row_type: Any) -> list[str]:
    """Names of the columns of a table: the fields of its dataclass, or of a row of it."""
    return [each.name for each in fields(row_type)]


def csv_text(rows: Iterable[Any], row_type: type) -> str:
    """Dataclass rows as CSV: one header line of the field names; an empty cell is unknown."""
    return _cells(columns_of(row_type)) + "".join(map(_line, rows))


@lru_cache(maxsize=1 << 15)
def _line(row: Any) -> str:
    """Of one frozen row: kept, since a run writes all of its rows again after each step."""
    return _cells([_text(getattr(row, name)) for name in columns_of(row)])


def _cells(values: Iterable[str]) -> str:
    """One line. Only with this end of a line are cells quoted that hold one half of it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(values)
    return out.getvalue().removesuffix("\r\n") + "\n"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return repr(value)  # which reads back as the same number
    return guarded(storable(value)) if isinstance(value, str) else str(value)


class Damage(ValueError):
    """What is wrong with a row, beginning with the name of its column."""


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
) -> Table[Row]:
    """Read the rows of a CSV file; a column that it lacks takes the default of its field.

    guards: whether cells were guarded when it was written. problem: why a row whose cells are right
    cannot be, or nothing. Raises RidgelineError where the file or its header is none.
    """
    # bytes that are no UTF-8 become lone surrogates, so that they spoil their own row only
    lines = content(path).decode("utf-8-sig", "surrogateescape").split("\n")
    header = _header(path, lines, row_type)
    table = Table[Row](header, [], [], [])
    for number, cells in _records(lines[1:], len(header)):
        try:
            by_column = dict(zip(header, _whole(cells, len(header)), strict=True))
            row = _row(by_column, row_type, limits, guards)
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


def _records(lines: Sequence[str], width: int) -> Iterator[tuple[int, list[str] | str]]:
    """(number of its first line, cells, or why there are none) of every row.

    A quoted cell may hold ends of lines. A quote that never closes is the damage of its own line:
    reading goes on with the next one, not behind the quote that happens to come next.
    """
    at = 0
    while at < len(lines):
        used, cells = _record(lines, at, width)
        if cells:
            yield at + 2, cells
        at += used


def _record(lines: Sequence[str], at: int, width: int) -> tuple[int, list[str] | str]:
    """How many lines a row takes, and its cells; empty for an empty line."""
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


UNCLOSED = "a quote that never closes"


def _parsed(text: str) -> list[str] | str:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
    except csv.Error as error:
        said = str(error)
    return UNCLOSED if "end of data" in said else said


def _whole(cells: list[str] | str, width: int) -> list[str]:
    if isinstance(cells, str):
        raise Damage(cells)
    if len(cells) != width:
        raise Damage(f"{len(cells)} cells, not {width}")
    return cells


def _row(cells: Mapping[str, str], row_type: type[Row], limits: Limits, guards: bool) -> Row:
    values = {}
    for field in fields(row_type):  # type: ignore[arg-type]
        if field.name in cells:
            cell = cells[field.name]
            values[field.name] = _value(field.name, str(field.type), cell, limits, guards)
    return row_type(**values)


def _value(column: str, kind: str, text: str, limits: Limits, guards: bool) -> Any:
    """The value of a cell by the type of its field. Raises Damage."""
    if UNSTORABLE.search(text):
        raise Damage(f"{column} is {shortened(repr(text))}, which is no UTF-8 text")
    if kind == "str":
        return unguarded(text) if guards else text
    if not text and "None" in kind:
        return None
    if kind == "bool":
        if text not in ("0", "1"):
            raise Damage(f"{column} is {shortened(repr(text))}, not 0 or 1")
        return text == "1"
    return _number(column, kind, text, limits)


def _number(column: str, kind: str, text: str, limits: Limits) -> float:
    is_whole = kind.startswith("int")
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


def in_words(path: Path, table: Table[Any]) -> list[str]:
    """Sentences that name the damaged rows by line, those of one kind together."""
    kinds: dict[str, list[int]] = {}
    for line, why in table.damaged:
        kinds.setdefault(why, []).append(line)
    said = []
    for why, lines in list(kinds.items())[:MOST_KINDS]:
        said.append(f"{path.name} {named(lines)} damaged and left out: {why}")
    if len(kinds) > MOST_KINDS:
        every, left = len(table.damaged), len(table.rows)
        said.append(f"{path.name}: {every} rows are damaged and left out in all, {left} are read")
    return said


def named(lines: Sequence[int]) -> str:
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
    named = ", ".join(words)
    if further:
        named += f" and {further} more"
    return f"line {named} is" if len(lines) == 1 else f"lines {named} are"
