"""What is said of networks on other machines: a bound, an estimate, and how far that can be off."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.elsewhere.left_out import FEWEST_DEVICES, Error
from analysis.elsewhere.placed import Elsewhere
from analysis.elsewhere.predict import Prediction
from analysis.tell.elsewhere_columns import ELSEWHERE_FILE
from analysis.units import percent, short, si
from probes.records.given import shortened

LONGEST_NAME = 60
"""Letters of the name of a network."""
MOST_PREDICTIONS = 8
"""Networks and precisions that have sentences; the file has all."""
FEWEST_TO_LEAVE_OUT = 2
"""Devices that ran the same networks, without which nothing says how far an estimate is off."""


def on_elsewhere(placed: Sequence[Elsewhere]) -> list[str]:
    """Sentences on each machine: what it is known by, then each network there."""
    sentences = []
    for elsewhere in placed:
        sentences.append(f"{on_machine(elsewhere)}:")
        predictions = elsewhere.predictions
        shown = predictions[:MOST_PREDICTIONS]
        sentences += [_prediction(prediction, elsewhere.error) for prediction in shown]
        if len(predictions) > MOST_PREDICTIONS:
            more = len(predictions) - MOST_PREDICTIONS
            sentences.append(f"{more} more are in {ELSEWHERE_FILE}.")
        if any(prediction.estimate for prediction in predictions):
            sentences.append(how_far_off(elsewhere.error))
    return sentences


def on_machine(elsewhere: Elsewhere) -> str:
    """``On NVIDIA H100 80GB HBM3, as measured (3 runs, the last on 2026-11-28)``."""
    machine = elsewhere.found.machine
    also = ""
    if elsewhere.found.others:
        also = f" (also of this name: {', '.join(elsewhere.found.others[:3])})"
    if machine.is_theory:
        return f"On {machine.name}{also}, by theory, since it is not in the atlas"
    runs = "1 run" if machine.runs == 1 else f"{machine.runs} runs"
    return f"On {machine.name}{also}, as measured ({runs}, the last on {machine.measured_on})"


def _prediction(prediction: Prediction, error: Error) -> str:
    """One network there: the bound, then the estimate."""
    network = prediction.network
    name = shortened(network.name, LONGEST_NAME)
    return (
        f"{name} in {network.precision.upper()}: {_bound(prediction)}; "
        f"{_estimate(prediction, error)}."
    )


def _bound(prediction: Prediction) -> str:
    bound = prediction.bound
    if bound.seconds is None:
        return f"no bound: {bound.why_none}"
    machine = prediction.machine
    clock = machine.highest_clock
    at_clock = f" at {si(clock, 'Hz')}" if clock and bound.holds == "arithmetic" else ""
    return (
        f"could not run faster than {si(bound.seconds, 's')} (bound: {bound.holds}, by "
        f"theory{at_clock})"
    )


def _estimate(prediction: Prediction, error: Error) -> str:
    if prediction.estimate is None:
        return f"no estimate: {prediction.why_none}"
    kind = "floor by theory" if prediction.machine.is_theory else "floor"
    here = si(prediction.network.seconds, "s")
    there = si(prediction.floor_there, "s")
    bars = error.bars(prediction.estimate)
    around = f", {si(bars[0], 's')} to {si(bars[1], 's')}" if bars else ""
    return (
        f"here it takes {here}, {percent(prediction.share_here)} of its {kind}: at the same "
        f"share of its {there} there, {si(prediction.estimate, 's')}{around} (estimate)"
    )


def how_far_off(error: Error) -> str:
    """What leaving each device of the atlas out in turn says."""
    if error.devices < FEWEST_TO_LEAVE_OUT:
        return (
            "How far an estimate is off is not known: no two devices of the atlas ran the same "
            "network."
        )
    least, greatest = error.span
    spans = f"{short(least)} to {short(greatest)} times the measured time"
    if error.has_bars:
        return f"With each of {error.devices} devices left out in turn, estimates were {spans}."
    return (
        f"With each of {error.devices} devices left out in turn, estimates were {spans}: too few "
        f"devices for error bars, which need {FEWEST_DEVICES}."
    )
