"""Tables in narrow terminals: columns of words give way, then whole columns, and never a unit."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.layers.placement import Placement
from analysis.model.ceilings import Ceiling
from analysis.tell.ceiling_columns import CEILING_COLUMNS
from analysis.tell.columns import GAP, LINES_OF_REMARK, Column, fit, on_few_lines
from analysis.tell.layer_columns import LAYER_COLUMNS, LAYERS_ON_TERMINAL
from probes.records.table import columns_of

HEAD = [column.name for column in LAYERS_ON_TERMINAL]
ROW = (
    "a network: a layer of a long name",
    "fp32",
    "23.6 µs",
    "522 GFLOP/s",
    "14.3 %",
    "below every roof",
    "why " * 40,
)


@pytest.mark.parametrize("room", [240, 120, 100, 80, 60, 40])
def test_a_shown_number_is_never_cut_and_the_table_has_room(room: int) -> None:
    widths = fit(LAYERS_ON_TERMINAL, [ROW], room)
    assert {"layer", "time"} <= set(widths)
    for name, cell in zip(HEAD, ROW, strict=True):
        if name in ("type", "time", "rate or bandwidth", "of roof") and name in widths:
            assert widths[name] >= max(len(cell), len(name))
    assert sum(widths.values()) + GAP * len(widths) <= room


def test_a_terminal_of_80_columns_keeps_time_share_bound_and_remark() -> None:
    assert list(fit(LAYERS_ON_TERMINAL, [ROW], 80)) == [
        "layer",
        "type",
        "time",
        "of roof",
        "bound",
        "remark",
    ]
    assert list(fit(LAYERS_ON_TERMINAL, [ROW], 240)) == list(HEAD)


def test_names_are_whole_where_there_is_room() -> None:
    assert fit(LAYERS_ON_TERMINAL, [ROW], 120)["layer"] == len(ROW[0])


def test_a_long_remark_ends_with_an_ellipsis() -> None:
    short = on_few_lines("word " * 40, 20)
    assert short.endswith("…")
    assert len(short) <= LINES_OF_REMARK * 20
    assert on_few_lines("as it is", 20) == "as it is"


@pytest.mark.parametrize(
    ("columns", "row_type"), [(CEILING_COLUMNS, Ceiling), (LAYER_COLUMNS, Placement)]
)
def test_every_field_is_in_the_file_and_no_column_comes_twice(
    columns: tuple[Column[Any], ...], row_type: type
) -> None:
    assert [column.stored for column in columns if column.stored] == columns_of(row_type)
    for table in {table for column in columns for table in column.shown}:
        names = [column.name for column in columns if table in column.shown]
        assert all(names)
        assert len(set(names)) == len(names)
