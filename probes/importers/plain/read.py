"""Layers anybody timed, as a CSV: ``name, flops, bytes, seconds[, dtype]``.

Other columns are kept: ``op, family, provider, network, working_set, textbook_bytes, warm,
launches`` have the meaning they have in every layer's row, any further one is a remark in
``params``. An empty cell is unknown. A file is one run of one network, whatever types its layers
compute in; the columns ``network`` and ``precision`` tell several apart. Where a spreadsheet writes
decimal commas, cells are parted by semicolons or tabs.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from probes.importers.layer_row import BYTES, dtype_of, layer_row, malformed, precision_of
from probes.importers.source import Source, source_of
from probes.records.layer import read_params
from probes.records.measurement import Measurement
from probes.records.table import NUMBER

NUMBERS = ("flops", "bytes", "seconds")
NEEDED = ("name", *NUMBERS)
READ_HERE = (*NEEDED, "dtype", "op", "family")
"""Columns that are arguments of ``layer_row``."""
OF_THIS_RUN = ("layer", "device", "started", "tool", "reason")
"""Fields that this run gives every row: columns of these names are left out."""
COUNT_COLUMNS = ("working_set", "textbook_bytes", "launches")
DELIMITERS = (",", ";", "\t")
UNTYPED = "dtype not given"


def read(file: Path | Source, device: str, started: str, network: str = "") -> list[Measurement]:
    """A row for every line; the network is the file's name if not given.

    Raises RidgelineError that names the line and the column.
    """
    source = source_of(file)
    path, text = source.path, source.text
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    table = csv.DictReader(
        io.StringIO(text), skipinitialspace=True, delimiter=delimiter, strict=True
    )
    rows: list[Measurement] = []
    types: list[str] = []
    begun = 0  # the last line of the row before
    try:
        names = [str(name).strip().lower() for name in table.fieldnames or []]
        if missing := [name for name in NEEDED if name not in names]:
            raise malformed(
                path,
                "line 1",
                f"no column {', '.join(missing)} (needed: {', '.join(NEEDED)}[, dtype])",
            )
        if twice := [name for name in names if name and names.count(name) > 1]:
            raise malformed(path, "line 1", f"two columns are called {twice[0]}")
        table.fieldnames = names
        lines = table if delimiter == "," else map(_with_points, table)
        begun = 1
        for cells in lines:
            types.append(dtype_of(cells.get("dtype") or ""))
            rows.append(_row(path, table.line_num, cells, device, started, network or source.stem))
            begun = table.line_num
    except csv.Error as error:
        at = table.reader.line_num  # the table's own is still that of the row before
        raise malformed(path, *_place(error, begun + 1, at)) from None
    if not rows:
        raise malformed(path, "line 2", "no layer follows the header")
    return _with_precision(rows, types)


def _place(error: csv.Error, begun: int, line: int) -> tuple[str, str]:
    """Where a row is damaged and how; an open quote shows only where the file ends."""
    if "end of data" in str(error):
        return f"line {begun}", "a quote never closes"
    return f"line {line}", str(error)


def _with_precision(rows: Sequence[Measurement], types: Sequence[str]) -> list[Measurement]:
    """The rows, each with a precision: if it gives none, the types of its network's layers, joined.

    types: of each row, empty where its cell is.
    """
    facts_of_rows = [dict(read_params(row.params)) for row in rows]
    types_of_network: dict[str, list[str]] = {}
    for dtype, facts in zip(types, facts_of_rows, strict=True):
        types_of_network.setdefault(facts["network"], []).append(dtype)
    with_precision = []
    for row, facts in zip(rows, facts_of_rows, strict=True):
        facts.setdefault("precision", precision_of(types_of_network[facts["network"]]))
        with_precision.append(replace(row, params=json.dumps(facts, ensure_ascii=False)))
    return with_precision


def _with_points(cells: Mapping[Any, Any]) -> dict[Any, Any]:
    """The cells with decimal commas as points."""
    numbers = {name for name in (*NUMBERS, *COUNT_COLUMNS) if cells.get(name)}
    return {
        name: cell.replace(",", ".") if name in numbers else cell for name, cell in cells.items()
    }


def _row(
    path: Path, line: int, cells: Mapping[Any, Any], device: str, started: str, network: str
) -> Measurement:
    if None in cells:
        raise malformed(path, f"line {line}", "too many cells")
    if None in cells.values():
        raise malformed(path, f"line {line}", "too few cells")
    text = {name: cell.strip() for name, cell in cells.items()}
    for name in ("name", "seconds"):
        if not text[name]:
            raise malformed(path, f"line {line}", f"no {name}")
    type_cell = text.get("dtype", "")
    dtype = dtype_of(type_cell)
    if type_cell and not dtype:
        known_types = ", ".join(BYTES)
        raise malformed(path, f"line {line}", f"dtype is {type_cell!r}, not one of {known_types}")
    number = {name: _number(path, line, name, text[name]) for name in NUMBERS}
    if not number["seconds"]:
        raise malformed(
            path, f"line {line}", f"seconds is {text['seconds']!r}, not a time above zero"
        )
    return layer_row(
        text["name"],
        text.get("op") or text["name"],
        dtype,
        [number["seconds"]],
        number["flops"],
        number["bytes"],
        device=device,
        started=started,
        tool="csv",
        family=text.get("family", ""),
        untyped=UNTYPED,
        **{"network": network, **_more(path, line, text)},
    )


def _more(path: Path, line: int, text: Mapping[str, str]) -> dict[str, Any]:
    """What the other columns say, by their names; an empty cell says nothing."""
    facts: dict[str, Any] = {}
    for name, cell in text.items():
        if not cell or name in READ_HERE or name in OF_THIS_RUN:
            continue
        if name == "warm":
            facts[name] = cell.lower() in ("1", "true", "yes")
        elif name in COUNT_COLUMNS:
            facts[name] = _number(path, line, name, cell)
        else:
            facts[name] = cell
    return facts


def _number(path: Path, line: int, name: str, text: str) -> float | None:
    """A number of zero or more; None if the cell is empty."""
    if not text:
        return None
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value) or value < 0:
        raise malformed(path, f"line {line}", f"{name} is {text!r}, not a number of zero or more")
    return value
