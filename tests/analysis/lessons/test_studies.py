"""Rules on what integers do to a trained network: each can hold, fail, and leave it open."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.lessons import channel_scales, first_last, long_tails
from analysis.lessons.frame.evidence import Untold
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.studies import mean_of
from analysis.lessons.frame.trial import FAILS, HOLDS, UNDECIDED, UNTRIED
from tests.analysis.lessons.rows import evidence, fact, skipped, studied


def verdict(lesson: Lesson, name: str, found: list[dict[str, Any]]) -> str:
    """What a study that found this says of a lesson."""
    return lesson.trial(evidence([studied(name, found)])).verdict


def weights(depthwise: float, dense: float, spread: float = 0.5) -> list[dict[str, Any]]:
    """Gains of scales per channel on three layers of each kind, in dB."""
    found = []
    for place, by in enumerate((-spread, 0.0, spread)):
        found.append(fact(place, "depthwise", tensor=30.0, channel=30.0 + depthwise + by))
        found.append(fact(place + 3, "dense", tensor=30.0, channel=30.0 + dense + by))
    return found


def test_scales_per_channel_must_gain_and_most_on_depthwise() -> None:
    assert verdict(channel_scales.LESSON, "weights", weights(12, 5)) == HOLDS
    assert verdict(channel_scales.LESSON, "weights", weights(5, 12)) == FAILS
    assert verdict(channel_scales.LESSON, "weights", weights(-5, 2)) == FAILS
    assert verdict(channel_scales.LESSON, "weights", weights(6, 5)) == UNDECIDED


def tails(on_long: float, on_others: float) -> list[dict[str, Any]]:
    """What the widest percentile gains over MinMax; all others lose."""
    found = []
    for place in range(8):
        by = 0.1 * (place % 2)
        for group, gain, offset in (("long-tailed", on_long, 0), ("others", on_others, 8)):
            values = dict.fromkeys(long_tails.METHODS, 20.0)
            values["percentile-99.999"] = 30.0 + gain + by
            entry = fact(place + offset, group)
            found.append({**entry, "values": {"minmax": 30.0, **values}})
    return found


def test_a_method_must_gain_on_long_tails_and_not_on_others() -> None:
    trial = long_tails.LESSON.trial(evidence([studied("calibration", tails(2, -1))]))
    assert trial.verdict == HOLDS
    assert "99.999 %" in trial.evidence and "10.0 dB more" in trial.evidence
    assert verdict(long_tails.LESSON, "calibration", tails(-2, -1)) == FAILS
    assert verdict(long_tails.LESSON, "calibration", tails(2, 2)) == FAILS


def layers(first: int, last: int) -> list[dict[str, Any]]:
    """Ten layers; the ends have so many less noisy layers below them, 5 dB a rank."""
    noise = [5.0 * (place + 1) for place in range(10)]
    noise[0], noise[-1] = 5.0 * (9 - first) + 2, 5.0 * (9 - last) + 3
    found = []
    for place, level in enumerate(noise):
        values = {"alone": level, "worst": level - 5}
        values |= {"over-first": level - noise[0], "over-last": level - noise[-1]}
        values |= {f"{name}-half": 0.1 for name in ("alone", "over-first", "over-last")}
        group = "depthwise" if place % 2 else "dense"
        found.append({**fact(place, group), "values": values})
    return found


def test_both_ends_must_leave_more_noise_than_half_of_the_layers() -> None:
    assert verdict(first_last.LESSON, "layers", layers(9, 9)) == HOLDS
    assert verdict(first_last.LESSON, "layers", layers(9, 1)) == FAILS
    assert verdict(first_last.LESSON, "layers", layers(1, 9)) == FAILS


def test_without_the_network_the_way_out_is_told() -> None:
    row = skipped(studied("weights", []), "rapidocr is not installed: pip install x")
    trial = channel_scales.LESSON.trial(evidence([row]))
    assert trial.verdict == UNTRIED and "pip install" in trial.reason


def test_a_mean_has_the_interval_of_its_spread() -> None:
    mean = mean_of([1.0, 2.0, 3.0])
    # Student's t of two degrees of freedom at 95 % is 4.303
    assert mean.high - mean.value == pytest.approx(4.303 / 3**0.5, rel=1e-3)
    with pytest.raises(Untold):
        mean_of([1.0])
