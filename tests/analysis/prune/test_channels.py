"""Fewer channels: what is predicted of networks from groups that are smaller alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from analysis.plan.front import Loss, Point
from analysis.prune.channel_words import on_channels
from analysis.prune.channels import (
    ChannelStudy,
    forecasts,
    small_layers,
    whole_as_trained,
    with_forecasts,
)
from analysis.prune.recipes import DEAD, by_share, greedy, noise_allowed, uniform_name, with_plans
from analysis.prune.times import HANDED_OVER, Range
from probes.records.channels import ChannelRow, rounded
from probes.records.measurement import Measurement
from probes.records.precision import TOP1, Plan, Recipe
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


def time_in(layer: str, recipe: str, seconds: float, among: str = "") -> Measurement:
    """A layer as it is in the network by a recipe."""
    params = {"network": "net", "layer": layer, "recipe": recipe, "provider": "cpu"}
    params["among"] = among
    return timed("smaller/convolution", seconds + LAUNCH, json.dumps(params))


def whole(seconds: float, tag: str = "smaller/network", among: str = "") -> Measurement:
    """The network as trained."""
    params = {"network": "net", "layer": "whole network", "provider": "cpu", "among": among}
    params |= {"family": "network", "precision": "fp32"}
    return timed(tag, seconds, json.dumps(params))


def timed(tag: str, seconds: float, params: str = "") -> Measurement:
    return measurement(tag, backend="cpu", seconds_median=seconds, params=params)


AS_ALONE = 21e-6
"""What the network takes if its layers take as long in it as alone."""
BOTH = Recipe(name="both", precisions={}, weights="both", channels={"a": 16, "b": 16})


def study(dead: int = 0, further: Sequence[Measurement] = ()) -> ChannelStudy:
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
        *further,
    ]
    return ChannelStudy(rows, times, "cpu")


def test_the_time_of_two_smaller_groups_follows_from_each_alone() -> None:
    known = study()
    assert known.elastic == pytest.approx({"a": 0.9, "b": 0.9})
    assert known.weights_left({"a": 16, "b": 16}) == pytest.approx({"a": 0.5, "b": 0.25})
    predicted = known.seconds(BOTH, AS_ALONE)
    assert predicted is not None
    assert predicted.value == pytest.approx(LAUNCH + 5.5e-6 + 3.25e-6)
    assert predicted.low < predicted.value < predicted.high
    same = known.seconds(replace(BOTH, channels={}), AS_ALONE)
    assert same is not None
    assert same.value == pytest.approx(AS_ALONE)


def test_a_network_takes_what_its_layers_take_at_their_real_width() -> None:
    """A width that no kernel is made for takes longer than all channels do."""
    odd = Recipe(name="odd", precisions={}, weights="odd", channels={"a": 13})
    known = study(further=[time_in("a", "odd", 14e-6), time_in("b", "odd", 16e-6)])
    predicted = known.seconds(odd, AS_ALONE)
    assert predicted is not None
    handed_over = HANDED_OVER * (30e-6 - 20e-6)
    assert predicted.value == pytest.approx(LAUNCH + 30e-6 + handed_over)
    assert known.elastic == pytest.approx({"a": 0.9, "b": 0.9}), "of multiples only"
    assert known.as_trained == pytest.approx({"a": 10e-6, "b": 10e-6})
    part = study(further=[time_in("a", "odd", 14e-6)]).seconds(odd, AS_ALONE)
    assert part is not None
    estimated = 10e-6 * (1 - 0.9 * 19 / 32)
    assert part.value == pytest.approx(LAUNCH + 14e-6 + estimated), "b was not timed so"


def test_a_layer_without_weights_shrinks_as_it_was_timed() -> None:
    pool = [time_of("pool", "", 0, 4e-6), time_in("pool", "both", 1e-6)]
    known = study(further=pool)
    predicted = known.seconds(BOTH, AS_ALONE + 4e-6)
    assert predicted is not None
    assert predicted.value == pytest.approx(LAUNCH + 5.5e-6 + 3.25e-6 + 1e-6)


def test_a_machine_that_is_faster_by_now_is_as_much_faster_with_fewer_channels() -> None:
    known = study(further=[whole(AS_ALONE)])
    assert known.whole_seconds == AS_ALONE
    assert set(known.as_trained) == {"a", "b"}, "the whole is no layer"
    then, now = known.seconds(BOTH, AS_ALONE), known.seconds(BOTH, AS_ALONE / 2)
    assert then is not None and now is not None
    assert now.value == pytest.approx(then.value / 2)
    assert now.high == pytest.approx(then.high / 2)


def test_a_slow_minute_of_the_machine_is_no_slow_layer() -> None:
    """Layers of plans are timed later, and the network as trained among them once more."""
    later = [
        time_in("a", "both", 11e-6 + LAUNCH, "plans"),
        time_in("b", "both", 6.5e-6 + LAUNCH, "plans"),
        whole(2 * AS_ALONE, among="plans"),
    ]
    known = study(further=[whole(AS_ALONE), *later])
    predicted = known.seconds(BOTH, AS_ALONE)
    assert predicted is not None
    assert predicted.value == pytest.approx(LAUNCH + 5.5e-6 + 3.25e-6)


@pytest.mark.parametrize(("speed", "verdict"), [(1.0, True), (1.2, True), (1.3, None), (0.5, None)])
def test_a_machine_of_another_speed_carries_no_verdict(speed: float, verdict: bool | None) -> None:
    known = study(further=[whole(20e-6 * speed)])
    half = forecasts(known, points())[0]
    assert half.seconds is not None
    assert half.time_holds is verdict


def test_wholes_that_differ_widen_the_interval() -> None:
    alike = study(further=[whole(AS_ALONE)] * 3).seconds(BOTH, AS_ALONE)
    differ = study(further=[whole(AS_ALONE * share) for share in (0.8, 1, 1.2)])
    unsure = differ.seconds(BOTH, AS_ALONE)
    assert alike is not None and unsure is not None
    assert unsure.value == alike.value
    assert unsure.high - unsure.low > alike.high - alike.low
    slow_once = study(further=[whole(AS_ALONE * share) for share in (1, 1, 1, 1, 2)])
    of_five = slow_once.seconds(BOTH, AS_ALONE)
    assert of_five is not None
    assert of_five.value == alike.value
    assert of_five.high <= alike.high, "the extremes are left out"


def test_layers_that_hardly_count_are_known_before_they_are_timed_smaller() -> None:
    rows = [timed("overhead/run/cpu", LAUNCH), whole(500e-6, "layer/network")]
    for layer, micro in (("conv", 90.0), ("relu", 3.0), ("pool", 4.0), ("sum", 5.0)):
        params = {"network": "net", "layer": layer, "provider": "cpu", "precision": "fp32"}
        rows.append(timed("layer/convolution", LAUNCH + micro * 1e-6, json.dumps(params)))
    assert small_layers(rows, "cpu") == {"relu", "pool"}, "with the sum too many"
    assert small_layers(rows, "cuda") == frozenset()


def test_operations_that_belong_to_no_layer_change_layouts() -> None:
    """Layers alone run 3 operations each; of a whole of 3, one changes a layout, as trained."""
    launches = {"launches": 3, "shape": [1, 8]}
    layers = []
    for row_of in (time_of("a", "", 0, 10e-6), time_of("b", "", 0, 10e-6)):
        params = json.dumps({**json.loads(row_of.params), **launches})
        layers.append(replace(row_of, params=params))
    beside = whole(AS_ALONE - 9e-6)
    beside = replace(
        beside, params=json.dumps({**json.loads(beside.params), "launches": 3, "layers": 2})
    )
    known = study(further=[*layers, beside])
    same = known.seconds(replace(BOTH, channels={}, operations=3), AS_ALONE - 9e-6)
    none_left_out = known.seconds(replace(BOTH, channels={}, operations=6), AS_ALONE - 9e-6)
    assert same is not None and none_left_out is not None
    assert same.value == pytest.approx(AS_ALONE - 9e-6)
    assert none_left_out.value == pytest.approx(AS_ALONE + HANDED_OVER * 20e-6)


def test_a_plan_predicts_by_the_network_that_was_timed_beside_its_layers() -> None:
    plan = Plan(
        network="net",
        provider="cpu",
        loss_asked=0.01,
        loss_of=TOP1,
        method="",
        recipes=[Recipe(name="fp32", precisions={}), BOTH],
    )
    known = study(further=[whole(AS_ALONE)])
    trained, both = with_forecasts(plan, known, 2 * AS_ALONE)
    assert trained.predicted_seconds is None
    assert both.predicted_seconds == pytest.approx(LAUNCH + 5.5e-6 + 3.25e-6)
    rows = [whole(AS_ALONE), whole(2 * AS_ALONE, "layer/network")]
    assert whole_as_trained(rows, "cpu") is rows[1]
    assert whole_as_trained(rows, "cuda") is None


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
    dead = next(recipe for recipe in by_share(known, by_scale=False) if recipe.name == DEAD)
    assert dead.channels == {"a": 30}


def test_a_plan_cuts_where_most_time_is_saved_for_the_noise() -> None:
    known = study()
    assert noise_allowed(known.cut, 0.05) == pytest.approx(0.01)
    assert greedy(known, 0.0011) == {"b": 24}
    assert greedy(known, 0.2) == {"a": 16, "b": 16}
    assert greedy(known, 0.0) == {}


def test_recipes_are_multiples_but_for_the_one_that_shows_why() -> None:
    by_name = {recipe.name: recipe for recipe in by_share(study(), by_scale=True)}
    assert by_name[uniform_name(0.5)].channels == {"a": 16, "b": 16}
    assert by_name[uniform_name(0.5, off=3)].channels == {"a": 13, "b": 13}
    assert by_name[uniform_name(0.5, ranked_by="batchnorm")].ranked_by == "batchnorm"
    assert uniform_name(0.5, 16) not in by_name, "the same channels as by 8"


def test_plans_come_after_the_networks_that_need_no_times() -> None:
    uniform = by_share(study(), by_scale=False)
    all_recipes = with_plans(study(), 0.05, uniform)
    assert all_recipes[: len(uniform)] == uniform
    plans = all_recipes[len(uniform) :]
    assert plans
    assert all(recipe.name.startswith("channels plan") for recipe in plans)
    cuts = [recipe.channels for recipe in all_recipes]
    assert all(cuts.count(cut) == 1 for cut in cuts), "the same network is not run twice"


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
