"""The tail of noise is measured whatever its distribution, and faults do not hide in it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from analysis.fleet.tail import reach

NODES, ROWS, ALARMS = 600, 6, 0.01
FAULT = 60.0
"""In times the noise."""

Draw = Callable[[random.Random], float]


def normal(chance: random.Random) -> float:
    """Of the normal distribution."""
    return chance.gauss(0, 1)


def laplace(chance: random.Random) -> float:
    """Of Laplace's."""
    return chance.expovariate(1) * chance.choice((-1, 1))


def student(chance: random.Random) -> float:
    """Of Student's with three degrees of freedom, whose tail is a power."""
    return chance.gauss(0, 1) / (sum(chance.gauss(0, 1) ** 2 for _ in range(3)) / 3) ** 0.5


def fleet(draw: Draw, seed: int, faults: int = 0, nodes: int = NODES) -> list[list[float]]:
    """Distances of the nodes, the first of which have a fault in one row."""
    chance = random.Random(seed)
    by_node = [[draw(chance) for _ in range(ROWS)] for _ in range(nodes)]
    for node in by_node[:faults]:
        node[0] = FAULT + chance.random()
    return by_node


@pytest.mark.parametrize("draw", [normal, laplace, student])
def test_chance_stays_within_reach(draw: Draw) -> None:
    beyond = 0
    for seed in range(40):
        by_node = fleet(draw, seed)
        beyond += max(map(max, by_node)) > reach(by_node, ALARMS)
    assert beyond <= 2


@pytest.mark.parametrize(("draw", "faults"), [(normal, 1), (normal, 60), (laplace, 20)])
def test_faults_do_not_make_the_tail_heavy(draw: Draw, faults: int) -> None:
    for seed in range(5):
        assert reach(fleet(draw, seed, faults), ALARMS) < FAULT


def test_a_heavy_tail_reaches_further() -> None:
    reached = [reach(fleet(draw, 1), ALARMS) for draw in (normal, laplace, student)]
    assert reached == sorted(reached)
    assert reached[0] < 10 < 25 < reached[2]


def test_of_few_distances_an_exponential_tail_is_fitted() -> None:
    assert 5 < reach(fleet(normal, 1, nodes=8), ALARMS) < 40
    assert reach([[1.0], [2.0]], ALARMS) == float("inf")
