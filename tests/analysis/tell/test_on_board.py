"""A Jetson's state is told in a few lines, whatever of it is missing or damaged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis.tell import on_board
from tests.devices import GPU

STATE: dict[str, Any] = {
    "power_mode": {"id": 2, "name": "15W"},
    "sms": {"on": 4, "of": 8, "tpc_pg_mask": 252},
    "gpu": {"now_hz": 306e6, "cap_hz": 612e6, "highest_hz": 1173e6},
    "emc": {"cap_hz": 3199e6},
    "cpu": {"on": 4, "of": 8, "now_hz": {"least": 7e8, "most": 730e6}, "cap_hz": {"most": 1421e6}},
    "jetson_clocks": "off",
    "power": {"total_w": 5.0, "total_of": ["VDD_IN"], "rails_w": {"VDD_IN": 5.0}},
    "temperatures_c": {"cpu-thermal": 48.5, "gpu-thermal": 46.25},
    "unread_temperatures": ["cv0-thermal"],
    "fan": {"pwm": 58, "rpm": 1786},
}


def test_the_state_before_a_run_is_four_lines() -> None:
    assert on_board.before(STATE) == [
        "power mode 15W (id 2), 4 of 8 SMs on, 4 of 8 CPU cores on",
        "clocks now/cap/highest in MHz: GPU 306/612/1173, memory ?/3199/?, CPU 730/1421/?",
        "jetson_clocks is off: each case warms up until the clock has settled "
        "(sudo jetson_clocks holds it)",
        "5.0 W (VDD_IN), 48 °C (cpu-thermal), fan 58 of 255 at 1786 turns/min, not readable: "
        "cv0-thermal",
    ]


def test_the_state_after_a_run_says_what_changed() -> None:
    after = {
        "warm_up": {
            "count": 90,
            "settled": 88,
            "longest_seconds": 3.0,
            "lowest_first_hz": 306e6,
            "highest_last_hz": 1020e6,
        },
        "during": {
            "looks": 5,
            "gpu_hz": {"least": 306e6, "most": 1020e6},
            "power_w": {"least": 5.0, "most": 14.8},
            "hottest_c": {"least": 48.0, "most": 71.5},
            "throttling": ["gpu-throttle-alert"],
        },
        "before": {"power_mode": {"id": 2, "name": "15W"}, "overcurrent_events": {"oc1": 2}},
        "after": {"power_mode": {"id": 0, "name": "MAXN"}, "overcurrent_events": {"oc1": 5}},
    }
    assert on_board.after(after) == [
        "warmed up until the clock had settled within 3.0 s: 88 of 90 timings, from 306 up to 1020 "
        "MHz; 2 did not settle",
        "between timings: GPU 306 to 1020 MHz, 5.0 to 14.8 W, up to 72 °C, held down by "
        "gpu-throttle-alert",
        "the power mode changed meanwhile: 15W to MAXN",
        "over-current throttling meanwhile: oc1 3 times",
    ]


def test_nothing_is_told_of_what_is_no_jetson() -> None:
    assert on_board.after({}) == []
    assert on_board.identity(GPU) == ""


@pytest.mark.parametrize("damaged", [None, 3, "text", [], {"id": []}, {"now_hz": "fast"}, True])
def test_a_damaged_state_is_told_as_far_as_it_goes(damaged: Any) -> None:
    state = dict.fromkeys(STATE, damaged)
    for line in (*on_board.before(state), *on_board.after(dict.fromkeys(STATE, state))):
        assert isinstance(line, str)


def test_a_board_is_named_by_its_module_and_its_software() -> None:
    facts = {
        "module": "p3767-0005",
        "module_name": "Jetson Orin Nano 8GB",
        "l4t": "36.4.3",
        "jetpack": "6.2",
    }
    named = on_board.identity(replace(GPU, facts=facts))
    assert named == "module Jetson Orin Nano 8GB (p3767-0005), L4T 36.4.3, JetPack 6.2"
    note = "not readable: run as root, or install jetson-stats"
    without = replace(GPU, facts={"emc_clock": note})
    assert on_board.memory_clock(without) == f"clock of the memory {note}"
    assert on_board.memory_clock(GPU) == ""
    modules = ["Jetson TX2", "Jetson TX2i"]
    several = replace(GPU, facts={"modules": modules}, memory_range=(51.2e9, 59.7e9))
    assert on_board.identity(several) == (
        "module one of Jetson TX2, Jetson TX2i, memory rated at 51.2 to 59.7 GB/s"
    )
