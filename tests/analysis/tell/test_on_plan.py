"""What to quantize on a terminal and in tables: few lines, and never silence on what is missing."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from textwrap import wrap

import pytest

from analysis.analyse import INCHES, model
from analysis.draw.plan.pictures import plan_figures
from analysis.outcome import Outcome, PlanOutcome
from analysis.tell.columns import file_of
from analysis.tell.on_plan import MOST_LINES, TITLE, missing, on_plan
from analysis.tell.page.document import html
from analysis.tell.plan_columns import (
    MOST_RECIPES,
    STAGE_COLUMNS,
    decibels,
    errors_alone,
    recipes_in_brief,
    stages_of,
)
from analysis.units import NO_BREAK
from probes.records.precision import MOST_DB, Precision, read_precision
from probes.records.run import Run
from tests.analysis.layer_rows import run_of
from tests.analysis.plan_rows import Made, save, stage_name
from tests.analysis.tell.test_console import shown

NETWORK = Made(12)


@cache
def known() -> Precision:
    return NETWORK.known()


def outcome_of(part: Precision, run: Run | None = None) -> Outcome:
    return model(run or NETWORK.run(), part)


def plan_of(part: Precision, run: Run | None = None) -> PlanOutcome:
    plan = outcome_of(part, run).plan
    assert plan
    return plan


def block(lines: Sequence[str]) -> list[str]:
    """The lines on the plan: from its title to what says how far the run can be trusted."""
    begin = lines.index(TITLE)
    end = next(i for i, line in enumerate(lines) if line.startswith("TRUST"))
    return [line for line in lines[begin + 1 : end] if line.strip()]


def test_the_choice_comes_first_in_few_lines() -> None:
    plan = plan_of(known())
    sentences = on_plan(plan)
    assert sentences[0].startswith("Chosen: plan ")
    assert sum(len(wrap(text, 80, subsequent_indent="  ")) for text in sentences) <= MOST_LINES
    assert len(sentences) < len(plan.sentences)
    assert on_plan(None) == []


@pytest.mark.parametrize("columns", [120, 80, 60, 40])
def test_the_block_fits_the_terminal(columns: int) -> None:
    lines = block(shown(outcome_of(known()), columns))
    assert max(map(len, lines)) <= columns
    text = " ".join("\n".join(lines).split())
    assert "Chosen: plan " in text


def test_in_80_columns_all_that_counts_of_a_recipe_is_there() -> None:
    plan = plan_of(known())
    assert plan.study and plan.study.chosen
    lines = block(shown(outcome_of(known()), 80))
    assert len(lines) <= MOST_LINES + MOST_RECIPES + 3
    (row,) = [line for line in lines if line.rstrip().endswith(" chosen") and "within" not in line]
    assert row.split()[:2] == plan.study.plan.chosen.split()
    assert " ms " in row or " µs " in row
    assert " % to " in row and " yes " in row


def test_a_run_without_a_plan_says_nothing_of_it() -> None:
    outcome = model(NETWORK.run())
    assert outcome.plan is None
    assert TITLE not in shown(outcome, 80)


def test_all_of_it_has_a_line_for_each_stage() -> None:
    plan = plan_of(known())
    text = "\n".join(shown(outcome_of(known()), 200, everything=True))
    for verdict in plan.verdicts:
        assert f"  {verdict.sentence}" in text
    for sentence in plan.sentences:
        assert sentence in " ".join(text.split())


def test_of_many_recipes_the_chosen_and_the_front_are_shown() -> None:
    study = plan_of(known()).study
    assert study
    kept = [point.name for point in study.points if point.chosen or point.on_front]
    brief = [point.name for point in recipes_in_brief(study.points, len(kept))]
    assert set(brief) == set(kept)
    times = [point.seconds for point in recipes_in_brief(study.points)]
    assert times == sorted(times, key=lambda seconds: seconds or 0.0)
    untimed = [dataclasses.replace(point, seconds=None) for point in study.points]
    assert len(recipes_in_brief([*untimed, *study.points])) == MOST_RECIPES


@pytest.mark.parametrize(
    ("part", "lacks"),
    [
        (Precision(known().stages), ["ranges of activations", "errors of the stages"]),
        (Precision(known().stages, known().ranges), ["errors of the stages", "the choice"]),
        (
            Precision(
                known().stages,
                known().ranges,
                [row for row in known().errors if row.stage],
            ),
            ["the recipes to run", "the choice"],
        ),
        (
            Precision(
                known().stages,
                known().ranges,
                [row for row in known().errors if row.stage],
                NETWORK.plan(""),
            ),
            ["errors of the recipes", "the choice"],
        ),
        (
            Precision(known().stages, known().ranges, known().errors, NETWORK.plan("")),
            ["the choice"],
        ),
        (Precision(ranges=known().ranges), ["the network's stages"]),
    ],
)
def test_an_interrupted_run_shows_what_there_is_and_says_what_is_not(
    part: Precision, lacks: list[str], tmp_path: Path
) -> None:
    assert set(lacks) <= set(missing(part))
    run = run_of(*NETWORK.layer_rows())
    sentence = on_plan(plan_of(part, run))[-1]
    assert sentence.startswith("Not found yet: ")
    for what in lacks:
        assert what in sentence
    run.save(tmp_path)
    save(part, tmp_path)
    stored = read_precision(tmp_path, run.guarded, run.damage)
    if not part.stages:
        return
    outcome = outcome_of(stored or Precision(), run)
    assert outcome.plan and not run.damage
    pictures = set(plan_figures(outcome.plan, outcome.run.device, INCHES))
    assert ("plan-ranges-1" in pictures) == bool(part.ranges)
    assert ("plan-inputs" in pictures) == bool(part.ranges)
    assert ("plan-front" in pictures) == bool(part.plan)
    assert bool(outcome.plan.verdicts) == bool(part.errors)
    page = html(outcome, {}, {}).replace(NO_BREAK, " ")
    assert sentence in page


def test_nothing_is_missing_in_a_whole_run() -> None:
    assert missing(known()) == []


def test_the_file_of_stages_holds_every_verdict() -> None:
    plan = plan_of(known())
    rows = list(csv.DictReader(io.StringIO(file_of(STAGE_COLUMNS, stages_of(plan)))))
    assert [row["stage"] for row in rows] == NETWORK.names
    for row, verdict in zip(rows, plan.verdicts, strict=True):
        assert row["network"] == plan.network
        assert row["precision"] == verdict.precision
        assert float(row["gain_seconds"]) == verdict.gain_seconds
        assert float(row["sqnr_db"]) == verdict.sqnr_db
        assert json.loads(row["seconds"]) == verdict.seconds
        assert row["sentence"] == verdict.sentence


def test_errors_alone_are_shown_before_there_is_a_plan() -> None:
    part = Precision(known().stages, [], known().errors)
    verdicts = errors_alone(part)
    assert [verdict.sqnr_db for verdict in verdicts] == list(NETWORK.sqnr_db.values())
    assert verdicts[1].sentence.startswith(f"{stage_name(1)}: ")
    assert verdicts[1].sentence.endswith(" dB in INT8")
    assert errors_alone(Precision(known().stages)) == []


def test_ratios_are_told_in_decibels() -> None:
    assert [decibels(ratio) for ratio in (31.42, -2.0, MOST_DB, None)] == [
        "31.4 dB",
        "-2.0 dB",
        "no error",
        "–",
    ]
