"""What the roofline of the page draws is what the run found, in SI base units."""

from __future__ import annotations

import dataclasses
from typing import Any

from analysis.analyse import model
from analysis.layers.alike import alike
from analysis.model.ceilings import is_roof
from analysis.outcome import Outcome
from analysis.tell.page.plot import plot_data
from analysis.tell.page.views import views
from probes.records.measurement import Measurement
from tests.analysis.layer_rows import conv_sweep, network, run_of
from tests.devices import measurement


def outcome_of(*rows: Measurement) -> Outcome:
    return model(run_of(*rows))


def data_of(outcome: Outcome) -> dict[str, Any]:
    return plot_data(outcome, views(outcome.placements, outcome.networks, 1000))


def test_every_layer_is_there_with_its_numbers() -> None:
    outcome = outcome_of(*network("squeezenet"), *network("squeezenet", "fp32"))
    data = data_of(outcome)
    assert len(data["layers"]) == len(outcome.placements)
    by_layer = {(layer["name"], layer["type"]): layer for layer in data["layers"]}
    for placement in outcome.placements:
        layer = by_layer[placement.layer, placement.dtype]
        assert layer["seconds"] == placement.seconds
        assert layer["intensity"] == placement.intensity
        assert layer["rate"] == placement.rate
        assert layer["gain"] == placement.headroom_seconds
        if placement.headroom_seconds is not None:
            assert layer["least"] == placement.seconds - placement.headroom_seconds
        assert (layer["bound"], layer["roof"]) == (placement.bound, placement.roof)
        assert data["remarks"][layer["remark"]] == placement.remark


def test_a_view_has_a_precision_each_the_fastest_first() -> None:
    outcome = outcome_of(*network("squeezenet", "fp32"), *network("squeezenet"))
    (view,) = data_of(outcome)["views"]
    assert view["is_network"]
    variations = view["variations"]
    assert [variation["label"] for variation in variations] == ["FP16", "FP32"]
    seconds = {net.precision.upper(): net.seconds for net in outcome.networks}
    shown = {variation["label"]: variation["seconds"] for variation in variations}
    assert shown == seconds


def test_layers_lead_to_their_rows_view_and_precision() -> None:
    outcome = outcome_of(*network("squeezenet"), *conv_sweep(("fp16", "fp32")))
    data = data_of(outcome)
    assert [view["is_network"] for view in data["views"]] == [True, False]
    for number, layer in enumerate(data["layers"]):
        assert layer["row"] == f"layer-{number}"
        view = data["views"][layer["view"]]
        assert view["variations"][layer["variation"]]["precision"] == layer["type"]
        assert layer["family"] in view["families"]


def test_identical_layers_know_each_other() -> None:
    outcome = outcome_of(*network("squeezenet"))
    data = data_of(outcome)
    groups = [group for group in alike(outcome.placements) if len(group.layers) > 1]
    assert groups
    names = {layer["name"]: layer["alike"]["name"] for layer in data["layers"] if "alike" in layer}
    for group in groups:
        assert {names[layer.layer] for layer in group.layers} == {group.name}


def test_the_spread_of_a_layer_is_that_of_its_row() -> None:
    first, *others = network("squeezenet")
    median = first.seconds_median or 0.0
    noisy = dataclasses.replace(first, seconds_low=0.9 * median, seconds_high=1.1 * median)
    layers = data_of(outcome_of(noisy, *others))["layers"]
    spreads = {layer["name"]: layer["spread"] for layer in layers}
    assert spreads[first.layer] == noisy.spread


def test_roofs_are_those_that_can_be_trusted_with_opcode_clock_and_theory() -> None:
    rows = [measurement("compute/fp32/fma", 5e13, clock_hz=1.4e9, instruction="FFMA")]
    rows.append(measurement("bandwidth/l3/copy", 1e12, instruction="LDG"))
    outcome = outcome_of(*rows)
    data = data_of(outcome)
    roofs = {roof["tag"]: roof for roof in data["roofs"]}
    trusted = {tag for tag, ceiling in outcome.ceilings.items() if is_roof(ceiling)}
    assert set(roofs) == trusted
    for tag, roof in roofs.items():
        ceiling = outcome.ceilings[tag]
        assert (roof["rate"], roof["unit"]) == (ceiling.rate, ceiling.unit)
        assert roof["peak"] == (ceiling.observed_peak or ceiling.nominal_peak)
        assert roof["is_memory"] == tag.startswith("bandwidth")
    assert roofs["compute/fp32/fma"]["opcode"] == "FFMA"
    assert roofs["bandwidth/l3"]["opcode"] == "LDG", "a level has that of its best operation"
    assert data["memory"] == "bandwidth/dram"


def test_only_the_fastest_way_to_a_unit_is_a_main_roof() -> None:
    outcome = outcome_of(
        measurement("compute/fp16/mma-fp32", 6e14, dtype="fp16"),
        measurement("compute/fp16/mma_sp-fp32", 12e14, dtype="fp16"),
    )
    roofs = {roof["tag"]: roof for roof in data_of(outcome)["roofs"]}
    main = {tag for tag, roof in roofs.items() if roof["is_main"]}
    assert "compute/fp16/mma-fp32" not in main
    assert "compute/fp16/wgmma-fp32" in main
    assert [tag for tag, roof in roofs.items() if roof["is_sparse"]] == ["compute/fp16/mma_sp-fp32"]


def test_a_layer_of_unknown_work_is_there_without_a_place() -> None:
    first, *others = network("squeezenet")
    unknown = dataclasses.replace(first, flops=None)
    layers = data_of(outcome_of(unknown, *others))["layers"]
    (layer,) = [layer for layer in layers if layer["name"] == first.layer]
    assert layer["intensity"] is layer["least"] is layer["gain"] is None
    assert not layer["bound"]
