"""What is said of networks on other machines."""

from __future__ import annotations

import pytest

from analysis.elsewhere.left_out import Error, LeftOut
from analysis.elsewhere.machine import Machine
from analysis.elsewhere.placed import Elsewhere, Found
from analysis.elsewhere.predict import predict
from analysis.elsewhere.work import NetworkWork
from analysis.tell.on_elsewhere import on_elsewhere
from tests.analysis.elsewhere.made_up import GIGA, by_theory, layer, machine, network

HERE = machine("here", 1000 * GIGA, 100 * GIGA)
THERE = machine("there", 100 * GIGA, 50 * GIGA)
NET = network(layer(8 * GIGA, 1.0, 0.02))


def error(*ratios: float) -> Error:
    """Devices left out in turn, whose estimates were so many times the measured time."""
    cases = [
        LeftOut(f"device {place}", "net", "fp32", 1.0, ratio, None)
        for place, ratio in enumerate(ratios)
    ]
    return Error(tuple(cases))


def told(there: Machine, known: Error, net: NetworkWork = NET) -> list[str]:
    """The sentences on one network there."""
    here = HERE.in_theory if there.is_theory else HERE
    prediction = predict(net, here, there)
    return on_elsewhere([Elsewhere(here, Found("there", there), (prediction,), known)])


def test_the_kind_of_each_number_is_said() -> None:
    head, sentence, _ = told(THERE, error())
    assert head == "On there, as measured (1 run, the last on 2026-01-31):"
    assert sentence == (
        "net in FP32: could not run faster than 80.0 ms (bound: arithmetic, by theory at "
        "1.00 GHz); here it takes 20.0 ms, 50.0 % of its floor: at the same share of its 100 ms "
        "there, 200 ms (estimate)."
    )


def test_theory_is_named() -> None:
    head, sentence, _ = told(by_theory("there", 100 * GIGA, 50 * GIGA), error())
    assert "by theory, since it is not in the atlas" in head
    assert "40.0 % of its floor by theory" in sentence


@pytest.mark.parametrize("ratios", [(), (1.0,)])
def test_nothing_to_compare_says_so(ratios: tuple[float, ...]) -> None:
    *_, last = told(THERE, error(*ratios))
    assert last.startswith("How far an estimate is off is not known")


def test_few_devices_give_no_error_bars_and_say_so() -> None:
    _, sentence, last = told(THERE, error(0.5, 2.0))
    assert sentence.endswith("there, 200 ms (estimate).")
    assert last == (
        "With each of 2 devices left out in turn, estimates were 0.5 to 2 times the measured "
        "time: too few devices for error bars, which need 5."
    )


def test_five_devices_give_error_bars() -> None:
    _, sentence, last = told(THERE, error(0.5, 0.8, 1.0, 1.25, 2.0))
    assert sentence.endswith("there, 200 ms, 100 ms to 400 ms (estimate).")
    assert last.endswith("estimates were 0.5 to 2 times the measured time.")


def test_without_an_estimate_its_error_is_no_matter() -> None:
    _, sentence = told(THERE, error(1.0, 2.0), network(layer(8 * GIGA, 1.0, 0.02, dtype="fp8")))
    assert "no bound: theory knows no peak of there for FP8" in sentence
    assert "no estimate: there is no measured roof there for layers in FP8" in sentence
