"""A run's files: self-contained, the same every time, and honest about what is missing."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from analysis.analyse import analyse, model, subtitle
from analysis.model.ceilings import ceilings
from analysis.tell.report import summary
from probes.records.measurement import FAILED, SKIPPED
from probes.records.run import COMPLETE, PARTIAL, Run, read_run
from tests.analysis.tell.page.reading import markup_of
from tests.devices import GPU, measurement

ROWS = [
    measurement("compute/fp32", 4.5e13),
    measurement("bandwidth/dram/copy", 6.9e11),
    measurement("compute/fp64", status=FAILED, reason="out[0] is <b>3</b>, should be 4"),
    measurement("compute/bf16", status=SKIPPED, reason="sm_75 has no bf16"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = Run(
        GPU,
        "2030-01-02T03:04:05Z",
        {"quick": False},
        {"python": "3.12"},
        status=COMPLETE,
        measurements=ROWS,
    )
    run.warnings.append("the GPU's clock is held down: software power cap")
    run.save(tmp_path)
    analyse(tmp_path)
    return tmp_path


def test_all_files_are_there(folder: Path) -> None:
    names = {
        "run.json",
        "measurements.csv",
        "ceilings.csv",
        "roofline.png",
        "roofline.svg",
        "report.html",
    }
    assert {p.name for p in folder.iterdir()} == names
    assert (folder / "roofline.png").read_bytes().startswith(b"\x89PNG")


def test_ceilings_table_reads_back(folder: Path) -> None:
    rows = list(csv.DictReader((folder / "ceilings.csv").open(encoding="utf-8")))
    by_tag = {row["tag"]: row for row in rows}
    assert list(by_tag) == [
        "bandwidth/dram",
        "bandwidth/dram/copy",
        "compute/bf16",
        "compute/fp32",
        "compute/fp64",
    ]
    assert float(by_tag["compute/fp32"]["rate"]) == pytest.approx(4.5e13)
    assert by_tag["compute/fp64"]["rate"] == ""
    assert list(rows[0])[:3] == ["schema_version", "device", "started"]


def test_the_report_opens_offline_and_escapes(folder: Path) -> None:
    page = markup_of((folder / "report.html").read_text(encoding="utf-8"))
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "<b>3</b>" not in page
    assert "&lt;b&gt;3&lt;/b&gt;" in page


@pytest.mark.parametrize(
    "text", ["Made-up GPU", "45.0 TFLOP/s", "sm_75 has no bf16", "software power cap", "690 GB/s"]
)
def test_the_report_says_what_was_found(folder: Path, text: str) -> None:
    assert text in (folder / "report.html").read_text(encoding="utf-8")


def test_the_exact_value_stands_behind_the_rounded_one(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    exact = next(m.rate for m in ROWS if m.ceiling == "compute/fp32")
    assert f'<td title="{exact!r} FLOP/s">45.0 TFLOP/s</td>' in page
    assert '<td title="51200000000000.0 FLOP/s">51.2 TFLOP/s</td>' in page  # rated clock
    assert '<td title="48640000000000.0 FLOP/s">48.6 TFLOP/s</td>' in page  # observed clock


def test_the_summary_names_the_best_and_the_failed() -> None:
    run = Run(GPU, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=ROWS)
    assert summary(run, ceilings(ROWS, GPU)) == [
        "DRAM gives 690 GB/s, 92.0 % of theory.",
        "Ridge points over DRAM, in operations per byte: 65.2 for FP32.",
        "2 cases measured, 1 skipped, 1 failed.",
        "Failed: compute/fp64 (raw).",
    ]


def test_clocks_that_differ_are_told_as_a_range() -> None:
    rows = [
        measurement("compute/fp32", clock_hz=1.98e9),
        measurement("compute/fp16/mma-fp32", clock_hz=1.41e9),
    ]
    run = Run(GPU, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=rows)
    assert subtitle(model(run)) == "measured at 1.41 GHz to 1.98 GHz · trust: good · 2030-01-02"


def test_a_failed_roof_is_not_drawn(folder: Path) -> None:
    assert 'id="bandwidth/dram"' in (folder / "roofline.svg").read_text()
    assert [r.tag for r in model(read_run(folder)).model.compute] == ["compute/fp32"]


def test_the_same_rows_give_the_same_files(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    analyse(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_partial_run_says_so_everywhere(tmp_path: Path) -> None:
    run = Run(GPU, "2030-01-02T03:04:05Z", {}, {}, status=PARTIAL, measurements=ROWS[:2])
    run.save(tmp_path)
    outcome = analyse(tmp_path)
    assert "partial run" in subtitle(outcome)
    assert "This run is partial" in (tmp_path / "report.html").read_text()
