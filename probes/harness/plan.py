"""What a run asks, and how long it samples each case.

All cases share one budget, so that new ones never lengthen a run.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from probes.harness.case import Case
from probes.harness.clocks.sampling import Rule
from probes.harness.clocks.statistics import FEWEST
from probes.records.layer import LISTED
from probes.records.tag import LAYER, Sweep

SAMPLE_SECONDS = {"cpu": 0.010, "cuda": 0.004}
"""Of a sample: it outlasts launch costs a hundredfold, and falls between two preemptions."""
WARM_SECONDS = {"cpu": 0.0, "cuda": 0.010}
"""Before the first sample. A GPU lowers its clock within some milliseconds of a heavy load; a
CPU's is probed beside every sample.
"""
TOTAL_SECONDS = {"cpu": 24.0, "cuda": 5.0}
"""Sampling time of a whole run. A GPU is quiet within some samples, and has many more ceilings."""
QUICK_SECONDS = 0.8
"""The same of a quick run."""
QUICK_SHORTER = 2
"""Times: samples of a quick run, and the warming before them."""
ROUNDS = {"cpu": 3, "cuda": 2}
QUICK_ROUNDS = 1
MOST_SECONDS = 0.6
LEAST_SECONDS = 0.014
"""Of one case and round."""
SETTLING = {"cpu": 0.08, "cuda": 0.0}
"""Until the threads of a runtime that has just started run side by side."""
TWIN = "numba"
"""The backend that measures again what another measures: not in a quick run."""
POINT_SECONDS = 0.002
"""Of one sample of a point of a sweep."""
STEADY_SECONDS = 0.001
"""Of one sample of a point that stays inside a core: it may fall whole into a moment without a
neighbour.
"""
STEADY_FEWEST = 40
"""Samples of a turn of such a point, at least: there must be a choice, since its fastest ones speak
for it.
"""
STEADY_BUDGET = 0.06
"""Seconds of such a point and turn where a neighbour comes and goes."""
SHORTEST_SECONDS = {"cpu": 0.001}
"""Of a sample beside other load, whose turns on a core last some milliseconds; elsewhere samples
keep their length.
"""
TOGETHER_SECONDS = 0.05
"""Of a sample during which the host's CPU works, too: each of its threads ends several passes over
its part of an array in that time.
"""
QUICK_WAYS, PLAIN_WAYS = 1, 2
"""How many of the ways that a case names such a run tries; a full one tries all."""
SEARCH_SECONDS, FULL_SEARCH_SECONDS = 0.05, 0.5
"""Of samples of the ways of a case."""
BESIDE_SHARE = 3
QUICK_BESIDE_SHARE = 1
"""Times the budget of a case, for each other that is timed in turn with it."""


def rounds(kind: str, quick: bool) -> int:
    """How many turns each case has, unless it is a point."""
    return QUICK_ROUNDS if quick else ROUNDS[kind]


def chosen(
    asked: Iterable[tuple[str, Case]], full: bool, quick: bool
) -> Iterator[tuple[str, Case]]:
    """Those (probe, case) that a run measures: each once, and full ones only if ``full``.

    A quick run takes every other point of a curve, and none between those that a plain run asks;
    nor does it ask twins in Numba, whose compilation takes longer than their measurement. A layer
    of a network, or of a list, has no place on a curve, and is never left out.
    """
    asked = list(asked)
    curves_of_plain_runs = {_curve(case) for _, case in asked if not case.full}
    keys_so_far = set[str]()
    points_so_far = Counter[tuple[Any, ...]]()
    for probe, case in asked:
        curve = _curve(case)
        key = json.dumps(
            [case.kernel.name, case.dtype, case.backend, case.ceiling, case.x, dict(case.params)],
            sort_keys=True,
        )
        if key in keys_so_far:
            continue
        if quick and case.backend == TWIN:
            continue
        if case.full and not full:
            continue
        between_plain_points = case.full and is_point(case) and curve in curves_of_plain_runs
        if quick and between_plain_points:
            continue
        keys_so_far.add(key)
        is_odd_point = points_so_far[curve] % 2 == 1
        points_so_far[curve] += 1
        placed = case.x is not None and case.params.get("over") != LISTED
        if quick and is_point(case) and placed and is_odd_point:
            continue
        yield probe, case


def _curve(case: Case) -> tuple[Any, ...]:
    """What the points of one curve have in common."""
    return case.ceiling, case.dtype, case.backend, case.params.get("series")


def is_point(case: Case) -> bool:
    """True if a case is one of many, a point of a sweep or a layer, which no ceiling rests on."""
    return isinstance(case.tag, Sweep) or case.tag.quantity == LAYER


def rules(
    kind: str,
    cases: Iterable[Case],
    quick: bool,
    turns: int | None = None,
    full: bool = False,
) -> Callable[[Case], Rule]:
    """The stopping rule of each case when these share the time of a run.

    A point of a sweep gets the least of it. turns: of each case; None: as many as a run has.
    """
    ceilings = sum(not is_point(case) for case in cases)
    of_ceiling = rule_for(kind, ceilings, quick, turns)
    if full:
        of_ceiling = replace(of_ceiling, most_ways=None, search_seconds=FULL_SEARCH_SECONDS)
    # A point has one turn, as long as all turns of another case.
    of_point = replace(
        of_ceiling,
        sample_seconds=POINT_SECONDS,
        budget_seconds=LEAST_SECONDS * rounds(kind, quick),
        warm_seconds=0.0,
        fewest=FEWEST,
    )
    of_steady_point = replace(
        of_point,
        sample_seconds=STEADY_SECONDS,
        budget_seconds=STEADY_BUDGET,
        fewest=STEADY_FEWEST,
    )
    of_layer = replace(of_point, warm_seconds=SETTLING[kind])
    beside_share = QUICK_BESIDE_SHARE if quick else BESIDE_SHARE

    def rule_alone(case: Case) -> Rule:
        if not is_point(case):
            return of_ceiling
        if case.tag.quantity == LAYER:
            return of_layer
        return of_steady_point if case.steady else of_point

    def rule(case: Case) -> Rule:
        alone = rule_alone(case)
        if case.during:
            alone = replace(alone, sample_seconds=TOGETHER_SECONDS)
        # What is timed in turn with others needs time of its own for each of them.
        shares = 1 + beside_share * len(case.beside)
        return replace(alone, budget_seconds=alone.budget_seconds * shares)

    return rule


def rule_for(kind: str, cases: int, quick: bool, turns: int | None = None) -> Rule:
    """The stopping rule when so many cases share the time of a run.

    turns: of each case; None: as many as a run has.
    """
    turns = turns or rounds(kind, quick)
    total = QUICK_SECONDS if quick else TOTAL_SECONDS[kind]
    share = total / max(1, cases * turns)
    shorter = QUICK_SHORTER if quick else 1
    return Rule(
        sample_seconds=SAMPLE_SECONDS[kind] / shorter,
        budget_seconds=min(MOST_SECONDS, max(LEAST_SECONDS, share)),
        warm_seconds=WARM_SECONDS[kind] / shorter,
        fewest=math.ceil(FEWEST / turns),
        most_ways=QUICK_WAYS if quick else PLAIN_WAYS,
        search_seconds=SEARCH_SECONDS,
        shortest_seconds=SHORTEST_SECONDS.get(kind, math.inf),
    )
