"""What a run asks: each case once, long ones on request, half the points in a quick run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kernels.base import Kernel, Work
from probes.harness.case import Case
from probes.harness.clocks.statistics import FEWEST
from probes.harness.plan import LEAST_SECONDS, TOGETHER_SECONDS, chosen, rounds, rules
from probes.records.tag import parse_tag

KERNEL = Kernel(
    "made",
    work=lambda dtype, **_: Work(1.0, 1.0),
    reference=lambda dtype, repeat, **_: np.zeros(1),
    backends={},
)
ROOF = Case(KERNEL, "fp64", "cpu", parse_tag("bandwidth/dram/read"), {"n": 1})
LONG = Case(KERNEL, "fp64", "cpu", parse_tag("compute/fp64"), {"n": 1}, full=True)
POINTS = [
    Case(KERNEL, "fp64", "cpu", parse_tag("sweep/bandwidth/working-set/read"), x=x)
    for x in range(5)
]


def ask(*cases: Case, full: bool = False, quick: bool = False) -> list[Case]:
    """Those of a probe's cases that such a run takes."""
    return [case for _, case in chosen([("p", case) for case in cases], full, quick)]


def test_a_case_that_two_probes_ask_is_measured_once() -> None:
    same_case = Case(KERNEL, "fp64", "cpu", parse_tag("bandwidth/dram/read"), {"n": 1})
    other_case = Case(KERNEL, "fp64", "cpu", parse_tag("bandwidth/dram/read"), {"n": 2})
    assert ask(ROOF, same_case) == [ROOF]
    assert len(ask(ROOF, other_case)) == 2


@pytest.mark.parametrize(("full", "asked"), [(False, [ROOF]), (True, [ROOF, LONG])])
def test_long_cases_are_asked_only_in_full(full: bool, asked: list[Case]) -> None:
    assert ask(ROOF, LONG, full=full) == asked


def test_a_quick_run_takes_every_other_point_and_every_ceiling() -> None:
    assert ask(ROOF, *POINTS, quick=True) == [ROOF, POINTS[0], POINTS[2], POINTS[4]]


def test_a_quick_run_takes_no_point_between_those_of_a_plain_run() -> None:
    every_other_full = [replace(point, full=bool(i % 2)) for i, point in enumerate(POINTS)]
    plain_ends = [every_other_full[0], every_other_full[4]]
    assert ask(*every_other_full, full=True, quick=True) == plain_ends
    all_full = [replace(point, full=True) for point in POINTS]
    assert ask(*all_full, full=True, quick=True) == all_full[::2], (
        "a curve that is asked only in full keeps half"
    )


def test_a_list_is_never_thinned() -> None:
    listed = [replace(point, params={**point.params, "over": "layer"}) for point in POINTS]
    assert ask(*listed, quick=True) == listed


def test_a_quick_run_asks_no_twins() -> None:
    twin = replace(ROOF, backend="numba")
    assert ask(ROOF, twin) == [ROOF, twin]
    assert ask(ROOF, twin, quick=True) == [ROOF]


def test_points_get_the_least_time_and_take_none_from_the_ceilings() -> None:
    without_points = rules("cpu", [ROOF], quick=False)
    with_points = rules("cpu", [ROOF, *POINTS], quick=False)
    all_turns = LEAST_SECONDS * rounds("cpu", quick=False)
    assert with_points(POINTS[0]).budget_seconds == all_turns, "one turn, as long as three"
    assert with_points(ROOF) == without_points(ROOF)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
@pytest.mark.parametrize("quick", [False, True])
def test_every_case_has_samples_enough_for_an_interval_after_all_its_turns(
    kind: str, quick: bool
) -> None:
    layer = replace(ROOF, tag=parse_tag("layer/conv"))
    rule = rules(kind, [ROOF, *POINTS, layer], quick)
    assert rule(ROOF).fewest * rounds(kind, quick) >= FEWEST
    assert rule(POINTS[0]).fewest == rule(layer).fewest == FEWEST, "one turn only"


def test_samples_beside_the_hosts_cpu_are_long_enough_for_passes_of_its_threads() -> None:
    together = replace(ROOF, during=(ROOF,))
    for quick in (False, True):
        rule_of = rules("cuda", [ROOF, together], quick)
        assert rule_of(together).sample_seconds == TOGETHER_SECONDS
        assert rule_of(ROOF).sample_seconds < TOGETHER_SECONDS / 5


def test_a_full_run_tries_every_way() -> None:
    in_full = rules("cuda", [ROOF], quick=False, full=True)(ROOF)
    plain = rules("cuda", [ROOF], quick=False)(ROOF)
    quick = rules("cuda", [ROOF], quick=True)(ROOF)
    assert in_full.most_ways is None
    assert (plain.most_ways, quick.most_ways) == (2, 1)
    assert in_full.search_seconds > plain.search_seconds
