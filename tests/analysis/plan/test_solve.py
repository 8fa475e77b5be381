"""The solver against every choice there is, on small networks."""

from __future__ import annotations

import itertools
import random
import sys

import pytest

from analysis.plan.solve import OUTSIDE, Choice, Problem, Tensor, solved
from probes.records.measurement import RidgelineError

PRECISIONS = ("fp32", "fp16", "int8")
NOISE = {"fp32": 0.0, "fp16": 1e-6, "int8": 1e-3}


def random_problem(seed: int) -> Problem:
    """A network of up to 12 stages with branches, residuals, and stages that pass values on."""
    chance = random.Random(seed)
    count = chance.randint(1, 12 if seed % 3 else 7)
    names = PRECISIONS if count <= 7 else chance.choice((("fp32", "int8"), ("fp32", "fp16")))
    choices = {}
    writers: dict[str, tuple[str, list[str]]] = {"input": (OUTSIDE, [])}
    for place in range(count):
        stage = f"stage {place}"
        passes = chance.random() < 0.2
        in_fp32 = chance.uniform(1e-6, 50e-6)
        of_stage = [Choice("fp32", in_fp32, 0.0)]
        for name in names[1:]:
            if chance.random() < 0.85:
                seconds = in_fp32 * chance.choice((1.0, chance.uniform(0.2, 1.2)))
                noise = 0.0 if passes else NOISE[name] * 10 ** chance.uniform(-2, 1)
                of_stage.append(Choice(name, seconds, noise))
        choices[stage] = of_stage
        for tensor in chance.sample(list(writers), k=min(len(writers), chance.choice((1, 1, 2)))):
            writers[tensor][1].append(stage)
        writers[f"tensor {place}"] = stage, []
    tensors = []
    for name, (writer, readers) in writers.items():
        outside = [OUTSIDE] if not readers or chance.random() < 0.1 else []
        costs = {
            (source, target): chance.uniform(0.1e-6, 8e-6)
            for source, target in itertools.permutations(PRECISIONS, 2)
        }
        tensors.append(Tensor(name, writer, (*readers, *outside), costs))
    return Problem(choices, tensors)


def by_brute_force(problem: Problem, budget: float | None) -> float:
    """The least objective of every choice within the budget."""
    names = [[choice.precision for choice in choices] for choices in problem.choices.values()]
    least = float("inf")
    for combination in itertools.product(*names):
        precisions = dict(zip(problem.choices, combination, strict=True))
        if budget is None or problem.noise(precisions) <= budget:
            least = min(least, problem.objective(precisions))
    return least


@pytest.mark.parametrize("seed", range(60))
def test_the_solver_finds_what_brute_force_finds(seed: int) -> None:
    problem = random_problem(seed)
    most = sum(max(choice.noise for choice in choices) for choices in problem.choices.values())
    for budget in (None, 0.0, 0.03 * most, 0.3 * most):
        found = solved(problem, budget)
        assert problem.objective(found) == pytest.approx(by_brute_force(problem, budget), rel=1e-6)
        assert budget is None or problem.noise(found) <= budget * (1 + 1e-6)


def chain(*stages: tuple[float, float], border: float, noise: float = 1e-3) -> Problem:
    """Stages in a row, each with its seconds in FP32 and INT8."""
    choices = {}
    tensors = []
    names = [f"stage {place}" for place in range(len(stages))]
    for name, (in_fp32, in_int8) in zip(names, stages, strict=True):
        choices[name] = [Choice("fp32", in_fp32, 0.0), Choice("int8", in_int8, noise)]
    seconds = {("fp32", "int8"): border, ("int8", "fp32"): border}
    for writer, reader in itertools.pairwise((OUTSIDE, *names, OUTSIDE)):
        tensors.append(Tensor(f"after {writer}", writer, (reader,), seconds))
    return Problem(choices, tensors)


def test_what_gains_nothing_stays_in_floats() -> None:
    problem = chain((10e-6, 10e-6), (10e-6, 2e-6), border=0.0)
    assert solved(problem) == {"stage 0": "fp32", "stage 1": "int8"}


def test_a_gain_smaller_than_its_borders_is_none() -> None:
    assert set(solved(chain((10e-6, 7e-6), border=2e-6)).values()) == {"fp32"}
    assert set(solved(chain((10e-6, 7e-6), border=1e-6)).values()) == {"int8"}


def test_a_stage_that_gains_nothing_goes_along_where_that_saves_borders() -> None:
    problem = chain((10e-6, 2e-6), (1e-6, 1e-6), (10e-6, 2e-6), border=1e-6)
    assert set(solved(problem).values()) == {"int8"}


def test_the_budget_keeps_the_worst_in_floats() -> None:
    problem = chain((10e-6, 2e-6), (10e-6, 2e-6), border=0.0)
    assert list(solved(problem, 1.5e-3).values()).count("int8") == 1
    assert list(solved(problem, 2e-3).values()).count("int8") == 2


def test_a_border_is_paid_once_for_all_readers() -> None:
    seconds = {("fp32", "int8"): 1e-6, ("int8", "fp32"): 1e-6}
    choices = {name: [Choice("fp32", 1e-6, 0.0), Choice("int8", 1e-7, 0.0)] for name in "ab"}
    problem = Problem(choices, [Tensor("input", OUTSIDE, ("a", "b"), seconds)])
    assert problem.seconds({"a": "int8", "b": "int8"}) == pytest.approx(1.2e-6)
    assert set(solved(problem).values()) == {"int8"}


def test_without_scipy_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(RidgelineError, match=r"pip install -e '\.\[plan\]'"):
        solved(chain((1e-6, 1e-7), border=0.0))
