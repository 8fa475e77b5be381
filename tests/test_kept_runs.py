"""A run of every past version is kept here, and is read, modelled, exported and drawn.

Each was written by the program of its day, named by its schema and that day; rows were left out of
the larger ones, and nothing else was touched.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from analysis.analyse import analyse
from analysis.export import document, tables_of
from probes.records.measurement import SCHEMA_VERSION
from probes.records.patterns import PATTERNS_SCHEMA
from probes.records.precision import PLAN_SCHEMA
from probes.records.run import read_run

KEPT = sorted((Path(__file__).parent / "kept_runs").iterdir())


def schema_of(folder: Path) -> int:
    """The schema that a kept run says it has."""
    facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return int(facts["schema_version"])


def test_a_run_of_every_version_is_kept() -> None:
    assert {schema_of(folder) for folder in KEPT} == set(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_it_is_read_whole(folder: Path) -> None:
    run = read_run(folder)
    with (folder / "measurements.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert run.damage == []
    assert [row.ceiling for row in run.measurements] == [line["ceiling"] for line in lines]
    assert [repr(row.seconds_median or "") for row in run.measurements] == [
        line["seconds_median"] or repr("") for line in lines
    ]


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_it_is_analysed_and_drawn_by_the_program_of_today(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    outcome = analyse(copy)
    assert outcome.ceilings
    assert {"ceilings.csv", "roofline.svg", "report.html"} <= {file.name for file in outcome.files}


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_it_is_exported(folder: Path) -> None:
    tables, damage = tables_of(folder)
    assert damage == []
    exported = json.loads(document(folder, tables))["tables"]
    assert exported == tables
    assert len(exported["measurements"]) == len(read_run(folder).measurements)


def test_a_planned_run_is_exported_with_its_tables() -> None:
    folder = kept("schema-2-plan-1-2026-11-28")
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    assert plan["schema_version"] == PLAN_SCHEMA
    tables, _ = tables_of(folder)
    assert {"stages", "ranges", "errors", "plan"} <= tables.keys()
    assert tables["stages"][0]["nodes"] == ["conv1", "relu1"]
    assert isinstance(tables["ranges"][0]["histogram"], list)
    assert isinstance(tables["plan"][0]["seconds"], dict)


def test_a_pruned_run_is_exported_with_its_tables() -> None:
    folder = kept("schema-2-prune-1-2026-11-28")
    tables, _ = tables_of(folder)
    assert {"patterns", "prune-errors", "sparse"} <= tables.keys()
    assert {row["schema_version"] for row in tables["patterns"]} == {PATTERNS_SCHEMA}
    assert {row["why"] for row in tables["sparse"]} == {"no unit", "no pattern"}


def kept(name: str) -> Path:
    """The kept run of this name."""
    (folder,) = (folder for folder in KEPT if folder.name == name)
    return folder


def test_what_schema_1_kept_elsewhere_stands_in_its_columns() -> None:
    rows = read_run(kept("schema-1-2026-11-25")).measurements
    points = [row for row in rows if row.ceiling.startswith("sweep/")]
    assert points
    assert all(row.x is not None for row in points)
    emulated = [row for row in rows if row.emulated]
    assert emulated
    assert all("int4" in row.ceiling for row in emulated)


def test_doubts_that_schema_1_told_in_remarks_are_no_remarks() -> None:
    rows = read_run(kept("schema-1-2026-11-23")).measurements
    assert not any("not quiet" in row.reason for row in rows)
