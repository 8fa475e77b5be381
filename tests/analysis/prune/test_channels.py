"""Fewer channels: what is predicted of networks from groups that are smaller alone."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from analysis.plan.front import Loss, Point
from analysis.prune.channel_words import on_channels
from analysis.prune.channels import (
    DEAD,
    ChannelStudy,
    Range,
    forecasts,
    greedy,
    noise_allowed,
    recipes,
    uniform_name,
)
from probes.records.channels import ChannelRow, rounded
from probes.records.measurement import Measurement
from probes.records.precision import TOP1, Recipe
from tests.devices import measurement

LAUNCH = 1e-6


def row(group: str, kept: int, left: Mapping[str, float], db: float, dead: int = 0) -> ChannelRow:
    """A group of 32 channels that keeps so many, alone. left: of the weights of layers."""
    return ChannelRow(
        schema_version=1,
        network="net",
        stage=group,
        group=group,
        layers=json.dumps([group]),
        readers="[]",
        channels=32,
        kept=kept,
        dead=dead,
        ranked_by="l1",
        sqnr_db=db,
        weights_left=json.dumps(left),
        answers=100,
        same=100 if db >= 20 else 90,
        inputs=100,
    )


def time_of(layer: str, group: str, kept: int, seconds: float) -> Measurement:
    params = {"network": "net", "layer": layer, "group": group, "kept": kept, "provider": "cpu"}
    return timed("smaller/convolution", seconds + LAUNCH, json.dumps(params))


def timed(tag: str, seconds: float, params: str = "") -> Measurement:
    return measurement(tag, backend="cpu", seconds_median=seconds, params=params)


def study(dead: int = 0) -> ChannelStudy:
    """Layers a and b of 10 µs each; b reads what a writes. Nine tenths of a layer shrinks."""
    rows = [
        row("a", 24, {"a": 0.75, "b": 0.75}, 20, dead),
        row("a", 16, {"a": 0.5, "b": 0.5}, 10, dead),
        row("b", 24, {"b": 0.75}, 30),
        row("b", 16, {"b": 0.5}, 20),
    ]
    times = [
        timed("overhead/run/cpu", LAUNCH),
        time_of("a", "", 0, 10e-6),
        time_of("b", "", 0, 10e-6),
        time_of("a", "a", 16, 5.5e-6),
        time_of("b", "a", 16, 5.5e-6),
        time_of("b", "b", 16, 5.5e-6),
    ]
    return ChannelStudy(rows, times, "cpu")


def test_the_time_of_two_smaller_groups_follows_from_each_alone() -> None:
    known = study()
    assert known.elastic == pytest.approx({"a": 0.9, "b": 0.9})
    assert known.weights_left({"a": 16, "b": 16}) == pytest.approx({"a": 0.5, "b": 0.25})
    predicted = known.seconds({"a": 16, "b": 16}, 20e-6)
    assert predicted is not None
    assert predicted.value == pytest.approx(5.5e-6 + 3.25e-6)
    assert predicted.low < predicted.value < predicted.high
    same = known.seconds({}, 20e-6)
    assert same is not None
    assert same.value == pytest.approx(20e-6)


def test_noises_add_up_between_the_largest_alone_and_all_in_step() -> None:
    predicted = study().noise({"a": 24, "b": 16})
    assert predicted is not None
    assert predicted.value == pytest.approx(0.0198, abs=1e-4)
    assert predicted.low < 0.01
    assert predicted.high > 0.04
    assert predicted.holds(0.02, 0.02)
    assert not predicted.holds(0.2, 0.2)


def test_noise_that_drowns_the_signal_has_no_upper_end() -> None:
    rows = [row("a", 16, {"a": 0.5}, 1.0), row("b", 16, {"b": 0.5}, 2.0)]
    predicted = ChannelStudy(rows, [], "cpu").noise({"a": 16, "b": 16})
    assert predicted is not None
    assert predicted.low == 0.5
    assert predicted.value < 1
    assert predicted.holds(5e3, 5e3)


def test_sizes_between_those_tried_follow_a_power() -> None:
    known = study()
    between = known.noise({"a": 20})
    assert between is not None
    assert 0.01 < between.value < 0.1
    assert known.noise({"unknown": 8}) is None


def test_dead_channels_cost_nothing_and_are_a_recipe() -> None:
    known = study(dead=2)
    assert known.noise({"a": 30}) == Range(value=0.0, low=0.0, high=1e-9)
    dead = next(recipe for recipe in recipes(known, 0.01, by_scale=False) if recipe.name == DEAD)
    assert dead.channels == {"a": 30}


def test_a_plan_cuts_where_most_time_is_saved_for_the_noise() -> None:
    known = study()
    assert noise_allowed(known.cut, 0.05) == pytest.approx(0.01)
    assert greedy(known, 0.0011) == {"b": 24}
    assert greedy(known, 0.2) == {"a": 16, "b": 16}
    assert greedy(known, 0.0) == {}


def test_recipes_are_multiples_but_for_the_one_that_shows_why() -> None:
    by_name = {recipe.name: recipe for recipe in recipes(study(), 0.01, by_scale=True)}
    assert by_name[uniform_name(0.5)].channels == {"a": 16, "b": 16}
    assert by_name[uniform_name(0.5, off=3)].channels == {"a": 13, "b": 13}
    assert by_name[uniform_name(0.5, ranked_by="batchnorm")].ranked_by == "batchnorm"
    assert uniform_name(0.5, 16) not in by_name, "the same channels as by 8"


@pytest.mark.parametrize(
    ("kept", "channels", "width", "multiple", "count"),
    [
        (24, 32, 1, 8, 24),
        (20, 64, 1, 16, 16),
        (1, 64, 1, 8, 8),
        (5, 8, 1, 8, 8),
        (32, 64, 4, 8, 32),
    ],
)
def test_rounding(kept: float, channels: int, width: int, multiple: int, count: int) -> None:
    assert rounded(kept, channels, width, multiple) == count


def points() -> list[Point]:
    half = Recipe(name=uniform_name(0.5), precisions={}, weights="c", channels={"a": 16, "b": 16})
    odd = Recipe(name=uniform_name(0.5, off=3), precisions={}, weights="d", channels={"a": 13})
    loss = Loss(share=0.1, low=0.05, high=0.2, answers=100, sqnr_db=9.6)
    return [
        Point(recipe=Recipe(name="fp32", precisions={}), seconds=20e-6),
        Point(recipe=half, seconds=9e-6, low=8.9e-6, high=9.1e-6, ranking=loss),
        Point(recipe=odd, seconds=12e-6, low=11.9e-6, high=12.1e-6, ranking=loss),
    ]


def test_words_say_what_held_and_what_an_odd_number_gains() -> None:
    known = study(dead=1)
    found = forecasts(known, points())
    assert found[0].time_holds
    told = " ".join(on_channels(known, found, points()[0], TOP1))
    assert "45 % of the time" in told
    assert "3 channels fewer in each group than multiples of 8 are slower" in told
    assert "1 channel is dead" in told
    assert "error of" in told


def test_where_nothing_can_go_the_reason_is_told() -> None:
    fixed = ChannelRow(
        schema_version=1,
        network="net",
        group="a",
        layers='["a"]',
        readers="[]",
        channels=8,
        kept=8,
        status="skipped",
        reason="LRN is not followed",
    )
    told = on_channels(ChannelStudy([fixed], [], "cpu"), [], None, TOP1)
    assert told == ["No channels can be cut out: LRN is not followed (1)."]
