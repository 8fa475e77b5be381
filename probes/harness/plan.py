"""What a run asks, and how long it samples each case: one budget for all, so that new cases never
lengthen a run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from probes.harness.case import Case
from probes.harness.clocks.sampling import Rule
from probes.harness.clocks.statistics import FEWEST
from probes.records.layer import LISTED
from probes.records.tag import LAYER, Sweep

SAMPLE_SECONDS = {"cpu": 0.010, "cuda": 0.004}
"""A sample outlasts launch costs a hundredfold, and is short enough to fall between two
preemptions.
"""
WARM_SECONDS = {"cpu": 0.0, "cuda": 0.010}
"""A GPU lowers its clock within some milliseconds of a heavy load; a CPU's is probed beside every
sample.
"""
TOTAL_SECONDS = {"cpu": 24.0, "cuda": 6.0}
"""Sampling time of a whole run. A GPU is quiet within some samples, and has many more ceilings."""
QUICK_SECONDS = 0.8
QUICK_SHORTER = 2  # times: samples of a quick run, and the warming before them
ROUNDS, QUICK_ROUNDS = {"cpu": 3, "cuda": 2}, 1
MOST, LEAST = 0.6, 0.014  # seconds of one case and round
SETTLING = {"cpu": 0.08, "cuda": 0.0}
"""Until the threads of a runtime that has just started run side by side."""
TWIN = "numba"  # the backend that measures again what another measures: not in a quick run
POINT_SECONDS = 0.002  # of one sample of a point of a sweep
STEADY_SECONDS = 0.001
"""Of one sample of a point that stays inside a core: short enough to fall whole into a moment
without a neighbour.
"""
STEADY_FEWEST = 40
"""Samples of a turn of such a point, at least: its fastest ones speak for it, so there must be a
choice.
"""
STEADY_BUDGET = 0.06  # seconds of such a point and turn where a neighbour comes and goes
SHORTEST_SECONDS = {"cpu": 0.001}
"""Of a sample beside other load, whose turns on a core last some milliseconds; elsewhere samples
keep their length.
"""
TURN, QUICK_TURN = 3, 1  # times the budget of a case, for each other that is timed in turn with it


def rounds(kind: str, quick: bool) -> int:
    """How often each case is visited."""
    return QUICK_ROUNDS if quick else ROUNDS[kind]


def chosen(
    asked: Iterable[tuple[str, Case]], full: bool, quick: bool
) -> Iterator[tuple[str, Case]]:
    """Those (probe, case) that a run measures: each once, full ones only when wanted, few points of
    a curve if quick.

    A quick run takes every other point of a curve, and none between those that a plain run asks;
    nor does it ask twins in Numba, whose compilation takes longer than their measurement. A layer
    of a network, or of a list, has no place on a curve, and is never left out.
    """
    asked = list(asked)
    plain = {_curve(case) for _, case in asked if not case.full}
    seen, points = set[str](), dict[tuple[Any, ...], int]()
    for probe, case in asked:
        curve = _curve(case)
        key = json.dumps(
            [case.kernel.name, case.dtype, case.backend, case.ceiling, case.x, dict(case.params)],
            sort_keys=True,
        )
        if key in seen or (quick and case.backend == TWIN):
            continue
        if case.full and (not full or (quick and is_point(case) and curve in plain)):
            continue
        seen.add(key)
        points[curve] = points.get(curve, -1) + 1
        placed = case.x is not None and case.params.get("over") != LISTED
        if not (quick and is_point(case) and placed and points[curve] % 2):
            yield probe, case


def _curve(case: Case) -> tuple[Any, ...]:
    """What the points of one curve have in common."""
    return case.ceiling, case.dtype, case.backend, case.params.get("series")


def is_point(case: Case) -> bool:
    """Whether a case is one of many, a point of a sweep or a layer, which no ceiling rests on."""
    return isinstance(case.tag, Sweep) or case.tag.quantity == LAYER


def rules(kind: str, cases: Iterable[Case], quick: bool) -> Callable[[Case], Rule]:
    """The stopping rule of each case when these share the time of a run. A point of a sweep gets
    the least of it.
    """
    whole = rule_for(kind, sum(not is_point(case) for case in cases), quick)
    least = LEAST * rounds(
        kind, quick
    )  # a point has one turn, as long as all turns of another case
    point = replace(
        whole, sample_seconds=POINT_SECONDS, budget_seconds=least, warm_seconds=0.0, fewest=FEWEST
    )
    steady = replace(
        point, sample_seconds=STEADY_SECONDS, budget_seconds=STEADY_BUDGET, fewest=STEADY_FEWEST
    )
    layer = replace(point, warm_seconds=SETTLING[kind])
    turn = QUICK_TURN if quick else TURN

    def rule(case: Case) -> Rule:
        """What is timed in turn with others needs its own time for each of them."""
        of_sweep = steady if case.steady else point
        of_point = layer if case.tag.quantity == LAYER else of_sweep
        mine = of_point if is_point(case) else whole
        return replace(mine, budget_seconds=mine.budget_seconds * (1 + turn * len(case.beside)))

    return rule


def rule_for(kind: str, cases: int, quick: bool) -> Rule:
    """The stopping rule when so many cases share the time of a run."""
    visits = rounds(kind, quick)
    share = (QUICK_SECONDS if quick else TOTAL_SECONDS[kind]) / max(1, cases * visits)
    budget = min(MOST, max(LEAST, share))
    shorter = QUICK_SHORTER if quick else 1
    sample, warm = SAMPLE_SECONDS[kind] / shorter, WARM_SECONDS[kind] / shorter
    shortest = SHORTEST_SECONDS.get(kind, math.inf)
    return Rule(sample, budget, warm, fewest=math.ceil(FEWEST / visits), shortest_seconds=shortest)
