"""Of a table that was cut or edited, damaged rows are named by line, and all others are read."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.records.measurement import RidgelineError
from probes.records.table import Table, csv_text, damage_sentences, guarded, read_table, unguarded


@dataclass(frozen=True)
class Thing:
    """A made-up row."""

    name: str
    count: int
    size: float | None
    good: bool = True
    note: str = ""


LIMITS = {"count": (1.0, 1e6), "size": (1e-3, 1e6)}
"""The least and the most that a number may be, by column."""
THINGS = [Thing("a", 1, 0.5), Thing('b, "c"\nd\r', 2, None, False, "e"), Thing("f", 3, 1e6)]


def read(path: Path, text: str | bytes) -> Table[Thing]:
    """The table of a file that holds this text."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path, Thing, LIMITS, guards=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its table."""
    return tmp_path / "things.csv"


def test_rows_read_back_as_they_were(path: Path) -> None:
    table = read(path, csv_text(THINGS, Thing))
    assert (table.rows, table.lines, table.damaged) == (THINGS, [2, 3, 5], [])


@pytest.mark.parametrize(
    "change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")]
)
def test_marks_and_line_ends_of_other_systems_change_nothing(path: Path, change: object) -> None:
    things = [THINGS[0], THINGS[2]]
    assert read(path, change(csv_text(things, Thing))).rows == things  # type: ignore[operator]


def test_a_column_that_an_older_file_lacks_has_its_default_and_one_of_a_newer_is_passed_over(
    path: Path,
) -> None:
    assert read(path, "later,size,count,name\nx,,7,a\n").rows == [Thing("a", 7, None)]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("b,2", "2 cells, not 5"),
        ("b,2,1,1,,more", "6 cells, not 5"),
        ("b,2,nan,1,", "size is 'nan', not a number from 0.001 to 1e+06"),
        ("b,2,inf,1,", "size is 'inf', not a number"),
        ("b,2,-1,1,", "size is '-1', not a number"),
        ("b,2,1e-300,1,", "size is '1e-300', not a number"),
        ("b,2,1e300,1,", "size is '1e300', not a number"),
        ("b,2,1_0,1,", "size is '1_0', not a number"),
        ("b,2,٣,1,", "size is '٣', not a number"),
        ("b,2.5,1,1,", "count is '2.5', not a whole number from 1 to 1e+06"),
        (f"b,{'9' * 5000},1,1,", "count is '9999"),
        ("b,,1,1,", "count is '', not a whole number"),
        ("b,2,1,maybe,", "good is 'maybe', not 0 or 1"),
        ('"b,2,1,1,', "a quote that never closes"),
        ('"b"c,2,1,1,', "',' expected after '\"'"),
        (b"b\xff,2,1,1,", r"name is 'b\udcff', which is no UTF-8 text"),
        (b"b\0,2,1,1,", r"name is 'b\x00', which is no UTF-8 text"),
    ],
)
def test_a_damaged_row_is_named_with_its_line_and_the_rest_is_read(
    path: Path, row: str | bytes, why: str
) -> None:
    middle = row if isinstance(row, bytes) else row.encode()
    lines = [
        b"name,count,size,good,note",
        b"a,1,0.5,1,",
        middle,
        b"f,3,1000000.0,1,",
        b'"g",1,,1,""',
    ]
    table = read(path, b"\n".join(lines) + b"\n")
    assert table.rows == [THINGS[0], THINGS[2], Thing("g", 1, None)]
    ((line, problem),) = table.damaged
    assert line == 3
    assert why in problem


def test_a_quote_that_never_closes_takes_no_other_row_with_it(path: Path) -> None:
    lines = csv_text(THINGS, Thing).splitlines(keepends=True)
    cut = lines[2][:-5] + "\n"  # in the middle of a quoted cell of two lines
    table = read(path, "".join([*lines[:2], cut, *lines[4:], '"b ""x"" c",1,,1,\n']))
    assert [row.name for row in table.rows] == ["a", "f", 'b "x" c']
    first_damaged_line, _ = table.damaged[0]
    assert first_damaged_line == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no table of a run: line 1 has no column name and 2 more"),
        ("name,size\n", "line 1 has no column count"),
        ("name,count,size,size\n", "line 1 has two columns size"),
        ('"name,count,size\n', "line 1 has no column name and 2 more"),
        (b"\x89PNG\r\n\x1a\n", "line 1 has no column name and 2 more"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(RidgelineError, match=says):
        read(path, text)


def test_rows_that_are_damaged_alike_share_a_sentence(path: Path) -> None:
    counts = (0, 1, "x", "x", 2, "x", *range(-20, 0))
    rows = [f"a,{count},,1," for count in counts]
    table = read(path, "\n".join(["name,count,size,good,note", *rows]))
    sentences = damage_sentences(path, table)
    assert sentences[0] == (
        "things.csv lines 4 to 5, 7 are damaged and left out: count is 'x', not a whole number "
        "from 1 to 1e+06"
    )
    assert sentences[-1] == "things.csv: 23 rows are damaged and left out in all, 3 are read"
    assert len(sentences) == 9


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "'=1", "''-x", "＝1"]
)
def test_a_formula_is_text_in_a_spreadsheet_and_reads_back_as_it_was(path: Path, name: str) -> None:
    text = csv_text([Thing(name, 1, None, note=name)], Thing)
    cells = next(csv.DictReader(io.StringIO(text, newline="")))
    assert cells["name"] == cells["note"] == f"'{name}"
    assert read(path, text).rows[0].name == name


def test_numbers_below_zero_are_no_formulas() -> None:
    assert csv_text([Thing("a", 1, -0.5)], Thing).splitlines()[1] == "a,1,-0.5,1,"


@given(st.text())
def test_every_guard_is_taken_off_again(name: str) -> None:
    assert unguarded(guarded(name)) == name
    assert guarded(name)[:1] not in tuple("=+-@\t\r")


@given(
    st.lists(
        st.builds(
            Thing,
            st.text(st.characters(codec="utf-8", exclude_characters="\0")),
            st.integers(1, 9),
            st.none(),
        )
    )
)
def test_whatever_a_name_holds_it_reads_back(
    tmp_path_factory: pytest.TempPathFactory, things: list[Thing]
) -> None:
    table = read(tmp_path_factory.getbasetemp() / "names.csv", csv_text(things, Thing))
    assert (table.rows, table.damaged) == (things, [])


@given(st.binary(), st.integers(0, 60), st.integers(0, 60))
def test_whatever_happens_to_a_table_it_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, begin: int, length: int
) -> None:
    whole = csv_text(THINGS, Thing).encode()
    edited = whole[:begin] + junk + whole[begin + length :]
    try:
        table = read(tmp_path_factory.getbasetemp() / "junk.csv", edited)
    except RidgelineError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(row, Thing) for row in table.rows)
