"""One line says how far a run can be trusted, why, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis.model.ceilings import ceilings
from analysis.model.trust import Trust, at_start, trust
from probes.records.run import COMPLETE, Run
from tests.devices import CPU, GPU, measurement

QUIET = {"cores": 2, "others": 0.02, "steal": 0.001, "stopped": 0.0, "busiest": []}
"""What else ran on a quiet machine."""
DOUBTED: dict[str, Any] = {"trusted": False, "doubt": "other load"}
STARTED = "2030-01-02T03:04:05Z"


def run_of(doubted_points: int = 0, roof_is_doubted: bool = False, **during: Any) -> Run:
    """A run of a roof and twenty points; ``during``: what else ran, unlike a quiet machine."""
    roof = measurement("compute/fp32", 1e11, backend="cpu", **(DOUBTED if roof_is_doubted else {}))
    tag = "sweep/bandwidth/working-set/read"
    doubted = [measurement(tag, **DOUBTED) for _ in range(doubted_points)]
    trusted = [measurement(tag) for _ in range(20 - doubted_points)]
    rows = [roof, *doubted, *trusted]
    load = {"during": {**QUIET, **during}}
    return Run(CPU, STARTED, {}, {}, status=COMPLETE, load=load, measurements=rows)


def trust_of(run: Run) -> Trust:
    """How far a run can be trusted."""
    verdict = trust(run, ceilings(run.measurements, CPU))
    assert verdict is not None
    return verdict


@pytest.mark.parametrize(
    ("run", "level", "words"),
    [
        (run_of(), "good", ""),
        (run_of(doubted_points=1), "good", ""),
        (run_of(doubted_points=3), "fair", "3 of 21 results cannot be trusted"),
        (run_of(doubted_points=8), "low", "8 of 21 results cannot be trusted"),
        (
            run_of(roof_is_doubted=True),
            "low",
            "1 of 21 results cannot be trusted, the roofs compute/fp32 among them",
        ),
        (
            run_of(others=0.5, busiest=[["stress", 0.5]]),
            "fair",
            "other processes used 0.5 of 2 cores (stress)",
        ),
        (
            run_of(others=1.9),
            "low",
            "other processes used 1.9 of 2 cores. Stop them and measure again.",
        ),
        (
            run_of(steal=0.05),
            "fair",
            "the hypervisor gave 5.0 % of the processors' time to other machines",
        ),
        (
            run_of(steal=0.3),
            "low",
            "Measure again when the host is quiet, or on a machine of its own.",
        ),
        (run_of(stopped=0.4), "fair", "a quota stopped this program for 40.0 % of the time"),
    ],
)
def test_the_line_says_how_far_a_run_can_be_trusted_and_why_and_what_to_do(
    run: Run, level: str, words: str
) -> None:
    line = trust_of(run).line
    assert line.startswith(f"TRUST {level}")
    assert words in line
    assert "\n" not in line


def test_a_busy_host_alone_makes_trust_in_a_gpu_fair_and_not_low() -> None:
    busy = replace(run_of(others=1.9), device=GPU)
    assert trust_of(busy).level == "fair"
    assert trust_of(replace(run_of(roof_is_doubted=True), device=GPU)).level == "low"


def test_a_run_that_timed_nothing_claims_nothing() -> None:
    empty = Run(CPU, STARTED, {}, {}, measurements=[])
    assert trust(empty, {}) is None
    imported = replace(measurement("layer/conv"), probe="importers/plain")
    assert trust(replace(empty, measurements=[imported]), {}) is None


@pytest.mark.parametrize(
    "load", [{}, {"during": None}, {"during": {"others": "much", "busiest": 7}}, {"during": []}]
)
def test_a_run_without_a_record_of_other_load_is_judged_by_its_rows(load: dict[str, Any]) -> None:
    assert trust_of(replace(run_of(), load=load)).level == "good"


def test_the_line_at_the_start_names_load_steal_and_limits_on_the_clock() -> None:
    line, is_quiet = at_start({"before": QUIET})
    assert is_quiet
    assert "clock" not in line
    line, is_quiet = at_start({"before": QUIET, "clock_limits": []})
    assert line == (
        "TRUST starts good: others use 0.02 of 2 cores, steal 0.1 %, "
        "no limit on the clock is known."
    )
    assert is_quiet is True
    busy = {**QUIET, "others": 1.0}
    limits = ["boost clocks are switched off"]
    line, is_quiet = at_start({"before": busy, "clock_limits": limits})
    assert line == (
        "TRUST may be low: other processes used 1 of 2 cores; boost clocks are switched off."
    )
    assert is_quiet is False
