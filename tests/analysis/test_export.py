"""The tables of a run as JSON are those of its CSV files, with types."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from analysis.export import main
from probes.records.table import unguarded
from tests.runs import ROOT

RUN = ROOT / "results" / "reference" / "nvidia-h200-resnet50"


def test_each_table_has_the_columns_and_rows_of_its_file(tmp_path: Path) -> None:
    assert main([str(RUN), "--out", str(tmp_path / "json")]) == 0
    for name in ("ceilings", "placements"):
        rows = json.loads((tmp_path / "json" / f"{name}.json").read_text(encoding="utf-8"))
        with (RUN / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        assert len(rows) == len(lines)
        for row, line in zip(rows, lines, strict=True):
            for column in ("device", "started", "dtype", "remark"):
                assert row[column] == unguarded(line[column])
            assert isinstance(row["trusted"], bool)
    assert isinstance(rows[0]["params"], dict)
    assert isinstance(rows[0]["seconds"], float)


def test_one_table_or_all_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(RUN), "ceilings"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert main([str(RUN)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["tables"]["ceilings"] == table
    assert set(document["tables"]) == {"measurements", "ceilings", "placements"}
    measured = document["tables"]["measurements"][0]
    assert measured["clock_hz"] is None or isinstance(measured["clock_hz"], float)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "nowhere is not a run of Ridgeline"),
        ([str(RUN), "roofs"], "has no table 'roofs'; it has: measurements, ceilings"),
        ([str(RUN), "--out", str(RUN)], "is the run itself"),
        ([str(RUN), "--out", "/proc/none"], "cannot write to --out /proc/none"),
        (["--nothing"], "see --help"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err
    assert printed.err.startswith("analysis.export: ")
    assert printed.err.count("\n") == 1


def test_damage_is_named_and_the_rest_is_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(RUN, tmp_path / "run")
    path = tmp_path / "run" / "measurements.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:5], "2,torn\n"]), encoding="utf-8")
    assert main([str(tmp_path / "run"), "measurements"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == 4
    assert "measurements.csv line 6 is damaged and left out" in printed.err
