"""``python -m analysis.export RUN``: the tables of a run as JSON, or its device for other tools.

Each table has the names and columns of its CSV. Numbers are numbers, unknown is null, marks are
true or false, what a cell holds as JSON is part of it, and no text has a guard.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.analyse import model
from analysis.atlas.devices import devices_of
from analysis.atlas.entry import ATLAS, is_entry, read_atlas, read_entry
from analysis.elsewhere.kerncraft import machine_file
from analysis.elsewhere.peaks_export import MeasuredDevice, as_json
from analysis.model.ceilings import Ceiling
from analysis.tell import program
from analysis.tell.columns import Column, Row
from probes.records.given import writing_to
from probes.records.measurement import SCHEMA_VERSION, RidgelineError
from probes.records.precision import read_precision
from probes.records.pruning import read_pruning
from probes.records.run import read_moments, read_run, replace_file
from probes.records.table import columns_of

JSON_CELLS = frozenset(
    (
        "params",
        "nodes",
        "reads",
        "writes",
        "precisions",
        "thresholds",
        "clipped",
        "histogram",
        "seconds",
        "floor_seconds",
    )
)
"""Columns whose text is JSON. Where the value is a number, as ``seconds`` of a layer, it stays."""
MARKS = frozenset(("trusted", "emulated"))
"""Columns of true and false that some tables hold as 1 and 0."""

Table = list[dict[str, Any]]


def tables_of(folder: Path) -> tuple[dict[str, Table], list[str]]:
    """The tables of the run in ``folder`` that it has rows of, and what is damaged in it.

    Raises RidgelineError if it is no run.
    """
    from analysis.tell.ceiling_columns import CEILING_COLUMNS
    from analysis.tell.layer_columns import LAYER_COLUMNS
    from analysis.tell.plan_columns import STAGE_COLUMNS, stages_of
    from analysis.tell.prune_columns import FLOOR_COLUMNS, SPARSE_COLUMNS

    run = read_run(folder)
    moments = read_moments(folder, run)
    known = read_precision(folder, run.guarded, run.damage)
    pruned = read_pruning(folder, run.guarded, run.damage)
    outcome = model(run, known, pruned)
    tables = {
        "measurements": _of_rows(run.measurements),
        "ceilings": _of_columns(CEILING_COLUMNS, outcome.ceilings.values()),
        "placements": _of_columns(LAYER_COLUMNS, outcome.placements),
        "sustained": _of_rows(moments),
    }
    if known:
        tables["stages"] = _of_rows(known.stages)
        tables["ranges"] = _of_rows(known.ranges)
        tables["errors"] = _of_rows(known.errors)
    if outcome.plan and outcome.plan.verdicts:
        tables["plan"] = _of_columns(STAGE_COLUMNS, stages_of(outcome.plan))
    if pruned:
        tables["patterns"] = _of_rows(pruned.patterns)
        tables["prune-errors"] = _of_rows(pruned.errors)
    if outcome.pruning and outcome.pruning.sparsity:
        tables["sparse"] = _of_columns(SPARSE_COLUMNS, outcome.pruning.sparsity.verdicts)
        tables["floors"] = _of_columns(FLOOR_COLUMNS, outcome.pruning.sparsity.floors)
    with_rows = {name: table for name, table in tables.items() if table}
    return with_rows, list(run.damage)


def _of_rows(rows: Iterable[Any]) -> Table:
    """The table of dataclass rows, a field a column."""
    return [{name: _value(name, getattr(row, name)) for name in columns_of(row)} for row in rows]


def _of_columns(columns: Iterable[Column[Row]], rows: Iterable[Row]) -> Table:
    """The table of these columns, of which the stored ones are taken."""
    stored = [column for column in columns if column.stored]
    return [
        {column.stored: _value(column.stored, column.value(row)) for column in stored}
        for row in rows
    ]


def _value(name: str, value: Any) -> Any:
    """What a cell holds, as JSON has it."""
    if name in MARKS and isinstance(value, int):
        return bool(value)
    if name in JSON_CELLS and isinstance(value, str):
        return json.loads(value) if value else None
    return value


def text_of(value: Any) -> str:
    """The JSON of a value, a row a line, so that it can be compared line by line."""
    if isinstance(value, list):
        rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value)
        return f"[\n{rows}\n]"
    return json.dumps(value, ensure_ascii=False)


def document(folder: Path, tables: Mapping[str, Table]) -> str:
    """All tables as one JSON object: ``{"schema_version": 2, "run": ..., "tables": {...}}``."""
    parts = ",\n".join(f"{json.dumps(name)}: {text_of(table)}" for name, table in tables.items())
    run = json.dumps(str(folder))
    return f'{{"schema_version": {SCHEMA_VERSION}, "run": {run}, "tables": {{\n{parts}\n}}}}'


def main(argv: Sequence[str] | None = None) -> int:
    """Print or write the tables; return the exit code."""
    return program.run(_parser(), _answer, argv)


def _parser() -> argparse.ArgumentParser:
    parser = program.Parser(
        prog="python -m analysis.export", description="The tables of a run as JSON."
    )
    parser.add_argument(
        "run",
        type=Path,
        metavar="RUN",
        help="the folder of a run; for --device and --kerncraft also a device of the atlas",
    )
    parser.add_argument("table", nargs="?", metavar="TABLE", help="only this one, such as ceilings")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write each as DIR/TABLE.json instead"
    )
    whole = parser.add_mutually_exclusive_group()
    whole.add_argument(
        "--device",
        action="store_true",
        help="instead the device: its measured peak of each type and level, with source and date",
    )
    whole.add_argument(
        "--kerncraft", action="store_true", help="instead a machine file for kerncraft, of a CPU"
    )
    return parser


def _answer(args: argparse.Namespace) -> None:
    """Print or write what was asked for. Raises RidgelineError on bad input."""
    if args.device or args.kerncraft:
        _print_device(args)
        return
    tables, damage = tables_of(args.run)
    for sentence in damage:
        program.complain(_parser(), sentence)
    if args.table:
        if args.table not in tables:
            names = ", ".join(tables) or "none"
            raise RidgelineError(f"{args.run} has no table {args.table!r}; it has: {names}")
        tables = {args.table: tables[args.table]}
    if args.out:
        _write(args.run, args.out, tables)
    elif args.table:
        print(text_of(tables[args.table]))
    else:
        print(document(args.run, tables))


def _print_device(args: argparse.Namespace) -> None:
    """Print the device. Raises RidgelineError on bad input."""
    if args.table or args.out:
        raise RidgelineError("TABLE and --out go with the tables of a run, not with its device")
    device = measured_device(args.run)
    if args.kerncraft:
        print(machine_file(device), end="")
    else:
        print(json.dumps(as_json(device), indent=1, ensure_ascii=False))


def measured_device(place: Path) -> MeasuredDevice:
    """The device of a run, of an entry of an atlas, or of all entries in the atlas of this name.

    Raises RidgelineError if there is none.
    """
    if not place.exists():
        for known in devices_of(read_atlas(ATLAS)):
            if str(place) in (known.name, known.slug):
                last = known.entries[-1].run
                days = tuple(entry.day for entry in known.entries)
                version = last.versions.get("ridgeline", "")
                return MeasuredDevice(last.device, known.ceilings, days, version)
    ceilings: Mapping[str, Ceiling]
    if is_entry(place):
        entry = read_entry(place)
        run = entry.run
        ceilings = {ceiling.tag: ceiling for ceiling in entry.ceilings}
    else:
        run = read_run(place)
        ceilings = model(run).ceilings
    return MeasuredDevice(
        run.device, ceilings, (run.started[:10],), run.versions.get("ridgeline", "")
    )


def _write(run: Path, out: Path, tables: Mapping[str, Table]) -> None:
    """Write each table into a folder of its own. Raises RidgelineError where that cannot be."""
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        if out.resolve() == run.resolve():
            raise RidgelineError(f"--out {out} is the run itself, whose plan.json is another file")
        for name, table in tables.items():
            replace_file(out / f"{name}.json", text_of(table) + "\n")
            print(out / f"{name}.json")


if __name__ == "__main__":
    sys.exit(main())
