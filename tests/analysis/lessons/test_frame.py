"""Every lesson is complete, and a verdict says no more than the intervals do."""

from __future__ import annotations

import pytest

from analysis.lessons.frame.evidence import Evidence, Untold, Untried
from analysis.lessons.frame.interval import Interval, all_of, any_of, negated
from analysis.lessons.frame.lesson import Lesson, all_lessons, choose
from analysis.lessons.frame.trial import FAILS, HOLDS, UNDECIDED, UNTRIED, Finding
from analysis.model.roofline import Roofline
from analysis.tell.on_lessons import answer, lines
from probes.command import lessons as of_lessons
from probes.records.measurement import RidgelineError
from tests.devices import CPU

COLUMNS = 80
LONGEST_NAME = 18


def evidence() -> Evidence:
    """Of a run without a row."""
    return Evidence(CPU, (), (), {}, Roofline((), ()))


def lesson(finding: Finding | Exception) -> Lesson:
    """A lesson whose rule finds this."""

    def judge(_: Evidence) -> Finding:
        if isinstance(finding, Exception):
            raise finding
        return finding

    return Lesson(name="made-up", title="t", claim="c", source="s", rule="r", needs=(), judge=judge)


@pytest.mark.parametrize("name", all_lessons())
def test_a_lesson_fits_a_line_and_says_where_it_comes_from(name: str) -> None:
    made = all_lessons()[name]
    assert made.name == name
    assert len(name) <= LONGEST_NAME
    trial = made.trial(evidence())
    assert all(len(line) <= COLUMNS for line in lines([trial]))
    assert all((made.claim, made.source, made.rule, made.needs))
    assert trial.command.endswith(f"--lessons {name}")


@pytest.mark.parametrize("name", all_lessons())
def test_without_its_rows_a_lesson_is_not_judged_and_says_why(name: str) -> None:
    trial = all_lessons()[name].trial(evidence())
    assert trial.verdict in (UNTRIED, UNDECIDED)
    assert trial.reason


def test_every_need_names_a_probe() -> None:
    for made in all_lessons().values():
        probes = of_lessons.probes(made.needs)
        assert {probe.name for probe in probes} == {need.probe for need in made.needs}


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (Finding(True, "e"), HOLDS),
        (Finding(False, "e"), FAILS),
        (Finding(None, "e"), UNDECIDED),
        (Untold("why"), UNDECIDED),
        (Untried("why"), UNTRIED),
    ],
)
def test_the_rule_makes_the_verdict(finding: Finding | Exception, verdict: str) -> None:
    trial = lesson(finding).trial(evidence())
    assert trial.verdict == verdict
    assert bool(trial.reason) == (verdict in (UNDECIDED, UNTRIED))


def test_an_interval_that_holds_the_border_tells_nothing() -> None:
    near = Interval(0.9, 1.0, 1.1)
    assert near.above(1.0) is None
    assert near.above(0.8) is True
    assert near.above(1.2) is False
    assert near.below(1.2) is True
    assert near.over(Interval(2.0, 2.5, 3.0)) == Interval(0.3, 0.4, 0.55)


def test_no_is_stronger_than_unknown() -> None:
    assert all_of([True, None, False]) is False
    assert all_of([True, None]) is None
    assert any_of([False, None]) is None
    assert any_of([None, True]) is True
    assert negated(None) is None


def test_the_answer_counts_each_verdict() -> None:
    trials = [
        lesson(finding).trial(evidence())
        for finding in (Finding(True, ""), Finding(False, ""), Untried("no"))
    ]
    said = answer(trials)
    assert said == "1 of 3 claims of the textbook holds here, 1 does not, 1 cannot be tried."


def test_a_lesson_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(
        RidgelineError, match=r"no lesson is called 'nought'; there are: .*batch-fc"
    ):
        choose(["nought"])
