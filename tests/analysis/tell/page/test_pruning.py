"""The page and the terminal on pruning, from the files of a run to what people read."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.analyse import analyse
from analysis.export import tables_of
from analysis.outcome import Outcome, PruneOutcome
from analysis.tell.console import Console
from analysis.tell.on_pruning import on_pruning
from probes.records.patterns import PATTERNS_FILE, PatternRow
from probes.records.precision import ErrorRow
from probes.records.pruning import PRUNE_ERRORS_FILE, PRUNE_FILE, Pruning, read_pruning
from probes.records.run import Run, csv_text
from tests.analysis.draw.test_sparsity import MANY
from tests.analysis.prune.test_plan import ERRORS, plan
from tests.analysis.sparsity.rows import CALL, DEVICE, ROOFS, ROWS, SECONDS, layer

STARTED = "2026-11-28T19:00:00Z"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of which weights were pruned."""
    path = tmp_path_factory.mktemp("pruned")
    rows = [*ROOFS, CALL, *(layer(row, SECONDS[row.layer]) for row in ROWS)]
    run = Run(DEVICE, STARTED, {}, {"ridgeline": "0"}, measurements=rows)
    run.save(path)
    (path / PATTERNS_FILE).write_text(csv_text(MANY, PatternRow), encoding="utf-8")
    (path / PRUNE_ERRORS_FILE).write_text(csv_text(ERRORS, ErrorRow), encoding="utf-8")
    chosen = replace(plan(), chosen="fp32")
    (path / PRUNE_FILE).write_text(chosen.as_json(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def outcome(folder: Path) -> Outcome:
    return analyse(folder)


@pytest.fixture(scope="module")
def page(folder: Path, outcome: Outcome) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def pruning_of(outcome: Outcome) -> PruneOutcome:
    assert outcome.pruning is not None
    return outcome.pruning


def test_the_files_are_read_and_what_follows_is_written(folder: Path, outcome: Outcome) -> None:
    damage: list[str] = []
    assert read_pruning(folder, True, damage) == Pruning(
        patterns=list(MANY), errors=ERRORS, plan=replace(plan(), chosen="fp32")
    )
    assert not damage
    names = {path.name for path in folder.iterdir()}
    assert {"sparse.csv", "prune-patterns.png", "prune-sparse.png"} <= names


def test_sparse_csv_has_a_row_for_each_layer_and_says_why(folder: Path) -> None:
    text = (folder / "sparse.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["layer"]: row["why"] for row in rows} == {
        "large": "pays",
        "narrow": "not taken",
        "pointwise": "memory",
        "tiny": "launch",
        "depthwise": "no pattern",
    }
    (large,) = (row for row in rows if row["layer"] == "large")
    assert large["runs_here"] == "0" and large["sparse_roof"] == "compute/fp16/wgmma_sp-fp32"
    assert float(large["predicted_seconds"]) < float(large["seconds"])


def test_the_tables_are_handed_out_as_json(folder: Path) -> None:
    tables, damage = tables_of(folder)
    assert not damage
    assert len(tables["patterns"]) == len(MANY)
    assert len(tables["sparse"]) == len(ROWS)
    floors = {(row["layer"], row["pattern"], row["share_asked"]): row for row in tables["floors"]}
    assert floors["large", "unstructured", 0.9]["roof"] == "compute/fp16"
    assert floors["large", "2:4", 0.5]["roof"] == "compute/fp16/wgmma_sp-fp32"
    assert tables["prune-errors"]


def test_the_page_has_a_section_with_all_sentences_and_tables(page: str, outcome: Outcome) -> None:
    assert '<a href="#pruning">What to prune</a>' in page
    begin = page.index('<section aria-labelledby="pruning">')
    section = page[begin : page.index("</section>", begin)].replace("\u00a0", " ")
    answer = page[: page.index('id="roofline"')].replace("\u00a0", " ")
    assert pruning_of(outcome).sentences[0] in answer
    for sentence in pruning_of(outcome).sentences:
        assert sentence.replace("&", "&amp;") in section
    assert "n (b + 4) + 4 (R + 1)" in section
    assert "bound by memory" in section and "bound by the launch" in section


def test_the_terminal_tells_the_choice_first_and_the_patterns_below(
    outcome: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    Console().result(outcome)
    text = capsys.readouterr().out
    brief = text[text.index("What to prune") :]
    assert brief.splitlines()[1].startswith("Prune nothing")
    assert "unstructured 90 %" in brief
    Console(everything=True).result(outcome)
    text = capsys.readouterr().out
    assert "pointwise: 2:4 keeps 75 % of L1" in text


def test_a_run_that_ended_early_says_what_is_missing(folder: Path) -> None:
    (folder / PRUNE_FILE).rename(folder / "kept")
    try:
        early = pruning_of(analyse(folder))
    finally:
        (folder / "kept").rename(folder / PRUNE_FILE)
    assert on_pruning(early)[-1].startswith("Not found yet: the choice of what to prune.")


def test_a_damaged_plan_is_one_warning(folder: Path) -> None:
    before = (folder / PRUNE_FILE).read_text(encoding="utf-8")
    (folder / PRUNE_FILE).write_text("{", encoding="utf-8")
    damage: list[str] = []
    try:
        known = read_pruning(folder, True, damage)
    finally:
        (folder / PRUNE_FILE).write_text(before, encoding="utf-8")
    assert known is not None and known.plan is None and len(known.patterns) == len(MANY)
    (line,) = damage
    assert PRUNE_FILE in line
