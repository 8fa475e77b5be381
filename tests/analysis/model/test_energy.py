"""Energy of operations and bytes: the model meets what was measured at both ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.model.ceilings import ceilings
from analysis.model.energy import EnergyModel, energy
from analysis.model.roofline import roofline
from analysis.tell.energy_columns import on_energy
from probes.records.measurement import Measurement
from tests.devices import GPU, measurement

IDLE = 100.0


def with_power(tag: str, rate: float, watts: float, **changed: object) -> Measurement:
    """A row whose load ran at this rate, drawing this power."""
    row = measurement(tag, rate, **changed)
    return replace(row, power_w=watts, joules=watts * (row.seconds_median or 0.0))


ROWS = (
    with_power("bandwidth/dram/copy", 2.5e11, 400.0),
    with_power("compute/fp32", 5e13, 600.0),
    with_power("compute/fp16/mma-fp32", 1e14, 700.0),
    measurement("compute/fp64", 1e12),
)


def model(power: dict[str, object] | None = None) -> EnergyModel:
    """The energy model of ROWS."""
    tops = ceilings(ROWS, GPU)
    told = {"source": "made up", "idle_w": IDLE} if power is None else power
    return energy(tops, roofline(tops.values()), told)


def test_roofs_have_the_energy_of_their_rows_and_the_unknown_are_left_out() -> None:
    known = model()
    assert known.memory is not None
    assert known.memory.picojoules == pytest.approx(1600)  # 400 W for 2.5e11 B/s
    assert [(roof.tag, round(roof.picojoules, 3)) for roof in known.compute] == [
        ("compute/fp16/mma-fp32", 7.0),
        ("compute/fp32", 12.0),
    ]
    assert known.balance(known.compute[1]) == pytest.approx(1600 / 12)


def test_the_curve_ends_where_it_was_measured_and_lies_below_both_lines() -> None:
    known = model()
    assert known.memory is not None
    for roof in known.compute:
        assert known.per_joule(roof, 1e12) == pytest.approx(roof.per_joule, rel=1e-3)
        low = known.per_joule(roof, 1e-9)
        assert low == pytest.approx(known.memory.per_joule * 1e-9, rel=1e-3)
        for intensity in (1.0, 30.0, 200.0, 1e4):
            value = known.per_joule(roof, intensity)
            assert value is not None
            assert value < roof.per_joule
            assert value < known.memory.per_joule * intensity


def test_power_without_a_load_is_paid_once() -> None:
    known = model()
    assert known.memory is not None
    roof = known.compute[1]
    at_ridge = roof.seconds and known.memory.seconds / roof.seconds
    seconds = roof.seconds
    joules = (600 - IDLE) * seconds + (400 - IDLE) * seconds + IDLE * seconds
    assert known.per_joule(roof, at_ridge) == pytest.approx(1 / joules)


def test_without_the_power_of_no_load_there_is_no_curve() -> None:
    known = model({"source": "made up"})
    assert known.is_known
    assert known.per_joule(known.compute[0], 1.0) is None


def test_energy_from_the_ceilings_of_another_run_names_no_sensor() -> None:
    (sentence,) = on_energy(model({}))
    assert sentence == "Energy: DRAM 1600 pJ a byte; FP16 mma-fp32 7 pJ, FP32 12 pJ an operation."


def test_where_no_power_is_known_the_model_is_empty_and_says_why() -> None:
    tops = ceilings([measurement("compute/fp32")], GPU)
    unknown = energy(tops, roofline(tops.values()), {"why_unknown": "nobody tells"})
    assert not unknown.is_known
    assert unknown.why_unknown == "nobody tells"


@pytest.mark.parametrize("idle", ["many", -3.0, None, True and "1"])
def test_a_damaged_file_gives_no_idle_power(idle: object) -> None:
    assert model({"source": "made up", "idle_w": idle}).idle_w is None
